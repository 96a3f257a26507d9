"""What the repositories have for a host: fetched anew, or told by three plans of its back end. No package is changed."""

from __future__ import annotations

from pulp.rmi.interfaces import Change, Policy
from pulp.rmi.reports import RefreshResult, Update, UpdatesResult
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import (
    Backend,
    Key,
    Operation,
    PackageState,
    Plan,
    Request,
    State,
)
from pulp_agent.handlers.packages.planning import Planner
from pulp_agent.handlers.packages.run import Run

_PLAIN = Request(operation=Operation.UPDATE_ALL)
_LIFTED = Request(operation=Operation.UPDATE_ALL, policy=Policy(allow_held=True))
_FIXES = Request(operation=Operation.UPDATE_ALL, policy=Policy(allow_held=True), security_only=True)


def available(backend: Backend, run: Run, *, refresh: bool) -> UpdatesResult:
    """By what the host knows of its repositories."""
    provide_metadata(backend, run, refresh=refresh)
    state = backend.state()
    with run.phase("plan"):
        plain, lifted, fixes = (
            backend.plan(request, state, run) for request in (_PLAIN, _LIFTED, _FIXES)
        )
    known = {a.id: a for plan in (plain, lifted, fixes) for a in plan.advisories}
    return UpdatesResult(
        backend=backend.name,
        updates=_told(state, plain, lifted, fixes),
        advisories=[known[advisory_id] for advisory_id in sorted(known)],
    )


def provide_metadata(backend: Backend, run: Run, *, refresh: bool) -> None:
    """Ask the repositories on `refresh`, or when nothing is known of them. With those that do not answer the old must do."""
    if refresh or not backend.has_metadata():
        Planner(backend, _PLAIN, run).refresh()


def refresh(backend: Backend, run: Run) -> RefreshResult:
    """Ask the repositories what they have. The error of those that do not answer carries what was done."""
    try:
        with run.phase("refresh"):
            run.retrying(lambda: backend.refresh(run))
    except HandlerError as error:
        raise HandlerError(error.code, str(error), _refreshed(backend, run)) from error
    return _refreshed(backend, run)


def _refreshed(backend: Backend, run: Run) -> RefreshResult:
    return RefreshResult(backend=backend.name, phases=run.phases, log=run.log_text())


def _told(state: State, plain: Plan, lifted: Plan, fixes: Plan) -> list[Update]:
    kept = {k.name: k.reason for plan in (lifted, plain) for k in plan.kept_back}
    raised = {**_upgrades(lifted), **_upgrades(plain)}
    mends = _upgrades(fixes)
    found = [
        _update(package, raised.get(key), mends.get(key), _reason(package, kept))
        for key, package in state.items()
        if key in raised or key in mends or _reason(package, kept)
    ]
    return sorted(found, key=lambda update: (update.name, update.arch))


def _upgrades(plan: Plan) -> dict[Key, Change]:
    return {key: change for key, change in plan.changes.items() if change.action == "upgrade"}


def _reason(package: PackageState, kept: dict[str, str]) -> str:
    """apt names a foreign architecture's package with it."""
    return kept.get(package.name) or kept.get(f"{package.name}:{package.arch}", "")


def _update(
    package: PackageState, raised: Change | None, mend: Change | None, kept_back: str
) -> Update:
    fix = (mend.to or "") if mend else ""
    carried = raised or mend
    return Update(
        name=package.name,
        arch=package.arch,
        from_=package.version,
        to=(raised.to or "") if raised else fix,
        repo=raised.repo if raised else "",
        security=mend is not None,
        fix=fix,
        advisories=carried.advisories if carried else [],
        kept_back=kept_back,
    )
