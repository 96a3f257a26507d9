"""The dnf back end."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct

from pulp.rmi.interfaces import Change, ConfigFile, KeptBack, PackageSpec
from pulp.rmi.reports import Advisory, Group
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import (
    Ability,
    Key,
    NotFound,
    PackageState,
    Plan,
    Report,
    Request,
    State,
)
from pulp_agent.handlers.packages.dnf.runner import Runner, failures
from pulp_agent.handlers.packages.dnf.settings import Dnf5Settings, DnfSettings
from pulp_agent.handlers.packages.policy import name_list
from pulp_agent.handlers.packages.run import Run

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_SCRIPT_FAILED = "script-failed"
"""A status of ours: rpm counts a package whose %post failed as installed. It holds for the rest of the execution."""


class _Change(Struct, frozen=True):
    """As the worker tells it."""

    key: Key
    name: str
    arch: str
    action: Any
    to: str | None
    automatic: bool
    security: bool
    repo: str
    replaced: bool
    requested: bool
    from_: str | None = msgspec.field(name="from", default=None)
    advisories: list[str] = []


class _Planned(Struct, frozen=True):
    changes: list[_Change]
    kept_back: list[KeptBack]
    records: bool
    advisories: list[Advisory] = []


class _State(Struct, frozen=True):
    packages: dict[Key, PackageState]
    others: list[PackageState]


class DnfBackend:
    """`base.Backend` for RHEL and its like (dnf4) and for Fedora (dnf5). Make a new one for each call, and close it."""

    lacks: Mapping[Ability, str] = {}

    def __init__(self, settings: DnfSettings) -> None:
        self.name = "dnf5" if isinstance(settings, Dnf5Settings) else "dnf"
        self._settings = settings
        self._runner = Runner(settings)
        self._failures: dict[str, str] = {}
        self._planned: list[_Change] = []

    def close(self) -> None:
        self._runner.close()

    @cached_property
    def _arch(self) -> str:
        return str(self._runner.ask("hello")["arch"])

    # --- reading ---

    def key(self, spec: PackageSpec) -> Key:
        slot = self._arch if spec.arch in (None, "", "noarch") else spec.arch
        return f"{spec.name}:{slot}"

    def state(self) -> State:
        packages = self._read().packages
        return {
            key: msgspec.structs.replace(package, status=_SCRIPT_FAILED)
            if package.name in self._failures
            else package
            for key, package in packages.items()
        }

    def inventory(self) -> list[PackageState]:
        state = self._read()
        return [*state.packages.values(), *state.others]

    def _read(self) -> _State:
        return msgspec.convert(self._runner.ask("state"), _State)

    def groups(self, run: Run) -> list[Group]:
        limit = self._settings.plan_timeout
        told = self._runner.stoppable("groups", run, phase="plan", limit=limit)
        return msgspec.convert(told, list[Group])

    def has_metadata(self) -> bool:
        return bool(self._runner.ask("has_metadata"))

    def needs_repair(self) -> bool:
        return bool(self._runner.ask("needs_repair"))

    def history_mark(self) -> int:
        return int(time.time())

    def config_files(self, mark: int) -> list[ConfigFile]:
        return msgspec.convert(self._runner.ask("config_files", since=mark), list[ConfigFile])

    def reboot_reasons(self, changes: Sequence[Change]) -> list[str]:
        """By what came since the host was started, as needs-restarting does it."""
        return [str(name) for name in self._runner.ask("reboot")]

    # --- before the commit ---

    def refresh(self, run: Run) -> None:
        limit = self._settings.refresh_timeout
        try:
            self._runner.stoppable("refresh", run, phase="refresh", limit=limit)
        except HandlerError as error:
            if error.code == "timeout" and run.job.remaining() > 0:
                raise HandlerError(
                    "fetch", f"the repositories took longer than {limit:g} s"
                ) from error
            raise

    def plan(self, request: Request, state: State, run: Run) -> Plan:
        """With everything allowed: it shows what would have to be done, and the policy judges it by name."""
        _check_names(request)
        order = {**_order(request), "allow_erasing": True}
        limit = self._settings.plan_timeout
        told = self._runner.stoppable("plan", run, phase="plan", limit=limit, **order)
        planned = msgspec.convert(told, _Planned)
        self._planned = planned.changes
        asked = frozenset(map(self.key, request.packages))
        return Plan(
            changes={change.key: _change(change, asked) for change in planned.changes},
            kept_back=tuple(planned.kept_back),
            replaced=frozenset(change.key for change in planned.changes if change.replaced),
            advisories=tuple(planned.advisories),
            records=planned.records,
        )

    def download(self, request: Request, run: Run) -> None:
        limit = self._settings.download_timeout
        self._runner.stoppable("download", run, phase="download", limit=limit, **_order(request))

    # --- the commit ---

    def commit(self, request: Request, run: Run) -> Report:
        """The worker refuses to do other changes than the plan has; then `interrupted` makes a new plan."""
        order = {**_order(request), "changes": msgspec.to_builtins(self._planned)}
        return self._transaction("commit", run, self._commit_limit(run), order)

    def repair(self, request: Request, run: Run) -> Report:
        limit = max(self._commit_limit(run), self._settings.leftover_timeout)
        return self._transaction("repair", run, limit, _order(request))

    def _transaction(
        self, command: str, run: Run, limit: float, order: Mapping[str, Any]
    ) -> Report:
        report = self._runner.transaction(command, run, limit=limit, **order)
        self._failures = report.errors
        return report

    def _commit_limit(self, run: Run) -> float:
        return max(0.0, min(self._settings.commit_timeout, run.job.remaining()))

    def settle(self, run: Run) -> None:
        self._runner.settle(run)
        self._failures = failures(run.spool)

    def hold(self, packages: Sequence[PackageState], run: Run) -> None:
        self._runner.ask("hold", names=[package.name for package in packages])


def _order(request: Request) -> dict[str, Any]:
    return {
        "operation": request.operation.value,
        "packages": [
            {"name": spec.name, "version": spec.version, "arch": spec.arch}
            for spec in request.packages
        ],
        "groups": list(request.groups),
        "policy": {
            field: getattr(request.policy, field) for field in request.policy.__struct_fields__
        },
        "security_only": request.security_only,
        "advisories": list(request.advisories),
        "allow_erasing": request.policy.allow_remove,
    }


def _check_names(request: Request) -> None:
    """The worker looks names up as they are, never as patterns; what can be no name is told as such all the same."""
    if request.operation.removes:
        return
    wrong = [spec.name for spec in request.packages if not _NAME.fullmatch(spec.name)]
    if wrong:
        raise NotFound(wrong, f"this host's repositories have no {name_list(wrong)}")


def _change(told: _Change, asked: frozenset[Key]) -> Change:
    return Change(
        name=told.name,
        arch=told.arch,
        action=told.action,
        from_=told.from_,
        to=told.to,
        requested=told.requested or told.key in asked,
        automatic=told.automatic,
        security=told.security,
        advisories=told.advisories,
        repo=told.repo,
    )
