"""Schedules whose work is done in a named window, when that window is a freeze, is deleted, or comes back."""

from __future__ import annotations

from typing import Any

import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.calendar import Recurring
from pulp.common.errors import InvalidInput
from pulp.common.times import HOUR
from pulp.rmi.versions import FEATURES
from pulp.server.api.errors import Conflict
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.schedule_runs import ScheduleRunner
from pulp.server.api.schedule_types import ScheduleBody, ScheduleView
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.window import NamedWindow, WindowRole
from pulp.server.tasking.task import TaskKinds


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=agent_info(), online=True)


FIRST = NOON + 24 * HOUR  # NOON is 2027-01-15T08:00Z


def store(rest: Rest, name: str = "nights", role: WindowRole = WindowRole.WINDOW) -> None:
    span = Recurring(
        name=name, rrule="FREQ=DAILY", dtstart="2027-01-01T10:00", zone="UTC", duration="2h"
    )
    made = NamedWindow(name=name, role=role, span=span, created_by="admin", created_at=NOON)
    rest.store.write(lambda uow: uow.windows.add(made))


def bind(rest: Rest) -> None:
    agent = agent_info(version="0.2.0", features=sorted(FEATURES))
    rest.change("web1", agent=agent, windows=["nights"])


def create(rest: Rest, name: str = "daily", **changes: Any) -> ScheduleView:
    body = {
        "name": name,
        "action": "update-all",
        "consumers": ["web1"],
        "rrule": "FREQ=DAILY",
        "dtstart": "2027-01-16T08:00",
        "zone": "UTC",
        "window": "nights",
    }
    return rest.schedules.create(OPERATOR, ScheduleBody(**(body | changes)))


def run(rest: Rest, moment: int) -> list[TaskRecord]:
    """All tasks there are after the run of this moment."""
    rest.clock.ms = moment
    ScheduleRunner(rest.store, TaskKinds(TASK_CLASSES), rest.queue).step(moment)
    return rest.store.read(lambda uow: uow.tasks.open_of("web1"))


def test_a_freeze_is_no_window_for_a_schedule(rest: Rest) -> None:
    store(rest, "audit", WindowRole.FREEZE)
    with pytest.raises(InvalidInput, match="is audit, a freeze, in which nothing starts"):
        create(rest, window="audit")


def test_the_window_of_a_schedule_is_deleted_only_by_force(rest: Rest) -> None:
    store(rest)
    for number in range(7):
        create(rest, f"s{number}")
    create(rest, "own", window=None)
    with pytest.raises(Conflict, match=r"schedules s0, s1, s2, s3, s4 and 2 more, .*with force"):
        rest.windows.delete(ADMIN, "nights", force=False)
    rest.windows.delete(ADMIN, "nights", force=True)
    assert rest.windows.list(VIEWER, None, after=None, limit=10).items == []


def test_hosts_and_schedules_that_need_a_window_are_told_together(rest: Rest) -> None:
    store(rest)
    bind(rest)
    create(rest)
    with pytest.raises(Conflict) as refused:
        rest.windows.delete(ADMIN, "nights", force=False)
    assert str(refused.value) == (
        "nights is bound to 1 host, which would go on without it, and is the window of schedule daily, "
        "which would make no tasks any more: unbind it and delete the schedule first, or delete it with force"
    )


def test_a_run_whose_window_was_deleted_says_so_and_the_next_goes_on_with_a_new_one(
    rest: Rest,
) -> None:
    store(rest)
    bind(rest)
    create(rest)
    rest.windows.delete(ADMIN, "nights", force=True)
    assert run(rest, FIRST) == []
    seen = rest.schedules.show(VIEWER, "daily")
    assert seen.problems == {"web1": "window: is nights, and there is no window of this name"}
    assert (seen.enabled, seen.counts.refused) == (True, 1)

    store(rest)
    bind(rest)
    (record,) = run(rest, FIRST + 24 * HOUR)
    assert record.window is not None and record.window.begin == FIRST + 26 * HOUR
    assert rest.schedules.show(VIEWER, "daily").problems == {}
