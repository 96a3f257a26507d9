"""Rules about schedules: one task for each host of each run, none while the one before is open, and no occurrence is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulp.server.db.base import UnitOfWork
from pulp.server.domain.schedule import occurrences
from pulp.server.domain.task import TaskRecord
from sim.rules import Rules


class ScheduleChecks(Rules):
    def scheduled(self, uow: UnitOfWork, record: TaskRecord) -> None:
        """A task of a schedule is seen for the first time: what the schedule has made counts as acknowledged."""
        if not record.requested_by.startswith("schedule:"):
            return
        self.acknowledged[record.id] = record.requested_by
        for other in self.tasks.values():
            same = (other.requested_by, other.consumer_id) == (
                record.requested_by,
                record.consumer_id,
            )
            if not same or other.id == record.id:
                continue
            if other.not_before == record.not_before:
                self.broken("2 one task for each host of a run", other, record)
            stored = uow.tasks.get(other.id)
            if stored is not None and not stored.state.final and record.retry_of is None:
                self.broken("6 a run that is open is not doubled", stored, record)

    def runs_counted(self, uow: UnitOfWork) -> Iterator[tuple[str, Any]]:
        """Once all is quiet: each occurrence until now was run, or is counted as missed."""
        for schedule in uow.schedules.page(None, 1000).items:
            since = schedule.created_at
            until = self.world.now if schedule.next_due is None else schedule.next_due
            owed = len(list(occurrences(schedule.recurrence, since=since, before=until)))
            told = schedule.counts.runs + schedule.counts.missed
            stopped = schedule.why_disabled and "no later time" not in schedule.why_disabled
            if told != owed and not (stopped and told < owed):
                yield "6 no occurrence is lost", (schedule, owed)
