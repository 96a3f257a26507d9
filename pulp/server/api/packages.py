"""The task classes of package work: what each asks of the agent, and what it writes into history once that is confirmed."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pulp.rmi.interfaces import (
    INSTALL,
    PROFILE,
    REMOVE,
    UPDATE,
    UPDATE_ALL,
    UPDATES,
    PackageSpec,
    Policy,
    ProfileResult,
)
from pulp.server.api.package_groups import FindGroups, InstallGroups, RemoveGroups
from pulp.server.api.package_tasks import ConsumerTask, PackagesChanged, PackageTask
from pulp.server.api.restart_tasks import RestartHost
from pulp.server.api.upkeep import RefreshMetadata, RepairPackages
from pulp.server.domain.consumer import StoredProfile
from pulp.server.tasking.context import Context
from pulp.server.tasking.profiles import keep_profile
from pulp.server.tasking.task import Task


class PackagesArguments(Struct, frozen=True, kw_only=True):
    """Version 1 of what install, update and remove are stored with."""

    packages: list[PackageSpec]
    policy: Policy = Policy()
    dry_run: bool = False


class UpdateAllArguments(Struct, frozen=True, kw_only=True):
    security_only: bool = False
    advisories: list[str] = []
    policy: Policy = Policy()
    dry_run: bool = False


class UpdatesArguments(Struct, frozen=True, kw_only=True):
    refresh: bool = False


class NoArguments(Struct, frozen=True):
    pass


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
            advisories=self.args.advisories,
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
    InstallGroups,
    RemoveGroups,
    FindUpdates,
    FindGroups,
    RefreshProfile,
    RefreshMetadata,
    RepairPackages,
    RestartHost,
)
"""For bootstrap, which hands them to tasking.task.TaskKinds."""
