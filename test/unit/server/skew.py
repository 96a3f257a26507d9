"""A second and third version of a task, and ways to make stored tasks newer, unknown or damaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from msgspec import Struct
from server_world import RESULT, START, Install, World

from pulp.rmi.interfaces import PackageSpec
from pulp.rmi.messages import (
    Request,
    Succeeded,
)
from pulp.server.domain.task import TaskRecord
from pulp.server.tasking.context import Context
from pulp.server.tasking.task import Args, Task, Upgrader

# --- a task of version 3: `names` became `packages`, then `reason` came ---


class Wanted(Struct, frozen=True):
    packages: list[str]
    reason: str


def to_packages(args: Args) -> Args:
    return {"packages": args["names"]}


def with_reason(args: Args) -> Args:
    return {**args, "reason": "before reasons"}


class Install3(Install):
    version = 3
    arguments = Wanted
    upgraders: ClassVar[dict[int, Upgrader]] = {1: to_packages, 2: with_reason}

    def run(self, ctx: Context) -> None:
        assert ctx.agent is not None
        ctx.agent.packages.install([PackageSpec(name=n) for n in self.args.packages])

    def succeeded(self, ctx: Context, result: Any) -> None:
        Task.succeeded(self, ctx, result)
        ctx.history.packages_installed(self.record, {"reason": self.args.reason})


def newer(record: TaskRecord) -> TaskRecord:
    return record.replace(version=9)


def unknown(record: TaskRecord) -> TaskRecord:
    return record.replace(kind="packages.purge")


def damaged(record: TaskRecord) -> TaskRecord:
    return record.replace(args=b'{"names": 7}')


def change(world: World, task_id: str, how: Callable[[TaskRecord], TaskRecord]) -> None:
    world.store.write(lambda uow: uow.tasks.save(how(world.task(task_id))))


def sent(world: World) -> Request:
    (request,) = [m for m in world.take_sent() if isinstance(m, Request)]
    return request


def succeeded(task_id: str) -> Succeeded:
    return Succeeded(id=task_id, value=RESULT, started=START + 1, finished=START + 5)


class Confused(Install3):
    """Its step does not foresee what is stored."""

    upgraders: ClassVar[dict[int, Upgrader]] = {1: lambda args: args["nothing"], 2: with_reason}


def queued(world: World) -> str:
    task_id = world.install()
    world.step()
    return task_id
