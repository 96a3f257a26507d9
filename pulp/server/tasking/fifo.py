"""FIFOQueue: tasks in, in order. A task that waits for an agent holds no thread and no slot. (Being written.)"""

from __future__ import annotations

from pulp.server.db.base import UnitOfWork
from pulp.server.domain.task import TaskRecord


class FIFOQueue:
    def enqueue(self, uow: UnitOfWork, record: TaskRecord) -> TaskRecord:
        """Store a new task inside the caller's unit of work; call wake() after its commit."""
        raise NotImplementedError

    def find(self, task_id: str) -> TaskRecord | None:
        raise NotImplementedError

    def cancel(self, uow: UnitOfWork, record: TaskRecord, *, by: str, now: int) -> TaskRecord:
        """Cancel an open task: at once where no agent has it, else by a durable request to the agent; wake() after."""
        raise NotImplementedError

    def wake(self) -> None:
        """There may be work: never blocks, any thread."""
        raise NotImplementedError
