"""What a task may touch while it runs or ends: one unit of work, committed with the task's own new state or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from pulp.rmi.interfaces import Packages, System
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskRecord


class AgentProxy(Protocol):
    """The remote interfaces of one consumer. Calling a method decides the task's call; it is sent after the commit."""

    @property
    def packages(self) -> Packages[None]: ...

    @property
    def system(self) -> System[None]: ...


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

    def add(self, task: TaskRecord, type_: HistoryType, details: Struct | dict[str, Any]) -> None:
        """One event of this type per task: a second one is not written."""
        if task.consumer_id is None:
            return
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


@dataclass(frozen=True, slots=True)
class Context:
    """now: ms UTC. `agent` is the task's consumer's; only an AsyncTask's run() has one."""

    now: int
    uow: UnitOfWork
    history: HistoryWriter
    agent: AgentProxy
