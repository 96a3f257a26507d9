"""FIFOQueue: tasks in, in order. A task that waits for an agent holds no thread and no slot.

One dispatcher thread calls step(); everybody else only stores tasks and wakes it. A task is run inside the store's writing
job, so its new state and its decided call are one commit; the call is sent after it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.server.db.base import Claim, Store, StoreUnavailable, UnitOfWork
from pulp.server.domain.task import (
    PARKED_BUSY,
    PARKED_OFFLINE,
    PARKED_VERSION,
    QUEUED,
    SENT,
    TaskError,
    TaskRecord,
    TaskState,
)
from pulp.server.tasking.context import AgentGateway, Context
from pulp.server.tasking.deadlines import next_look
from pulp.server.tasking.loop import LONGEST
from pulp.server.tasking.states import Event, move
from pulp.server.tasking.task import AsyncTask, TaskKinds, UnsupportedTask, plainly_ended

log = logging.getLogger(__name__)

BATCH = 200
INTERNAL = TaskError(code="internal", message="The server failed while it ran this task.")


class FIFOQueue:
    def __init__(
        self,
        store: Store,
        kinds: TaskKinds,
        gateway: AgentGateway,
        *,
        wake: Callable[[], None],
        wake_scheduler: Callable[[], None],
    ) -> None:
        """`wake` sets the dispatcher going; both never block and may be called from any thread."""
        self._store = store
        self._kinds = kinds
        self._gateway = gateway
        self.wake = wake
        self._wake_scheduler = wake_scheduler
        self._backlogged: set[str] = set()  # consumers with parked tasks that may be sent
        self._pull: dict[str, None] = {}  # those of them to look at in the next step, in order
        self._cancels: deque[str] = deque()

    # --- for everybody ---

    def enqueue(self, uow: UnitOfWork, record: TaskRecord) -> TaskRecord:
        """Store a new task inside the caller's unit of work; it runs after that commits."""
        uow.after_commit(self.wake)
        if _next_moment(record) - record.created_at < LONGEST:
            uow.after_commit(self._wake_scheduler)  # later ones it finds by itself in time
        return uow.tasks.add(record)

    def find(self, task_id: str) -> TaskRecord | None:
        return self._store.read(lambda uow: uow.tasks.get(task_id))

    def cancel(self, uow: UnitOfWork, record: TaskRecord, *, by: str, now: int) -> TaskRecord:
        """Cancel an open task: at once where no agent can have it, else by a durable request to its agent."""
        if record.call is None and record.accepted_at is None:
            return self.end(
                uow, record, TaskError(code="canceled", message=f"Canceled by {by}."), now
            )
        if record.cancel_requested_at is not None:
            return record

        def ask() -> None:
            self._cancels.append(record.id)
            self.wake()

        uow.after_commit(ask)
        return uow.tasks.save(record.replace(cancel_requested_at=now, cancel_requested_by=by))

    def end(self, uow: UnitOfWork, record: TaskRecord, error: TaskError, now: int) -> TaskRecord:
        """End an open task with an error, through its class's failed(), and store it; call_off() follows after the
        commit."""
        return uow.tasks.save(self._kinds.ended(record, error, Context.of(uow, now)))

    def call_off(self, records: Iterable[TaskRecord]) -> None:
        """Ask the agents that may have the calls of these ended tasks, and are connected, to give them up."""
        for record in records:
            if record.call is not None:
                self._gateway.cancel(record)

    # --- for the dispatcher thread ---

    def pull(self, consumer_id: str) -> None:
        """The consumer can take calls again: it said hello, or it accepted one."""
        self._backlogged.add(consumer_id)
        self._pull[consumer_id] = None

    def has_room(self, consumer_id: str) -> None:
        """An agent may have accepted a call: go on with its backlog, if it has one."""
        if consumer_id in self._backlogged:
            self._pull[consumer_id] = None

    def send_again(self, records: Sequence[TaskRecord]) -> None:
        """The calls of tasks that are stored as sent, and that their agents do not have."""
        self._gateway.send(records)

    def step(self, now: int) -> bool:
        """Do one bounded batch; True when there may be more."""
        self._send_cancels()
        room: dict[str, int] = {}
        looked_at = list(self._pull)
        pulled = self._take_backlogs(room)
        claimed = self._store.read(lambda uow: uow.tasks.claimable(BATCH))
        fresh = [claim for claim in claimed if claim.id not in pulled]
        self._run([*pulled, *self._admit(fresh, room, now)], now)
        for consumer_id in looked_at:
            if (
                room.get(consumer_id) != 0
            ):  # one that was filled is looked at again: some may have been refused
                del self._pull[consumer_id]
        return bool(self._pull) or len(claimed) == BATCH

    def _send_cancels(self) -> None:
        while self._cancels:
            record = self.find(self._cancels.popleft())
            if record is not None and not record.state.final:
                self._gateway.cancel(record)

    def _take_backlogs(self, left: dict[str, int]) -> dict[str, None]:
        """The oldest unsent tasks of the consumers that can take some, parked or not: their order is kept. `left` is told
        how many more each of them can take."""
        runnable: dict[str, None] = {}
        for consumer_id in self._pull:
            room = self._gateway.room(consumer_id)
            if room <= 0:
                continue
            oldest = self._unsent(consumer_id, room)
            if len(oldest) < room:
                self._backlogged.discard(consumer_id)
            left[consumer_id] = room - len(oldest)
            runnable |= dict.fromkeys(record.id for record in oldest)
        return runnable

    def _unsent(self, consumer_id: str, limit: int) -> list[TaskRecord]:
        return self._store.read(lambda uow: uow.tasks.unsent(consumer_id, limit))

    def _admit(self, claimed: list[Claim], room: dict[str, int], now: int) -> list[str]:
        """Those of the claimed tasks that may run now; the others are parked outside the claim index."""
        runnable: list[str] = []
        parked: list[tuple[str, str]] = []
        for claim in claimed:
            reason = self._obstacle(claim.consumer_id, room)
            if reason:
                parked.append((claim.id, reason))
            else:
                runnable.append(claim.id)
        if parked:
            self._store.write(lambda uow: _park(uow, parked, now))
            failpoint("server.park.committed")
        return runnable

    def _obstacle(self, consumer_id: str | None, room: dict[str, int]) -> str:
        if consumer_id is None:
            return ""
        if consumer_id not in room:
            room[consumer_id] = self._gateway.room(consumer_id)
        if room[consumer_id] < 0:
            return PARKED_OFFLINE
        if room[consumer_id] == 0 or consumer_id in self._backlogged:
            self._backlogged.add(consumer_id)
            return PARKED_BUSY
        room[consumer_id] -= 1
        return ""

    def _run(self, task_ids: Iterable[str], now: int) -> None:
        started = [(i, self._store.submit(self._job(i, now))) for i in task_ids]
        sendable = []
        for task_id, future in started:
            record = self._outcome(task_id, future, now)
            if record is not None and record.phase == SENT:
                sendable.append(record)
        if sendable:
            failpoint("server.run.committed")
            self._gateway.send(sendable)

    def _outcome(
        self, task_id: str, future: Future[TaskRecord | None], now: int
    ) -> TaskRecord | None:
        try:
            return future.result()
        except StoreUnavailable:
            raise
        except PulpError as e:
            error = TaskError(code=e.code, message=str(e))
        except Exception:
            log.exception("task failed to run", extra={"task_id": task_id})
            error = INTERNAL
        self._store.write(lambda uow: _end_refused(uow, task_id, error, now))
        failpoint("server.refuse.committed")
        return None

    def _job(self, task_id: str, now: int) -> Callable[[UnitOfWork], TaskRecord | None]:
        return lambda uow: self._run_one(uow, task_id, now)

    def _run_one(self, uow: UnitOfWork, task_id: str, now: int) -> TaskRecord | None:
        """Inside the writing job: read again, run, store the outcome."""
        record = uow.tasks.get(task_id)
        if record is None or not _is_queued(record):
            return None
        try:
            task = self._kinds.load(record)
        except UnsupportedTask as e:
            log.warning(
                "task cannot be run by this server", extra={"task_id": task_id, "why": str(e)}
            )
            return uow.tasks.save(record.replace(parked=PARKED_VERSION, parked_at=now))
        if not isinstance(task, AsyncTask):
            ctx = Context.of(uow, now)
            task.succeeded(ctx, task.run(ctx))
            return uow.tasks.save(task.record)
        return self._fire(uow, task, now)

    def _fire(self, uow: UnitOfWork, task: AsyncTask, now: int) -> TaskRecord:
        proxy = self._gateway.proxy(uow, task.record)
        task.run(Context.of(uow, now, proxy))
        if proxy.decided is None:
            raise RuntimeError(f"{task.kind} decided no call")
        sent = task.record.replace(
            call=proxy.decided,
            state=move(task.record.state, Event.SENT),
            phase=SENT,
            parked="",
            parked_at=None,
            sent_at=now,
        )
        return uow.tasks.save(sent.replace(deadline=next_look(sent)))


def _next_moment(record: TaskRecord) -> int:
    """When the scheduler must look at a new task."""
    moment = record.not_before if record.state is TaskState.SCHEDULED else record.deadline
    return moment or record.created_at


def _park(uow: UnitOfWork, parked: list[tuple[str, str]], now: int) -> None:
    for task_id, reason in parked:
        record = uow.tasks.get(task_id)
        if record is not None and _is_queued(record) and not record.parked:
            uow.tasks.save(record.replace(parked=reason, parked_at=now))


def _is_queued(record: TaskRecord) -> bool:
    return record.state is TaskState.WAITING and record.phase == QUEUED


def _end_refused(uow: UnitOfWork, task_id: str, error: TaskError, now: int) -> None:
    record = uow.tasks.get(task_id)
    if record is not None and not record.state.final:
        uow.tasks.save(plainly_ended(record, error, Context.of(uow, now)))
