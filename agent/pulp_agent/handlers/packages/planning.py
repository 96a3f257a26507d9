"""From a request to a plan that may be carried out: metadata, the back end's plan, the policy, and what was planned before."""

from __future__ import annotations

from dataclasses import replace

from pulp.rmi.interfaces import Change, KeptBack
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import Key, NotFound, Request, Source
from pulp_agent.handlers.packages.changes import merge, unfinished
from pulp_agent.handlers.packages.policy import (
    check_arguments,
    check_complete,
    check_installed,
    check_policy,
)
from pulp_agent.handlers.packages.run import Run

_METADATA_MATTERS = ("not-found", "dependency", "fetch")


class Planner:
    """Keeps what is planned across repeated commits and, given `planned`, the crash of an earlier process in its commit."""

    def __init__(
        self, backend: Source, request: Request, run: Run, planned: dict[Key, Change] | None = None
    ) -> None:
        self.planned: dict[Key, Change] = dict(planned or {})
        self._begun = self.planned
        self.kept_back: tuple[KeptBack, ...] = ()
        self.records = False
        self.unknown: tuple[str, ...] = ()
        self._backend = backend
        self._request = request
        self._run = run
        self._stale: HandlerError | None = None

    def refresh(self) -> None:
        """Fetch metadata. With repositories that do not answer, the host's old metadata must do, if it has any."""
        self._stale = None
        with self._run.phase("refresh"):
            try:
                self._run.retrying(lambda: self._backend.refresh(self._run))
            except HandlerError as error:
                if error.code in ("canceled", "timeout") or not self._backend.has_metadata():
                    raise
                self._stale = error
                self._run.note(f"going on with old metadata: {error}")

    def plan(self) -> bool:
        """Whether there is anything to do. Raises what forbids the plan."""
        with self._run.phase("plan"):
            backend, request = self._backend, self._request
            state = backend.state()
            check_arguments(request)
            check_installed(request, state, backend.key)
            try:
                plan = backend.plan(request, state, self._run)
                asked = {backend.key(spec) for spec in request.packages}
                half = unfinished(state, asked, self._begun.keys())
                changes = {**half, **plan.changes}
                check_complete(replace(plan, changes=changes), request, state, backend.key)
            except HandlerError as error:
                self.unknown = error.names if isinstance(error, NotFound) else ()
                raise self.blame_metadata(error) from error
            self.planned = merge(self._begun, changes, state)
            self.kept_back, self.records = plan.kept_back, plan.records
            check_policy(plan, request, state)
        return bool(changes) or plan.records

    def begin(self) -> None:
        """The plan is being carried out: what it says counts as this execution's own from now on."""
        self._begun = self.planned

    def blame_metadata(self, error: HandlerError) -> HandlerError:
        """The error to report: what old metadata lacks may exist by now, so the refresh's failure is the cause to name."""
        if self._stale is None or error.code not in _METADATA_MATTERS:
            return error
        return HandlerError(self._stale.code, f"{error}; and the metadata is old: {self._stale}")
