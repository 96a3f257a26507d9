"""What a request tells its agent of a window's rule and of an override, and that it tells the same however often it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from server_world import DAY, HOUR, START, World

from pulp.common.calendar import Calendar, OneOff
from pulp.common.windows import Window
from pulp.messaging.base import Peer
from pulp.rmi.messages import Override, Request, WireWindow
from pulp.server.domain.task import TaskOverride, TaskState, WindowRule

BEGIN, END = START + HOUR, START + 5 * HOUR
WINDOW = Window(BEGIN, END)
CALENDAR = Calendar(windows=(OneOff(name="nights", begin=BEGIN, end=END),))
NEXT = WindowRule(
    asked="nights",
    names=["nights"],
    calendar=CALENDAR,
    cutoff_at=END - HOUR,
    missed="next",
    expected=600_000,
    predownload=True,
)
GRACE = WindowRule(missed="grace", grace=2 * HOUR, late=END + HOUR, cutoff_at=END - 1)


@pytest.fixture
def peer(world: World) -> Peer:
    world.consumer()
    peer = world.hello()
    world.take_sent()
    return peer


def sent(world: World, **timing: Any) -> Request:
    world.install(window=WINDOW, **timing)
    world.step()
    (request,) = world.take_sent()
    assert isinstance(request, Request)
    return request


def test_the_whole_rule_is_sent_and_named(world: World, peer: Peer):
    request = sent(world, rule=NEXT, expires=END + 30 * DAY)
    assert request.window == WireWindow(
        begin=BEGIN,
        end=END,
        cutoff_at=END - HOUR,
        calendar=CALENDAR,
        missed="next",
        expected=600_000,
        predownload=True,
    )
    assert request.needs == ["window", "window-rule"]
    assert request.expires == END + 30 * DAY


def test_a_grace_is_sent_as_far_as_no_freeze_ends_it(world: World, peer: Peer):
    window = sent(world, rule=GRACE).window
    assert window == WireWindow(begin=BEGIN, end=END, cutoff_at=END - 1, missed="grace", grace=HOUR)


def test_of_a_grace_that_a_freeze_has_taken_nothing_is_said(world: World, peer: Peer):
    rule = WindowRule(missed="grace", grace=2 * HOUR, late=END, cutoff_at=END - 1)
    assert sent(world, rule=rule).window == WireWindow(begin=BEGIN, end=END, cutoff_at=END - 1)


def test_the_calendar_is_sent_only_to_carry_over(world: World, peer: Peer):
    rule = WindowRule(asked="nights", names=["nights"], calendar=CALENDAR, missed="miss")
    request = sent(world, rule=rule)
    assert request.window == WireWindow(begin=BEGIN, end=END)
    assert request.needs == ["window"]


def test_a_wish_to_fetch_ahead_needs_nothing(world: World, peer: Peer):
    request = sent(world, rule=WindowRule(predownload=True))
    assert request.window is not None
    assert request.window.predownload
    assert request.needs == ["window"]


def test_an_override_is_sent_and_named(world: World, peer: Peer):
    override = TaskOverride(reason="CVE-2026-1", by="ada", until=START + HOUR)
    world.install(override=override)
    world.step()
    (request,) = world.take_sent()
    assert request.override == Override(reason="CVE-2026-1", by="ada", until=START + HOUR)
    assert request.needs == ["override"]


def test_it_is_the_same_however_often_it_is_sent(world: World, peer: Peer):
    override = TaskOverride(reason="CVE-2026-1", by="ada", until=START + HOUR)
    world.install(window=WINDOW, rule=NEXT, expires=END + 30 * DAY, override=override)
    world.step()
    (_, first), *_ = world.bus.sent
    world.bus.sent.clear()
    world.pass_time(2 * 60_000)
    (_, again), *_ = world.bus.sent
    assert (again.body, again.correlation_id) == (first.body, first.correlation_id)


def test_a_request_that_was_not_taken_goes_out_with_the_newest_plan(world: World, peer: Peer):
    task_id = world.install(window=WINDOW, rule=NEXT, expires=END + 30 * DAY)
    world.step()
    moved = Window(BEGIN + DAY, END + DAY)
    record = world.task(task_id).replace(window=moved, plan=2)
    world.store.write(lambda uow: uow.tasks.save(record))
    world.take_sent()
    world.pass_time(2 * 60_000)
    (again,) = world.take_sent()
    assert (again.plan, again.window.begin) == (2, BEGIN + DAY)


@pytest.mark.parametrize(
    ("timing", "lacking"),
    [
        ({"window": WINDOW, "rule": NEXT}, "window-rule"),
        ({"override": TaskOverride(reason="r", by="ada", until=END)}, "override"),
    ],
)
def test_an_agent_that_would_ignore_it_is_not_asked(
    world: World, timing: dict[str, Any], lacking: str
):
    world.consumer()
    world.hello(features=["window", "cancel", "query"])
    world.take_sent()
    task_id = world.install(**timing)
    world.step()
    task = world.task(task_id)
    assert task.error is not None
    assert (task.error.code, lacking in task.error.message) == ("unsupported-feature", True)
    assert world.take_sent() == []


def test_what_may_be_carried_over_is_not_missed_when_its_first_opening_is(world: World):
    """A host that is away until its delivery is given up did not miss a window that still comes."""
    world.consumer()
    task_id = world.install(
        window=WINDOW, rule=NEXT, expires=END + 30 * DAY, deliver_within=2 * DAY
    )
    task = world.task(task_id)
    assert (task.accept_by, task.expires) == (START + 2 * DAY, END + 30 * DAY)
    world.pass_time(2 * DAY)
    task = world.task(task_id)
    assert task.error is not None
    assert (task.state, task.error.code) == (TaskState.TIMED_OUT, "accept-timeout")


def test_the_delivery_ends_with_the_last_chance(world: World):
    world.consumer()
    task_id = world.install(window=WINDOW, rule=GRACE, expires=END + HOUR, deliver_within=2 * DAY)
    assert world.task(task_id).accept_by == END + HOUR
    world.pass_time(6 * HOUR)
    assert world.task(task_id).state is TaskState.MISSED
