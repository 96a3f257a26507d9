"""The task classes of package work: what each asks of the agent, and what it writes into history once that is confirmed."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import Struct

from pulp.rmi.interfaces import (
    INSTALL,
    PROFILE,
    REMOVE,
    UPDATE,
    UPDATE_ALL,
    UPDATES,
    Action,
    Change,
    Method,
    Outcome,
    Packages,
    PackageSpec,
    PackagesResult,
    Policy,
    ProfileResult,
)
from pulp.server.domain.consumer import StoredProfile
from pulp.server.tasking.context import Context
from pulp.server.tasking.profiles import keep_profile
from pulp.server.tasking.task import AsyncTask, Task

_UNTOUCHED: frozenset[Outcome] = frozenset({"planned", "not-done"})


class PackagesArguments(Struct, frozen=True, kw_only=True):
    """Version 1 of what install, update and remove are stored with."""

    packages: list[PackageSpec]
    policy: Policy = Policy()
    dry_run: bool = False


class UpdateAllArguments(Struct, frozen=True, kw_only=True):
    security_only: bool = False
    policy: Policy = Policy()
    dry_run: bool = False


class UpdatesArguments(Struct, frozen=True, kw_only=True):
    refresh: bool = False


class NoArguments(Struct, frozen=True):
    pass


class ChangedPackage(Struct, frozen=True, kw_only=True):
    name: str
    arch: str
    from_: str | None = msgspec.field(name="from")
    to: str | None
    action: Action
    requested: bool
    outcome: Outcome


class PackagesChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The details of packages_installed, packages_updated and packages_removed.

    `overrun`: ms that the work went on after its window had ended; `override_used`: it began outside the host's own enforced
    windows. Both stand there only where it was so.
    """

    backend: str
    packages: list[ChangedPackage]
    reboot_needed: bool
    repaired: bool
    overrun: int = 0
    override_used: bool = False


def changed(result: PackagesResult) -> PackagesChanged:
    """Every package that was touched, dependencies too, as the agent found it by comparing before and after."""
    touched = [_package(c) for c in result.changes if c.outcome not in _UNTOUCHED]
    return PackagesChanged(
        backend=result.backend,
        packages=touched,
        reboot_needed=result.reboot_needed,
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


class ConsumerTask(AsyncTask):
    """A task that is one call of its consumer's agent."""

    method: ClassVar[Method]

    def packages(self, ctx: Context) -> Packages[None]:
        """The remote Packages; only run() may ask for it."""
        if ctx.agent is None:
            raise RuntimeError(f"{self.kind} was run without an agent")
        return ctx.agent.packages


class PackageTask(ConsumerTask):
    """Work that changes packages: history is written only for what is confirmed and changed anything."""

    def succeeded(self, ctx: Context, result: PackagesResult) -> None:
        super().succeeded(ctx, result)
        if result.changed and not result.dry_run and not self.args.dry_run:
            self.write_history(ctx, changed(result))

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        raise NotImplementedError


class InstallPackages(PackageTask):
    kind = "packages.install"
    method = INSTALL
    arguments = PackagesArguments
    args: PackagesArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).install(
            self.args.packages, policy=self.args.policy, dry_run=self.args.dry_run
        )

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        ctx.history.packages_installed(self.record, details)


class UpdatePackages(PackageTask):
    kind = "packages.update"
    method = UPDATE
    arguments = PackagesArguments
    args: PackagesArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).update(
            self.args.packages, policy=self.args.policy, dry_run=self.args.dry_run
        )

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        ctx.history.packages_updated(self.record, details)


class RemovePackages(PackageTask):
    kind = "packages.remove"
    method = REMOVE
    arguments = PackagesArguments
    args: PackagesArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).remove(
            self.args.packages, policy=self.args.policy, dry_run=self.args.dry_run
        )

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        ctx.history.packages_removed(self.record, details)


class UpdateAll(PackageTask):
    kind = "packages.update_all"
    method = UPDATE_ALL
    arguments = UpdateAllArguments
    args: UpdateAllArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).update_all(
            security_only=self.args.security_only,
            policy=self.args.policy,
            dry_run=self.args.dry_run,
        )

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        ctx.history.packages_updated(self.record, details)


class FindUpdates(ConsumerTask):
    """Asks for the updates that there are; the answer is the task's result."""

    kind = "packages.updates"
    method = UPDATES
    arguments = UpdatesArguments
    args: UpdatesArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).updates(refresh=self.args.refresh)


class RefreshProfile(ConsumerTask):
    """Asks for the installed packages and keeps the answer."""

    kind = "packages.refresh_profile"
    method = PROFILE
    arguments = NoArguments
    args: NoArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).profile()

    def succeeded(self, ctx: Context, result: ProfileResult) -> None:
        super().succeeded(ctx, result)
        consumer_id = self.record.consumer_id
        if consumer_id is None or ctx.uow.consumers.get(consumer_id) is None:
            return
        profile = StoredProfile(
            consumer_id=consumer_id,
            hash=result.hash,
            at=ctx.now,
            packages=msgspec.json.encode(result.packages),
        )
        keep_profile(ctx.uow, profile, packages=len(result.packages), task=self.record)


TASK_CLASSES: tuple[type[Task], ...] = (
    InstallPackages,
    UpdatePackages,
    RemovePackages,
    UpdateAll,
    FindUpdates,
    RefreshProfile,
)
"""For bootstrap, which hands them to tasking.task.TaskKinds."""
