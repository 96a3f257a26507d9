"""What will run where and when in the days to come, which hosts have no window, and what will not fit."""

from __future__ import annotations

from typing import Any

import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.calendar import OneOff, Recurring, Span
from pulp.common.times import DAY, HOUR, MINUTE, to_ms
from pulp.rmi.versions import FEATURES
from pulp.server.api.errors import NotFound
from pulp.server.api.plan_types import HostPlanView, PlannedView
from pulp.server.api.schedule_types import OwnWindow, ScheduleBody
from pulp.server.api.types import PackagesActionBody
from pulp.server.domain.task import TaskState
from pulp.server.domain.window import NamedWindow, WindowRole

OPENS = NOON + 14 * HOUR  # NOON is 2027-01-15T08:00Z, a Friday
AGENT = agent_info(version="0.2.0", features=sorted(FEATURES))


def nights(duration: str = "4h") -> Recurring:
    return Recurring(
        name="nights",
        rrule="FREQ=DAILY",
        dtstart="2026-12-01T22:00",
        zone="UTC",
        duration=duration,
        cutoff="30m",
    )


def store(rest: Rest, span: Span, role: WindowRole = WindowRole.WINDOW) -> None:
    """It holds everywhere."""
    made = NamedWindow(
        name=span.name, role=role, span=span, created_by="a", created_at=NOON, everywhere=True
    )
    rest.store.write(lambda uow: uow.windows.add(made))


def host(rest: Rest, name: str = "web1", *, days: int = 7) -> HostPlanView:
    (only,) = rest.plan.show(VIEWER, days=days, consumer_id=name, after=None, limit=10).items
    return only


def install(rest: Rest, **body: Any) -> str:
    wanted = PackagesActionBody(**{"packages": ["nginx"]} | body)
    return rest.consumers.install(OPERATOR, "web1", wanted).id


def schedule(rest: Rest, **body: Any) -> None:
    given = {
        "name": "weekly",
        "action": "install",
        "packages": ["nginx"],
        "consumers": ["web1"],
        "rrule": "FREQ=DAILY",
        "dtstart": "2027-01-16T12:00",
        "zone": "UTC",
    }
    rest.schedules.create(ADMIN, ScheduleBody(**given | body))


def times(items: list[PlannedView]) -> list[tuple[int, int | None]]:
    return [(to_ms(i.at), None if i.until is None else to_ms(i.until)) for i in items]


@pytest.fixture
def web1(rest: Rest) -> None:
    rest.register("web1", agent=AGENT)


def test_a_task_is_told_with_its_opening(rest: Rest, web1: None) -> None:
    store(rest, nights())
    task_id = install(rest, window="nights")
    plan = host(rest)
    (item,) = plan.items
    assert (item.task_id, item.kind, item.action, item.state) == (
        task_id,
        "task",
        "install",
        "waiting",
    )
    assert times([item]) == [(OPENS, OPENS + 3 * HOUR + 30 * MINUTE)]
    assert (item.windows, item.expected, item.problem) == (["nights"], "10m", "")
    assert (plan.windows, to_ms(plan.opens) if plan.opens else 0) == (["nights"], OPENS)


def test_a_task_that_was_carried_over_is_told_where_it_is_now(rest: Rest, web1: None) -> None:
    store(rest, nights())
    task_id = install(rest, window="next")
    later = OPENS + DAY
    rest.change_task(task_id, state=TaskState.HELD, phase="", starts=later)
    assert times(host(rest).items) == [(later, later + 3 * HOUR + 30 * MINUTE)]


def test_what_comes_after_these_days_is_not_told(rest: Rest, web1: None) -> None:
    store(rest, OneOff(name="move", begin=NOON + 3 * DAY, end=NOON + 4 * DAY))
    install(rest, window="move")
    assert [len(host(rest, days=days).items) for days in (3, 4)] == [0, 1]


def test_work_outside_of_windows_is_told_as_soon_as_it_may_start(rest: Rest, web1: None) -> None:
    install(rest)
    assert times(host(rest).items) == [(NOON, None)]


def test_hosts_without_a_window_are_named(rest: Rest, web1: None) -> None:
    rest.register("web2", agent=AGENT, enforced=True)
    plans = rest.plan.show(VIEWER, days=7, consumer_id=None, after=None, limit=10).items
    assert [p.consumer_id for p in plans] == ["web1", "web2"]
    assert plans[0].problem == "no window"
    assert "nothing that changes the host can start" in plans[1].problem


def test_hosts_come_page_by_page(rest: Rest, web1: None) -> None:
    rest.register("web2", agent=AGENT)
    first = rest.plan.show(VIEWER, days=7, consumer_id=None, after=None, limit=1)
    rest_ = rest.plan.show(VIEWER, days=7, consumer_id=None, after=first.next, limit=1)
    assert [p.consumer_id for p in first.items + rest_.items] == ["web1", "web2"]
    assert rest_.next is None
    with pytest.raises(NotFound):
        host(rest, "nobody")


def test_the_runs_of_schedules_are_told(rest: Rest, web1: None) -> None:
    schedule(rest, runs=2)
    items = host(rest).items
    due = NOON + 28 * HOUR
    assert times(items) == [(due, None), (due + DAY, None)]
    assert [(i.kind, i.schedule, i.task_id) for i in items] == [("schedule", "weekly", None)] * 2


def test_a_scheduled_run_waits_for_the_next_opening(rest: Rest, web1: None) -> None:
    store(rest, nights())
    schedule(rest, window="nights", runs=1)
    (item,) = host(rest).items
    opens = OPENS + DAY
    assert times([item]) == [(opens, opens + 3 * HOUR + 30 * MINUTE)]
    assert (item.windows, item.problem) == (["nights"], "")


def test_a_run_that_fits_in_no_opening_says_so(rest: Rest, web1: None) -> None:
    store(rest, nights("1h"))
    schedule(rest, window="nights", expected="45m", runs=1)
    (item,) = host(rest).items
    assert item.problem == "it takes 45m, and no opening in these days has more than 30m for it"


def test_a_run_that_does_not_say_how_long_it_takes_fits_as_its_task_will(
    rest: Rest, web1: None
) -> None:
    store(rest, nights("38m"))
    schedule(rest, window="nights", runs=1)
    task_id = install(rest, window="nights")
    items = {i.kind: i for i in host(rest).items}
    assert items["task"].task_id == task_id
    assert [(i.expected, i.problem) for i in items.values()] == [("4m", "")] * 2


def test_a_freeze_cuts_the_own_window_of_a_run(rest: Rest, web1: None) -> None:
    due = NOON + 28 * HOUR
    store(rest, OneOff(name="audit", begin=due, end=due + HOUR), WindowRole.FREEZE)
    schedule(rest, window=OwnWindow(duration="2h"), runs=2)
    schedule(rest, name="short", window=OwnWindow(duration="1h"), runs=1)
    short, long, _ = host(rest).items
    assert short.problem == "the host is frozen as long as its window lasts"
    assert (times([long]), long.problem) == ([(due + HOUR, due + 2 * HOUR)], "")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [({}, True), ({"dry_run": True}, False), ({"action": "refresh", "packages": []}, False)],
)
def test_an_enforced_host_refuses_a_run_in_an_own_window_outside_of_its_own_unless_it_reads(
    rest: Rest, web1: None, changes: dict[str, Any], refused: bool
) -> None:
    store(rest, nights())
    for name, duration in (("noon", "2h"), ("long", "12h")):
        schedule(rest, name=name, window=OwnWindow(duration=duration), runs=1, **changes)
    schedule(rest, name="none", runs=1, **changes)
    rest.change("web1", enforced=True)
    problems = {i.schedule: i.problem for i in host(rest).items}
    assert problems["long"] == ""
    assert ("none of them is open" in problems["noon"]) is refused
    assert ("for none of them" in problems["none"]) is refused


def test_what_would_not_be_done_after_what_comes_before_it_says_so(rest: Rest, web1: None) -> None:
    store(rest, nights("1h"))
    ids = [install(rest, window="nights", expected="12m") for _ in range(3)]
    items = host(rest).items
    assert [i.task_id for i in items] == ids
    assert [bool(i.problem) for i in items] == [False, False, True]
    assert "with what comes before it would not be done before" in items[2].problem


def test_a_run_on_an_enforced_host_that_is_for_no_window_says_so(rest: Rest, web1: None) -> None:
    store(rest, nights())
    schedule(rest, runs=1)
    rest.change("web1", enforced=True)
    (item,) = host(rest).items
    assert "enforced" in item.problem


def test_a_run_for_a_window_that_the_host_has_not_says_so(rest: Rest, web1: None) -> None:
    store(rest, nights())
    schedule(rest, window="nights", runs=1)
    rest.store.write(lambda uow: uow.windows.remove("nights"))
    (item,) = host(rest).items
    assert item.problem == "the host has no window nights"


def test_freezes_count(rest: Rest, web1: None) -> None:
    store(rest, nights())
    store(rest, OneOff(name="audit", begin=NOON, end=NOON + 9 * DAY), WindowRole.FREEZE)
    schedule(rest, window="next", runs=1)
    plan = host(rest)
    assert plan.opens is None
    assert plan.items[0].problem == "none of its windows opens in these days"


def test_what_is_called_off_says_so(rest: Rest, web1: None) -> None:
    store(rest, nights())
    task_id = install(rest, window="next")
    rest.change_task(task_id, state=TaskState.HELD, phase="", cancel_requested_at=NOON)
    assert "called off" in host(rest).items[0].problem


def test_an_opening_that_is_over_and_of_which_nothing_is_heard_says_so(
    rest: Rest, web1: None
) -> None:
    store(rest, OneOff(name="move", begin=NOON + HOUR, end=NOON + 2 * HOUR))
    task_id = install(rest, window="move")
    rest.change_task(task_id, state=TaskState.HELD, phase="", starts=NOON + HOUR)
    rest.clock.go(3 * HOUR)
    assert "is over since" in host(rest).items[0].problem
