"""The task classes of a package system's upkeep: its repair, and the refresh of what it knows of its repositories."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pulp.rmi.interfaces import REFRESH, REPAIR, PackagesResult
from pulp.server.api.package_tasks import ConsumerTask, changed
from pulp.server.tasking.context import Context


class RepairArguments(Struct, frozen=True, kw_only=True):
    config_files: Literal["keep", "new"] = "keep"


class RefreshArguments(Struct, frozen=True, kw_only=True):
    pass


class RepairPackages(ConsumerTask):
    """A repair that had anything to do is written into history, with what became of each package that was not whole."""

    kind = "packages.repair"
    method = REPAIR
    arguments = RepairArguments
    args: RepairArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).repair(config_files=self.args.config_files)

    def succeeded(self, ctx: Context, result: PackagesResult) -> None:
        super().succeeded(ctx, result)
        if result.changed or result.repaired:
            ctx.history.packages_repaired(self.record, changed(result))


class RefreshMetadata(ConsumerTask):
    kind = "packages.refresh"
    method = REFRESH
    arguments = RefreshArguments
    args: RefreshArguments

    def run(self, ctx: Context) -> None:
        self.packages(ctx).refresh()
