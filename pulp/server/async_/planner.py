"""The Planner: plans anew what waits for windows on hosts whose calendar has changed. One bounded step at a time; a host stays
marked until all of its tasks are done, so that a crash between any two units of work loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec

from pulp.common.failpoints import failpoint
from pulp.server.db.base import Store, StoreUnavailable, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskError, TaskRecord, WindowRule
from pulp.server.domain.window import NamedWindow
from pulp.server.tasking.context import Context
from pulp.server.tasking.opening import Refused
from pulp.server.tasking.replanning import movable, planned_anew, why_void
from pulp.server.tasking.task import TaskKinds, plainly_ended

log = logging.getLogger(__name__)

BATCH = 50
"""Hosts of one step."""
CHUNK = 50
"""Tasks of one unit of work."""

Tell = Callable[[str], None]
"""The agent of the task with this id must hear of its new plan. Called after the commit, on the store's thread."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some tasks of one host."""

    consumer_id: str
    task_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Host:
    """A marked host, the keep_plan it is planned by, its mark, and those of its tasks that another plan can be made for."""

    consumer_id: str
    keep_plan: int
    replanned: int
    task_ids: Sequence[str]

    def chunks(self) -> list[_Chunk]:
        begins = range(0, len(self.task_ids), CHUNK)
        return [_Chunk(self.consumer_id, self.task_ids[at : at + CHUNK]) for at in begins]


class Planner:
    def __init__(self, store: Store, kinds: TaskKinds, tell: Tell) -> None:
        self._store = store
        self._kinds = kinds
        self._tell = tell

    def step(self, now: int) -> int | None:
        """Plan for one batch of hosts. `now` if there may be more, None if there is none."""
        hosts = self._store.read(_marked)
        if not hosts:
            return None
        chunks = [chunk for host in hosts for chunk in host.chunks()]
        planning = [(c, self._store.submit(self._job(c, now, plainly=False))) for c in chunks]
        for chunk, future in planning:
            self._outcome(chunk, future, now)
        failpoint("server.replan.committed")
        self._store.write(lambda uow: _unmark(uow, hosts))
        failpoint("server.replan.noted")
        return now if len(hosts) == BATCH else None

    def _outcome(self, chunk: _Chunk, future: Future[None], now: int) -> None:
        """A class whose own code raises ends its tasks without it; tasks that cannot be planned keep no others waiting."""
        try:
            future.result()
            return
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a plan could not be changed", extra={"consumer_id": chunk.consumer_id})
        try:
            self._store.write(self._job(chunk, now, plainly=True))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("plans stay as they were", extra={"consumer_id": chunk.consumer_id})

    def _job(self, chunk: _Chunk, now: int, *, plainly: bool) -> Callable[[UnitOfWork], None]:
        def job(uow: UnitOfWork) -> None:
            consumer = uow.consumers.get(chunk.consumer_id)
            if consumer is not None:
                anew = _Anew(self._kinds, uow, consumer, now, self._tell, plainly=plainly)
                for task_id in chunk.task_ids:
                    anew.plan(task_id)

        return job


def _marked(uow: UnitOfWork) -> list[_Host]:
    found = (uow.consumers.get(each) for each in uow.consumers.to_replan(BATCH))
    return [
        _Host(c.id, c.keep_plan, c.replanned, [r.id for r in uow.tasks.open_of(c.id) if movable(r)])
        for c in found
        if c is not None
    ]


def _unmark(uow: UnitOfWork, hosts: Sequence[_Host]) -> None:
    """A change that came meanwhile has a higher plan number, and a task that can be moved only now has left another mark: both
    are done in the next step."""
    for host in hosts:
        consumer = uow.consumers.get(host.consumer_id)
        if consumer is not None and consumer.replanned == host.replanned:
            uow.consumers.save(consumer.replace(replanned=host.keep_plan))


class _Anew:
    """One host's tasks, inside a writing job."""

    def __init__(
        self,
        kinds: TaskKinds,
        uow: UnitOfWork,
        consumer: Consumer,
        now: int,
        tell: Tell,
        *,
        plainly: bool,
    ) -> None:
        self._kinds = kinds
        self._uow = uow
        self._consumer = consumer
        self._windows: list[NamedWindow] = uow.windows.of(consumer)
        self._now = now
        self._tell = tell
        self._plainly = plainly

    def plan(self, task_id: str) -> None:
        record = self._uow.tasks.get(task_id)
        if record is None or not movable(record):
            return
        anew = planned_anew(record, self._consumer, self._windows, self._now)
        if isinstance(anew, Refused):
            self._void(record, anew)
        elif anew is not None:
            self._uow.tasks.save(anew)
            if anew.plan > record.plan:
                self._uow.after_commit(lambda: self._tell(task_id))

    def _void(self, record: TaskRecord, refused: Refused) -> None:
        """Missed at once where no agent can have it, else when its agent confirms that it has given it up."""
        rule = record.rule or WindowRule()
        why = why_void(rule, self._consumer, self._windows, refused)
        if record.call is None and record.accepted_at is None:
            self._miss(record, TaskError(code="window-missed", message=why))
            return
        void = msgspec.structs.replace(rule, void=why)
        self._uow.tasks.save(record.replace(rule=void, cancel_requested_at=self._now))
        self._uow.after_commit(lambda: self._tell(record.id))

    def _miss(self, record: TaskRecord, error: TaskError) -> None:
        ended = plainly_ended if self._plainly else self._kinds.ended
        self._uow.tasks.save(ended(record, error, Context.of(self._uow, self._now)))
