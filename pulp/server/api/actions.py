"""From an action's request to its stored task: checked, planned, enqueued, once per idempotency key."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from pulp.common.clock import Clock
from pulp.common.failpoints import failpoint
from pulp.server.api.access import require
from pulp.server.api.errors import NotFound
from pulp.server.api.faults import Faults
from pulp.server.api.idempotency import Once, once
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.planning import asked_of
from pulp.server.api.ports import Queue
from pulp.server.api.types import ActionBody, OpeningBody, TaskView
from pulp.server.api.views import task_view
from pulp.server.api.waiting import waiting_for
from pulp.server.api.windowed import for_host
from pulp.server.db.base import Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.user import Principal, Role

Plan = Callable[[UnitOfWork], TaskRecord]
"""Checks what is asked against what is stored, and gives the new task; what it raises is the answer."""


class Actions:
    def __init__(self, store: Store, clock: Clock, queue: Queue) -> None:
        self._store = store
        self._clock = clock
        self._queue = queue

    def start(
        self,
        who: Principal,
        consumer_id: str,
        task: type[ConsumerTask],
        body: ActionBody,
        args: Struct,
        *,
        key: str | None,
        faults: Faults,
    ) -> TaskView:
        """Make the task and enqueue it; `faults` holds what the caller found wrong with its own fields.

        InvalidInput with every bad field; NotFound; OutsideWindows; Unsupported; KeyReused; Forbidden for an override.
        """
        check_override(who, body)
        now = self._clock.now()
        asked = asked_of(body, now, faults)
        request = Once.of(who.login, key, f"{task.kind} {consumer_id}", body) if key else None
        if faults.errors and not self._repeated(request, now):
            faults.check()

        def plan(uow: UnitOfWork) -> TaskRecord:
            consumer = found(uow.consumers.get(consumer_id), consumer_id)
            timing = for_host(uow, consumer, asked, task.method, args, by=who.login, now=now)
            return task.new(
                args, consumer_id=consumer_id, requested_by=who.login, now=now, timing=timing
            )

        return self.make(request, now, plan)

    def _repeated(self, request: Once | None, now: int) -> bool:
        """A repetition may come when the times it asked for are over; it is answered with what the first one made."""
        return request is not None and self._store.read(lambda uow: request.repeats(uow, now))

    def make(self, request: Once | None, now: int, plan: Plan) -> TaskView:
        """Store the task that `plan` gives and enqueue it; a repeated request gets what the first one made."""
        view = self._store.write(lambda uow: self._make(uow, request, now, plan))
        failpoint("server.enqueue.committed")
        return view

    def _make(self, uow: UnitOfWork, request: Once | None, now: int, plan: Plan) -> TaskView:
        made: list[TaskRecord] = []

        def make() -> str:
            made.append(self._queue.enqueue(uow, plan(uow)))
            return made[0].id

        task_id, _ = once(uow, request, now, make)
        record = made[0] if made else uow.tasks.get(task_id)
        if record is None:
            raise NotFound(f"task {task_id}, made by this Idempotency-Key, is no more")
        consumer = uow.consumers.get(record.consumer_id) if record.consumer_id else None
        return task_view(record, waiting_for(record, consumer, now))


def found(consumer: Consumer | None, consumer_id: str) -> Consumer:
    if consumer is None:
        raise NotFound(f"there is no consumer {consumer_id!r}")
    return consumer


def check_override(who: Principal, body: OpeningBody) -> None:
    """Forbidden where it has an override and the user may not answer for one."""
    if body.override is not None:
        require(who, Role.ADMIN)
