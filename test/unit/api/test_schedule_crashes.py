"""A server that dies before or after any commit of the runner, again and again: each occurrence has its one task per consumer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rest_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_world import NOON, OPERATOR, Rest, agent_info

from pulp.common.times import HOUR, MINUTE
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.schedule_runs import ScheduleRunner
from pulp.server.api.schedule_types import ScheduleBody
from pulp.server.db.base import TaskFilter
from pulp.server.domain.schedule import occurrences
from pulp.server.domain.task import TaskState
from pulp.server.tasking.task import TaskKinds

CONSUMERS = ["web1", "web2", "web3"]


class Killed(BaseException):
    """Nothing of the process goes on; what is committed stays."""


class MortalStore:
    """Dies before (-1) or after (+1) a commit, as told."""

    def __init__(self, store: Any, fates: list[int]) -> None:
        self._store = store
        self._fates = fates
        self.read = store.read

    def write(self, job: Callable[[Any], Any]) -> Any:
        fate = self._fates.pop() if self._fates else 0
        if fate < 0:
            raise Killed
        value = self._store.write(job)
        if fate > 0:
            raise Killed
        return value


def start(rest: Rest, fates: list[int]) -> ScheduleRunner:
    """A new process over what the last one left."""
    store: Any = MortalStore(rest.store, fates)
    return ScheduleRunner(store, TaskKinds(TASK_CLASSES), rest.queue)


def end_all(rest: Rest) -> None:
    page = rest.store.read(lambda uow: uow.tasks.page(TaskFilter(), None, 1000))
    for record in page.items:
        if not record.state.final:
            over = {"state": TaskState.FINISHED, "deadline": None, "finished_at": rest.clock.ms}
            rest.change_task(record.id, **over)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pauses=st.lists(st.sampled_from((MINUTE, 2 * MINUTE, 40 * MINUTE)), min_size=1, max_size=12),
    fates=st.lists(st.sampled_from((-1, 0, 0, 1)), max_size=12),
)
def test_none_is_lost_and_none_is_made_twice(pauses: list[int], fates: list[int]) -> None:
    with TemporaryDirectory() as folder, rest_world.rest(Path(folder)) as rest:
        for name in CONSUMERS:
            rest.register(name, agent=agent_info())
        body = ScheduleBody(
            name="hourly",
            action="update-all",
            consumers=CONSUMERS,
            rrule="FREQ=HOURLY",
            dtstart="2027-01-01T00:00",
            zone="UTC",
            missed="once",
        )
        rest.schedules.create(OPERATOR, body)
        runner = start(rest, fates)
        for pause in pauses:
            rest.clock.ms += pause
            try:
                runner.step(rest.clock.ms)
            except Killed:
                runner = start(rest, fates)
            end_all(rest)
        while fates:
            fates.pop()
        start(rest, []).step(rest.clock.ms)
        page = rest.store.read(lambda uow: uow.tasks.page(TaskFilter(), None, 1000))
        made = Counter((r.not_before, r.consumer_id) for r in page.items)
        stored = rest.store.read(lambda uow: uow.schedules.get("hourly"))
        assert stored is not None
        passed = occurrences(stored.recurrence, since=NOON + 1, before=rest.clock.ms + 1)
        assert set(made.values()) <= {1}
        assert len(made) == stored.counts.runs * len(CONSUMERS)
        assert stored.counts.runs + stored.counts.missed == len(list(passed))
        newest = NOON + (rest.clock.ms - NOON) // HOUR * HOUR
        assert newest == NOON or (newest, "web1") in made, (
            "the newest is run, however often it died"
        )
