"""The task classes of package groups."""

from __future__ import annotations

from msgspec import Struct

from pulp.rmi.interfaces import GROUPS, INSTALL_GROUP, REMOVE_GROUP, Policy
from pulp.server.api.package_tasks import ConsumerTask, PackagesChanged, PackageTask
from pulp.server.tasking.context import Context


class GroupArguments(Struct, frozen=True, kw_only=True):
    """`groups`: their ids."""

    groups: list[str]
    policy: Policy = Policy()
    dry_run: bool = False


class FindGroupsArguments(Struct, frozen=True, kw_only=True):
    refresh: bool = False


class InstallGroups(PackageTask):
    kind = "packages.install_group"
    method = INSTALL_GROUP
    arguments = GroupArguments
    args: GroupArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).install_group(
            self.args.groups, policy=self.args.policy, dry_run=self.args.dry_run
        )

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        ctx.history.packages_installed(self.record, details)


class RemoveGroups(PackageTask):
    kind = "packages.remove_group"
    method = REMOVE_GROUP
    arguments = GroupArguments
    args: GroupArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).remove_group(
            self.args.groups, policy=self.args.policy, dry_run=self.args.dry_run
        )

    def write_history(self, ctx: Context, details: PackagesChanged) -> None:
        ctx.history.packages_removed(self.record, details)


class FindGroups(ConsumerTask):
    """Asks for the groups that there are; the answer is the task's result."""

    kind = "packages.groups"
    method = GROUPS
    arguments = FindGroupsArguments
    args: FindGroupsArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).groups(refresh=self.args.refresh)
