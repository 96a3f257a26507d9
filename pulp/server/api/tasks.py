"""TaskApi: what was asked for, how far it is, calling it off, and asking for it once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from pulp.common.clock import Clock
from pulp.common.failpoints import failpoint
from pulp.common.ids import is_uuid
from pulp.server.api.access import require
from pulp.server.api.actions import Actions, check_override, found
from pulp.server.api.errors import NotFound, TaskIsFinal, TaskIsOpen, Unsupported
from pulp.server.api.faults import Faults
from pulp.server.api.idempotency import Once
from pulp.server.api.keeping import with_names
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.paging import listed
from pulp.server.api.planning import Asked, asked_again_of
from pulp.server.api.ports import Queue
from pulp.server.api.types import ListView, RetryBody, TaskView, WaitingForView
from pulp.server.api.views import task_view
from pulp.server.api.waiting import before, holds_up, upgrade, waiting_for
from pulp.server.api.windowed import anywhere, for_host
from pulp.server.db.base import Page, Store, TaskChange, TaskFilter, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskRecord, TaskState
from pulp.server.domain.user import Principal, Role
from pulp.server.tasking.deadlines import Timing
from pulp.server.tasking.task import Task, TaskKinds, UnsupportedTask

HEAVIEST = 8 * 1024 * 1024
"""Bytes of arguments and results in one page: with long logs it holds fewer tasks than were asked for, and `next` goes on."""


class TaskApi:
    def __init__(self, store: Store, clock: Clock, queue: Queue, kinds: TaskKinds) -> None:
        self._store = store
        self._clock = clock
        self._queue = queue
        self._kinds = kinds
        self._actions = Actions(store, clock, queue)

    def list(
        self, who: Principal, where: TaskFilter, *, after: str | None, limit: int
    ) -> ListView[TaskView]:
        """Newest first."""
        require(who, Role.VIEWER)
        return listed(
            lambda: self._store.read(lambda uow: self._page(uow, where, after, limit)), lambda v: v
        )

    def _page(
        self, uow: UnitOfWork, where: TaskFilter, after: str | None, limit: int
    ) -> Page[TaskView]:
        page = uow.tasks.page(where, after, limit)
        while limit > 1 and sum(map(_weight, page.items)) > HEAVIEST:
            limit //= 2
            page = uow.tasks.page(where, after, limit)
        consumers = _Consumers(uow)
        return Page([task_view(r, self._waiting_for(r, consumers)) for r in page.items], page.next)

    def show(self, who: Principal, task_id: str) -> TaskView:
        require(who, Role.VIEWER)
        return self._store.read(lambda uow: self._view(uow, _get(uow, task_id)))

    def cancel(self, who: Principal, task_id: str) -> TaskView:
        """Call it off: at once where no agent has it, else by asking its agent. TaskIsFinal when it is over."""
        require(who, Role.OPERATOR)

        def job(uow: UnitOfWork) -> TaskView:
            record = _get(uow, task_id)
            if record.state.final:
                raise TaskIsFinal(f"task {task_id} is over: it is {record.state.value}")
            canceled = self._queue.cancel(uow, record, by=who.login, now=self._clock.now())
            return self._view(uow, canceled)

        view = self._store.write(job)
        failpoint("server.cancel.committed")
        return view

    def retry(
        self, who: Principal, task_id: str, body: RetryBody, *, key: str | None = None
    ) -> TaskView:
        """Ask for the same once more, as a new task that names this one; this one stays as it ended.

        NotFound for the task or its consumer; TaskIsOpen; OutsideWindows; Unsupported; InvalidInput with every bad field, also
        when its window is over and nothing is said of another; KeyReused; Forbidden for an override.
        """
        require(who, Role.OPERATOR)
        check_override(who, body)
        now = self._clock.now()
        request = Once.of(who.login, key, f"retry {task_id}", body) if key else None

        def plan(uow: UnitOfWork) -> TaskRecord:
            first, faults = self._ended(uow, task_id), Faults()
            asked = asked_again_of(body, first.record, now, faults)
            faults.check()
            timing = self.timing_of(uow, first, asked, by=who.login, now=now)
            return first.again(requested_by=who.login, now=now, timing=timing)

        return self._actions.make(request, now, plan)

    def _ended(self, uow: UnitOfWork, task_id: str) -> Task:
        record = _get(uow, task_id)
        if not record.state.final:
            raise TaskIsOpen(
                f"task {task_id} is not over: it is {record.state.value}; cancel it, or wait for its end"
            )
        try:
            return self._kinds.load(record)
        except UnsupportedTask as error:
            raise Unsupported(f"task {task_id} cannot be run by this server: {error}") from error

    @staticmethod
    def timing_of(uow: UnitOfWork, task: Task, asked: Asked, *, by: str, now: int) -> Timing:
        """The times of a new task like this one, for its consumer. NotFound when that is not there; what for_host() refuses."""
        consumer_id = task.record.consumer_id
        if consumer_id is None or not isinstance(task, ConsumerTask):
            return anywhere(asked)
        consumer = found(uow.consumers.get(consumer_id), consumer_id)
        return for_host(uow, consumer, asked, task.method, task.args, by=by, now=now)

    def subscribe(self, listener: Callable[[Sequence[TaskChange]], None]) -> None:
        """Store.subscribe(): committed changes, on the store's thread; the listener must be quick."""
        self._store.subscribe(listener)

    def count_open(self) -> dict[TaskState, int]:
        """How many tasks are in each state that is not final."""
        return self._store.read(lambda uow: uow.tasks.count_open())

    def _view(self, uow: UnitOfWork, record: TaskRecord) -> TaskView:
        waits = self._waiting_for(record, _Consumers(uow))
        if waits is not None and record.consumer_id is not None:
            waits = self._in_detail(uow, record, record.consumer_id, waits)
        return task_view(record, waits)

    def _in_detail(
        self, uow: UnitOfWork, record: TaskRecord, consumer_id: str, waits: WaitingForView
    ) -> WaitingForView:
        """What takes a look at the host's other tasks and windows, and so is told of one task only."""
        match waits.code:
            case "lane":
                by = before(record, uow.tasks.open_of(consumer_id))
                return msgspec.structs.replace(waits, by=by)
            case "agent":
                by = holds_up(record, uow.tasks.open_of(consumer_id))
                return msgspec.structs.replace(waits, code="lane", by=by) if by else waits
            case "window" if (consumer := uow.consumers.get(consumer_id)) is not None:
                theirs = uow.windows.of(consumer)
                return with_names(waits, record, consumer, theirs, self._clock.now())
        return waits

    def _waiting_for(self, record: TaskRecord, consumers: _Consumers) -> WaitingForView | None:
        if not record.state.final and not self._kinds.runs(record):
            return upgrade(record)
        return waiting_for(record, consumers.of(record), self._clock.now())


class _Consumers:
    """The consumers of the tasks of one answer, each read once, and only where the answer depends on it."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._known: dict[str, Consumer | None] = {}

    def of(self, record: TaskRecord) -> Consumer | None:
        consumer_id = record.consumer_id
        if consumer_id is None or record.state not in (TaskState.WAITING, TaskState.HELD):
            return None
        if consumer_id not in self._known:
            self._known[consumer_id] = self._uow.consumers.get(consumer_id)
        return self._known[consumer_id]


def _weight(record: TaskRecord) -> int:
    details = record.error.details if record.error else b""
    return len(record.args) + len(record.result or b"") + len(details)


def _get(uow: UnitOfWork, task_id: str) -> TaskRecord:
    record = uow.tasks.get(task_id) if is_uuid(task_id) else None
    if record is None:
        raise NotFound(f"there is no task {task_id!r}")
    return record
