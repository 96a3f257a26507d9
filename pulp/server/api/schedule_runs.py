"""ScheduleRunner: makes the tasks of schedules at their time. One commit holds a run's tasks and the schedule's next moment, so a
server that dies makes none twice and loses none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.common.times import LAST
from pulp.common.windows import Window
from pulp.server.api.planning import Asked
from pulp.server.api.ports import Queue
from pulp.server.api.tasks import TaskApi
from pulp.server.db.base import Page, Store, StoreError, UnitOfWork
from pulp.server.domain.schedule import (
    Schedule,
    Turn,
    after_run,
    disabled,
    has_failed_enough,
    judged,
    mended,
    passed_over,
    task_id,
    turn,
)
from pulp.server.domain.task import TaskRecord, TaskState
from pulp.server.tasking.task import TaskKinds
from pulp.server.tasking.wanted import Wanted

log = logging.getLogger(__name__)

BATCH = 20
PAGE = 100


class ScheduleRunner:
    def __init__(self, store: Store, kinds: TaskKinds, queue: Queue) -> None:
        self._store = store
        self._kinds = kinds
        self._queue = queue
        self._looked_at = LAST

    def step(self, now: int) -> int | None:
        """Run what is due, one bounded batch. The moment (ms UTC) of the next work, `now` if more is due already, None if there
        is none in sight."""
        if now < self._looked_at:  # at the start, and whenever the clock went back
            self._mend(now)
        self._looked_at = now
        due = self._store.read(lambda uow: uow.schedules.due(now, BATCH))
        for name in due:
            self._turn(name, now)
        return now if len(due) == BATCH else self._store.read(lambda uow: uow.schedules.next_due())

    def _mend(self, now: int) -> None:
        """A clock that was far ahead has left due times behind that are as far."""
        after: str | None = None
        while True:
            page = self._store.read(partial(_page, after=after))
            for each in page.items:
                if mended(each, now) is not None:
                    self._store.write(partial(_mend, name=each.name, now=now))
            if page.next is None:
                return
            after = page.next

    def _turn(self, name: str, now: int) -> None:
        """A schedule that cannot be run is disabled and says why, so that it keeps no other one waiting."""
        try:
            self._store.write(lambda uow: self._run(uow, name, now))
        except StoreError:
            raise
        except PulpError as error:
            why = f"It cannot be run: {error}"
            self._store.write(lambda uow: _give_up(uow, name, why))
        except Exception:
            log.exception("a schedule failed to run", extra={"schedule": name})
            why = "The server failed while it ran this schedule; its log tells more."
            self._store.write(lambda uow: _give_up(uow, name, why))
        failpoint("server.schedule.committed")

    def _run(self, uow: UnitOfWork, name: str, now: int) -> None:
        """Inside the writing job: read again, make the run's tasks, store when the next one is due."""
        schedule = uow.schedules.get(name)
        turned = turn(schedule, now) if schedule is not None else None
        if schedule is None or turned is None:
            return
        weighed = judged(schedule, _ended(uow, schedule))
        if has_failed_enough(weighed):
            why = f"Its last {weighed.failures} runs failed, and its failure_threshold is {weighed.failure_threshold}."
            uow.schedules.save(disabled(weighed, why))
        elif turned.run is None:
            uow.schedules.save(passed_over(weighed, turned))
        else:
            uow.schedules.save(self._ran(uow, weighed, turned, turned.run, now))

    def _ran(
        self, uow: UnitOfWork, schedule: Schedule, turned: Turn, due: int, now: int
    ) -> Schedule:
        made: dict[str, str] = {}
        problems: dict[str, str] = {}
        run = _Run(schedule, due, now)
        for consumer_id in schedule.consumers:
            if consumer_id in schedule.last_tasks:
                continue  # still open: it is not doubled
            try:
                made[consumer_id] = self._make(uow, run, consumer_id)
            except StoreError:
                raise
            except PulpError as error:
                problems[consumer_id] = str(error)
        return after_run(schedule, turned, made=made, problems=problems)

    def _make(self, uow: UnitOfWork, run: _Run, consumer_id: str) -> str:
        """The id of the consumer's task of this run, which a restored store may have already."""
        made = task_id(run.schedule, consumer_id, run.due)
        if uow.tasks.get(made) is None:
            self._queue.enqueue(uow, run.task(uow, self._kinds, consumer_id))
        return made


@dataclass(frozen=True, slots=True)
class _Run:
    """One occurrence of a schedule, at the moment when its tasks are made."""

    schedule: Schedule
    due: int
    now: int

    def task(self, uow: UnitOfWork, kinds: TaskKinds, consumer_id: str) -> TaskRecord:
        """UnsupportedTask when this server cannot run what the schedule was made with; what TaskApi.timing_of() refuses."""
        schedule = self.schedule
        task = kinds.load(_prototype(schedule, consumer_id))
        record = task.new(
            task.args,
            consumer_id=consumer_id,
            requested_by=schedule.originator,
            now=self.now,
            timing=TaskApi.timing_of(
                uow, task, self._asked(), by=schedule.originator, now=self.now
            ),
        )
        return record.replace(id=task_id(schedule, consumer_id, self.due))

    def _asked(self) -> Asked:
        return Asked(
            not_before=self.due,
            wanted=self._wanted(),
            expected=self.schedule.expected,
            insists=self.schedule.expected is not None,
            deliver_within=self.schedule.deliver_within,
            timeout=self.schedule.timeout,
        )

    def _wanted(self) -> Wanted | None:
        schedule = self.schedule
        if schedule.open_for is None and not schedule.window:
            return None
        own = Window(self.due, self.due + schedule.open_for) if schedule.open_for else None
        return Wanted(
            asked=schedule.window,
            window=own,
            missed=schedule.window_missed,
            grace=schedule.grace,
            predownload=schedule.predownload,
        )


def _prototype(schedule: Schedule, consumer_id: str) -> TaskRecord:
    """What is stored with the schedule, in the shape in which stored work is read and lifted."""
    return TaskRecord(
        id=schedule.id,
        kind=schedule.kind,
        version=schedule.version,
        args=schedule.args,
        requested_by=schedule.originator,
        created_at=schedule.created_at,
        consumer_id=consumer_id,
        accept_by=0,
        expires=0,
        timeout=schedule.timeout,
    )


def _ended(uow: UnitOfWork, schedule: Schedule) -> dict[str, TaskState | None]:
    """How the tasks of earlier runs ended, by consumer, without those that are open. None: it is no more."""
    records = {name: uow.tasks.get(task) for name, task in schedule.last_tasks.items()}
    return {
        name: record.state if record else None
        for name, record in records.items()
        if record is None or record.state.final
    }


def _page(uow: UnitOfWork, after: str | None) -> Page[Schedule]:
    return uow.schedules.page(after, PAGE)


def _mend(uow: UnitOfWork, name: str, now: int) -> None:
    schedule = uow.schedules.get(name)
    right = mended(schedule, now) if schedule is not None else None
    if right is not None:
        uow.schedules.save(right)


def _give_up(uow: UnitOfWork, name: str, why: str) -> None:
    schedule = uow.schedules.get(name)
    if schedule is not None:
        uow.schedules.save(disabled(schedule, why))
