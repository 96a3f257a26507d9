"""The scheduler: promotes tasks whose start time is reached and ends those whose deadline has passed. One bounded step at a
time; a thin loop in bootstrap gives it the clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future

from pulp.common.failpoints import failpoint
from pulp.common.times import format_time
from pulp.server.db.base import Store, StoreUnavailable, UnitOfWork
from pulp.server.domain.task import (
    PARKED_VERSION,
    QUEUED,
    REBOOTING,
    SENT,
    TaskError,
    TaskRecord,
    TaskState,
)
from pulp.server.tasking.context import AgentGateway, Context
from pulp.server.tasking.restarts import not_back
from pulp.server.tasking.states import Event, move
from pulp.server.tasking.task import TaskKinds, plainly_ended

log = logging.getLogger(__name__)

BATCH = 200


class Scheduler:
    def __init__(
        self,
        store: Store,
        kinds: TaskKinds,
        gateway: AgentGateway,
        wake: Callable[[], None],
        *,
        patient_until: int = 0,
    ) -> None:
        """`wake` tells the queue that tasks became due. Until `patient_until` (ms UTC) no sent call is said not to be
        taken, and no host not to be back: after a start of the server its agent may have it, and could not say so yet."""
        self._store = store
        self._kinds = kinds
        self._gateway = gateway
        self._wake = wake
        self._patient_until = patient_until

    def step(self, now: int) -> int | None:
        """Promote and end one batch each. The moment (ms UTC) of the next work, `now` if more is due already, None if there
        is none in sight."""
        due = self._store.read(lambda uow: uow.tasks.due(now, BATCH))
        if due:
            self._store.write(lambda uow: _promote(uow, due, now))
            failpoint("server.promote.committed")
            self._wake()
        overdue = self._store.read(lambda uow: uow.tasks.overdue(now, BATCH))
        self._end([record.id for record in overdue], now)
        if len(due) == BATCH or len(overdue) == BATCH:
            return now
        return self._store.read(lambda uow: uow.tasks.next_moment())

    def _end(self, task_ids: list[str], now: int) -> None:
        ending = [(i, self._store.submit(self._job(i, now, plainly=False))) for i in task_ids]
        for task_id, future in ending:
            record = self._outcome(task_id, future, now)
            failpoint("server.deadline.committed")
            if record is not None:
                self._gateway.cancel(record)

    def _outcome(
        self, task_id: str, future: Future[TaskRecord | None], now: int
    ) -> TaskRecord | None:
        """The task as it was before it ended, if its agent may still have the call."""
        try:
            return future.result()
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a task's own end failed", extra={"task_id": task_id})
            return self._store.write(self._job(task_id, now, plainly=True))

    def _job(
        self, task_id: str, now: int, *, plainly: bool
    ) -> Callable[[UnitOfWork], TaskRecord | None]:
        ended = plainly_ended if plainly else self._kinds.ended

        def job(uow: UnitOfWork) -> TaskRecord | None:
            record = uow.tasks.get(task_id)
            if record is None or record.deadline is None or record.deadline > now:
                return None
            if record.phase in (SENT, REBOOTING) and now < self._patient_until:
                uow.tasks.save(record.replace(deadline=self._patient_until))
                return None
            uow.tasks.save(ended(record, _why(uow, record, now), Context.of(uow, now)))
            return record if record.phase == SENT else None

        return job


def _promote(uow: UnitOfWork, due: list[TaskRecord], now: int) -> None:
    for found in due:
        record = uow.tasks.get(found.id)
        if record is not None and record.state is TaskState.SCHEDULED:
            state = move(record.state, Event.DUE)
            uow.tasks.save(record.replace(state=state, phase=QUEUED))


def _why(uow: UnitOfWork, record: TaskRecord, now: int) -> TaskError:
    if record.phase != REBOOTING:
        return why_overdue(record, now)
    return not_back(record, uow.consumers.get(record.consumer_id or ""))


def why_overdue(record: TaskRecord, now: int) -> TaskError:
    """The error of an open task whose deadline has passed."""
    if record.parked == PARKED_VERSION:
        return _never_run(record)
    if record.state not in (TaskState.SCHEDULED, TaskState.WAITING):
        return TaskError(
            code="lost",
            message="The agent took this call and did not report its end within a day of the last deadline.",
        )
    if record.rule is not None and record.rule.void:
        message = f"{record.rule.void} The agent has not answered."
        return TaskError(code="window-missed", message=message)
    if record.window is not None and now >= record.expires:
        return TaskError(
            code="window-missed",
            message=f"The window closed at {format_time(record.window.end)} before the agent could take the call.",
        )
    return TaskError(
        code="accept-timeout",
        message=f"The agent did not take the call by {format_time(record.accept_by)}.",
    )


def _never_run(record: TaskRecord) -> TaskError:
    """No server that can run it came in time. What the agent answered is what happened, and is kept."""
    what = f"This server cannot run {record.kind} version {record.version}, and was not upgraded"
    if record.answer is None:
        by = format_time(record.accept_by)
        return TaskError(code=PARKED_VERSION, message=f"{what} by {by}; nothing was sent.")
    return TaskError(
        code=PARKED_VERSION,
        message=f"{what} in time; what the agent answered is in the details.",
        details=record.answer,
    )
