"""What a task may touch while it runs or ends: one unit of work, committed with the task's own new state or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from pulp.common.times import MINUTE, format_time
from pulp.rmi.remotes import Packages, System
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import Call, TaskRecord

TOLD_AT_ONCE = MINUTE
"""An answer that is no older says nothing of its own times in the history."""


class AgentProxy(Protocol):
    """The remote interfaces of one consumer. Calling a method decides the task's call; it is sent after the commit."""

    @property
    def packages(self) -> Packages[None]: ...

    @property
    def system(self) -> System[None]: ...

    @property
    def decided(self) -> Call | None:
        """The call that was asked for, if any."""


class AgentGateway(Protocol):
    """The way to the agents, as the task system sees it. Only the dispatcher thread uses it."""

    def room(self, consumer_id: str) -> int:
        """How many more calls may be sent to this consumer now (unaccepted ones are bounded); -1: it is offline."""

    def proxy(self, uow: UnitOfWork, record: TaskRecord) -> AgentProxy: ...

    def send(self, records: Sequence[TaskRecord]) -> None:
        """The calls of these stored records; the store holds what is lost here."""

    def cancel(self, record: TaskRecord) -> None:
        """Ask the agent to give the call up, if it is connected."""


class HistoryWriter:
    """Appends to the consumer's history in the context's unit of work; the originator is the user who asked."""

    def __init__(self, uow: UnitOfWork, now: int) -> None:
        self._uow = uow
        self._now = now

    def packages_installed(self, task: TaskRecord, details: Struct | dict[str, Any]) -> None:
        self.add(task, HistoryType.PACKAGES_INSTALLED, details)

    def packages_updated(self, task: TaskRecord, details: Struct | dict[str, Any]) -> None:
        self.add(task, HistoryType.PACKAGES_UPDATED, details)

    def packages_removed(self, task: TaskRecord, details: Struct | dict[str, Any]) -> None:
        self.add(task, HistoryType.PACKAGES_REMOVED, details)

    def packages_repaired(self, task: TaskRecord, details: Struct | dict[str, Any]) -> None:
        self.add(task, HistoryType.PACKAGES_REPAIRED, details)

    def add(self, task: TaskRecord, type_: HistoryType, details: Struct | dict[str, Any]) -> None:
        """One event of this type per task: a second one is not written. It names the override that the task was given, and when
        the work was done, where that is told later."""
        if task.consumer_id is None:
            return
        if ran := _ran_before(task, self._now):
            details = {**_as_dict(details), "ran": ran}
        if task.override is not None:
            given = {"reason": task.override.reason, "by": task.override.by}
            details = {**_as_dict(details), "override": given}
        self._uow.history.add(
            HistoryEvent(
                consumer_id=task.consumer_id,
                type=type_,
                at=self._now,
                originator=task.requested_by,
                task_id=task.id,
                details=msgspec.json.encode(details),
            )
        )


def _ran_before(task: TaskRecord, now: int) -> dict[str, str] | None:
    """From when to when the work was done, if that is over for a while: its host was cut off."""
    started, finished = task.started_at, task.finished_at
    if started is None or finished is None or now - finished < TOLD_AT_ONCE:
        return None
    return {"started_at": format_time(started), "finished_at": format_time(finished)}


def _as_dict(details: Struct | dict[str, Any]) -> dict[str, Any]:
    """What a Struct is encoded as."""
    if isinstance(details, dict):
        return details
    data: dict[str, msgspec.Raw] = msgspec.json.decode(
        msgspec.json.encode(details), type=dict[str, msgspec.Raw]
    )
    return data


@dataclass(frozen=True, slots=True)
class Context:
    """now: ms UTC. `agent` is that of the task's consumer; a task that has none, or that ends, gets None."""

    now: int
    uow: UnitOfWork
    history: HistoryWriter
    agent: AgentProxy | None

    @classmethod
    def of(cls, uow: UnitOfWork, now: int, agent: AgentProxy | None = None) -> Context:
        return cls(now, uow, HistoryWriter(uow, now), agent)
