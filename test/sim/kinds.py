"""Task classes of the simulation: one whose own code fails, and one that only a newer server knows."""

from __future__ import annotations

from typing import Any, ClassVar

from pulp.rmi.interfaces import PackageSpec, PackagesResult
from pulp.server.api.packages import TASK_CLASSES, InstallPackages, PackagesArguments
from pulp.server.domain.task import TaskError, TaskRecord
from pulp.server.tasking.context import Context
from pulp.server.tasking.deadlines import Timing
from pulp.server.tasking.task import Task
from sim.job import SECRET

BROKEN = ("broken-run", "broken-success", "broken-failure")
"""Beginnings of names of packages at which this server's own code fails."""


class Broken(RuntimeError):
    """A bug in a task class, put there on purpose."""


class Install(InstallPackages):
    def run(self, ctx: Context) -> None:
        super().run(ctx)
        self._break("broken-run")

    def succeeded(self, ctx: Context, result: PackagesResult) -> None:
        super().succeeded(ctx, result)
        self._break("broken-success")

    def failed(self, ctx: Context, error: TaskError) -> None:
        super().failed(ctx, error)
        self._break("broken-failure")

    def _break(self, at: str) -> None:
        if self.args.packages[0].name.startswith(at):
            raise Broken(SECRET)


class Future(InstallPackages):
    """A kind of the next release."""

    kind: ClassVar[str] = "packages.future"


PRESENT: tuple[type[Task], ...] = (Install, *TASK_CLASSES[1:])
NEXT: tuple[type[Task], ...] = (*PRESENT, Future)


def future_task(consumer_id: str, who: str, now: int, timing: dict[str, Any]) -> TaskRecord:
    arguments = PackagesArguments(packages=[PackageSpec(name="next")])
    return Future.new(
        arguments, consumer_id=consumer_id, requested_by=who, now=now, timing=Timing(**timing)
    )
