"""Changed plans that cross what an agent says: nothing goes by an old plan for ever, in whatever order both come."""

from __future__ import annotations

from typing import Any

import pytest
from changing_plans import LATER, NIGHT, Plans
from server_world import DAY, HOUR, Install, World

from pulp.common.calendar import Recurring
from pulp.messaging.base import Peer
from pulp.rmi.interfaces import PackageSpec
from pulp.rmi.messages import Accepted, CallStatus, Cancel, Replan, Started, TooLate
from pulp.rmi.versions import FEATURES
from pulp.server.async_.planner import Planner
from pulp.server.domain.task import TaskState
from pulp.server.tasking.context import Context


def replans(world: World) -> list[int]:
    return [m.plan for m in world.take_sent() if isinstance(m, Replan)]


def test_what_is_held_again_while_its_host_is_planned_anew_is_not_forgotten(
    world: World, plans: Plans, peer: Peer, monkeypatch: pytest.MonkeyPatch
):
    plans.put("nights", NIGHT)
    task_id, other = plans.held(peer), plans.held(peer)
    world.reply(peer, Started(id=task_id, at=NIGHT))
    plans.put("nights", LATER)
    outcome = Planner._outcome

    def and_held_again(self: Planner, *about: Any) -> None:
        outcome(self, *about)
        monkeypatch.undo()
        world.reply(peer, Accepted(id=task_id, state="held", starts=NIGHT + HOUR))

    monkeypatch.setattr(Planner, "_outcome", and_held_again)
    world.plan()
    world.plan()
    assert [(plans.task(i).window or pytest.fail()).begin for i in (other, task_id)] == [LATER] * 2


def test_a_plan_that_came_too_late_is_told_again_when_the_call_is_held_again(
    world: World, plans: Plans, peer: Peer
):
    """It had begun when it was moved, which nobody knew here; then it was too late in its opening."""
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.put("nights", LATER)
    world.plan()
    assert replans(world) == [2]
    world.reply(peer, Started(id=task_id, at=NIGHT), TooLate(id=task_id, of="replan"))
    assert replans(world) == []
    world.reply(peer, Accepted(id=task_id, state="held", starts=NIGHT + HOUR))
    world.plan()
    assert replans(world) == [2]


@pytest.mark.parametrize("away", [False, True])
def test_a_cancel_that_came_too_late_is_asked_again_when_the_call_is_held_again(
    world: World, plans: Plans, peer: Peer, away: bool
):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    world.reply(peer, Started(id=task_id, at=NIGHT))
    world.cancel(task_id)
    world.reply(peer, TooLate(id=task_id, of="cancel"))
    world.take_sent()
    if away:
        world.hello(calls=[CallStatus(task_id, "held")])
    else:
        world.reply(peer, Accepted(id=task_id, state="held", starts=LATER))
    assert [m.id for m in world.take_sent() if isinstance(m, Cancel)] == [task_id]
    assert not plans.task(task_id).cancel_refused


NIGHTLY = Recurring(
    name="nights", rrule="FREQ=DAILY", dtstart="2027-01-01T22:00", zone="host", duration="2h"
)


@pytest.mark.parametrize("first", ["the host", "the window"])
def test_what_counts_in_the_hosts_zone_moves_with_it(world: World, first: str):
    """Also where the window was there before the host, and nothing has changed since."""
    plans = Plans(world)
    if first == "the host":
        world.consumer()
    plans.put_span(NIGHTLY)
    if first == "the window":
        world.consumer()
    world.plan()
    peer = world.hello(timezone="UTC")
    world.plan()
    task_id = plans.held(peer)
    begin = (plans.task(task_id).window or pytest.fail()).begin
    world.hello(timezone="Europe/Berlin", calls=[CallStatus(task_id, "held")])
    world.plan()
    assert (plans.task(task_id).window or pytest.fail()).begin == begin - HOUR
    assert replans(world) == [2]


@pytest.mark.parametrize("zone", ["", "Mars/Base"])
def test_a_zone_that_is_not_known_here_calls_nothing_off(world: World, zone: str):
    """The host has lost its setting, or its zone database is newer: nothing is known of its openings until it says more."""
    plans = Plans(world)
    world.consumer()
    plans.put_span(NIGHTLY)
    task_id = plans.held(world.hello(timezone="UTC"))
    world.plan()
    before = plans.task(task_id)
    world.hello(timezone=zone, calls=[CallStatus(task_id, "held")])
    world.plan()
    assert plans.task(task_id) == before
    world.hello(timezone="Europe/Berlin", calls=[CallStatus(task_id, "held")])
    world.plan()
    assert plans.task(task_id).plan == 2


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_agent_that_cannot_keep_to_enforced_windows_is_not_sent_what_changes_its_host(
    world: World, plans: Plans, dry_run: bool
):
    """It was asked for before the windows were enforced, or before that agent came in the place of a newer one."""
    world.build([InstallDry if dry_run else Install])
    task_id = world.enqueue(InstallDry if dry_run else Install, "web1", "nginx")
    plans.enforce(True)
    world.hello(features=sorted(FEATURES - {"enforced-windows"}))
    task = plans.task(task_id)
    assert world.requests() == ([task_id] if dry_run else [])
    if not dry_run:
        assert (task.state, task.error.code if task.error else "") == (
            TaskState.ERROR,
            "unsupported-feature",
        )


class InstallDry(Install):
    def run(self, ctx: Context) -> None:
        assert ctx.agent is not None
        specs = [PackageSpec(name=name) for name in self.args.names]
        ctx.agent.packages.install(specs, dry_run=True)


def test_work_that_is_called_off_and_was_never_taken_says_why_it_is_missed(
    world: World, plans: Plans, peer: Peer
):
    """The request or its answer was lost, and the host has not come back."""
    plans.put("nights", NIGHT)
    task_id = plans.install()
    world.step()
    plans.remove("nights")
    world.plan()
    world.pass_time(DAY)
    task = plans.task(task_id)
    assert (task.state, task.error.code if task.error else "") == (
        TaskState.MISSED,
        "window-missed",
    )
    assert "Window nights was deleted" in (task.error.message if task.error else "")
