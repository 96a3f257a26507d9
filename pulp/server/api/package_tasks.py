"""What task classes of package work have in common: the call of the agent, and what goes into history once it is confirmed."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import Struct

from pulp.rmi.interfaces import Action, Change, Method, Outcome, PackagesResult, Policy
from pulp.rmi.remotes import Packages
from pulp.server.domain.history import HistoryType
from pulp.server.domain.task import TaskError
from pulp.server.tasking.context import Context
from pulp.server.tasking.restarts import Restarting
from pulp.server.tasking.task import AsyncTask

_UNTOUCHED: frozenset[Outcome] = frozenset({"planned", "not-done"})


class ChangedPackage(Struct, frozen=True, kw_only=True):
    name: str
    arch: str
    from_: str | None = msgspec.field(name="from")
    to: str | None
    action: Action
    requested: bool
    outcome: Outcome


class PackagesChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The details of packages_installed, packages_updated, packages_removed and packages_repaired.

    `overrun`: ms that the work went on after its window had ended; `override_used`: it began outside the host's own enforced
    windows. Both stand there only where it was so.
    """

    backend: str
    packages: list[ChangedPackage]
    reboot_needed: bool
    repaired: bool
    reboot_reasons: list[str] = []
    overrun: int = 0
    override_used: bool = False


def changed(result: PackagesResult) -> PackagesChanged:
    """Every package that was touched, dependencies too, as the agent found it by comparing before and after."""
    touched = [_package(c) for c in result.changes if c.outcome not in _UNTOUCHED]
    return PackagesChanged(
        backend=result.backend,
        packages=touched,
        reboot_needed=result.reboot_needed,
        reboot_reasons=result.reboot_reasons,
        repaired=result.repaired,
        overrun=result.overrun,
        override_used=result.override_used,
    )


def _package(change: Change) -> ChangedPackage:
    return ChangedPackage(
        name=change.name,
        arch=change.arch,
        from_=change.from_,
        to=change.to,
        action=change.action,
        requested=change.requested,
        outcome=change.outcome,
    )


class _Failure(Struct, frozen=True):
    """Of a failed result, what is looked at."""

    override_used: bool = False


def _has_used_override(error: TaskError) -> bool:
    try:
        return msgspec.json.decode(error.details, type=_Failure | None) == _Failure(True)
    except msgspec.MsgspecError:
        return False  # no result of package work


class ConsumerTask(AsyncTask):
    """A task that is one call of its consumer's agent."""

    method: ClassVar[Method]

    def packages(self, ctx: Context) -> Packages[None]:
        """The remote Packages; only run() may ask for it."""
        if ctx.agent is None:
            raise RuntimeError(f"{self.kind} was run without an agent")
        return ctx.agent.packages


class PackageTask(ConsumerTask):
    """Work that changes packages: history is written only for what is confirmed and changed anything. Where the policy says so
    the host is restarted after it."""

    @property
    def may_restart(self) -> bool:
        policy: Policy = self.args.policy
        return policy.reboot != "never"

    def restarts(self, result: PackagesResult) -> Restarting | None:
        if not result.rebooting:
            return None
        return Restarting(boot_id=result.boot_id, reasons=result.reboot_reasons)

    def succeeded(self, ctx: Context, result: PackagesResult) -> None:
        super().succeeded(ctx, result)
        if result.changed and not result.dry_run and not self.args.dry_run:
            self.write_history(ctx, changed(result))
        if result.override_used:
            self._note_override(ctx)

    def failed(self, ctx: Context, error: TaskError) -> None:
        super().failed(ctx, error)
        if _has_used_override(error):
            self._note_override(ctx)

    def _note_override(self, ctx: Context) -> None:
        """What was begun outside the host's enforced windows stands in its history by a type of its own."""
        ctx.history.add(self.record, HistoryType.OVERRIDE_USED, {"action": self.kind})

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        raise NotImplementedError
