"""Hosts' calendars change: their agents are told, what waits for a window is planned anew, and what has none left is missed."""

from __future__ import annotations

from typing import Any

import pytest
from changing_plans import LATER, NIGHT, Plans
from server_world import DAY, HOUR, RESULT, World

from pulp.common.calendar import OneOff
from pulp.common.times import to_ms
from pulp.common.windows import Window
from pulp.messaging.base import Peer
from pulp.rmi.messages import (
    Accepted,
    CallStatus,
    Cancel,
    Canceled,
    Keep,
    Query,
    Replan,
    Request,
    Started,
    Succeeded,
    TooLate,
    Unknown,
)
from pulp.rmi.versions import FEATURES
from pulp.server.api.types import WaitingForView
from pulp.server.async_.planner import Planner
from pulp.server.db.base import StoreUnavailable, UnitOfWork
from pulp.server.domain.task import TaskState as S
from pulp.server.domain.user import Principal, Role


def begins(told: Keep) -> list[int]:
    assert told.calendar is not None
    return [span.begin for span in told.calendar.windows if isinstance(span, OneOff)]


# --- keep ---


def test_a_host_without_any_calendar_is_told_of_none(world: World, peer: Peer):
    assert not [m for m in world.take_sent() if isinstance(m, Keep)]


def test_every_welcome_is_followed_by_the_hosts_calendar(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    plans.enforce(True)
    world.take_sent()
    for _ in range(2):
        world.hello()
        welcome, keep = world.take_sent()
        assert isinstance(keep, Keep), welcome
        assert (keep.plan, keep.enforced, begins(keep)) == (2, True, [NIGHT])


def test_a_connected_host_is_told_at_every_change(world: World, plans: Plans, peer: Peer):
    world.take_sent()
    plans.put("nights", NIGHT)
    world.step()
    plans.enforce(True)
    plans.put("nights", LATER)
    world.step()
    told = [m for m in world.take_sent() if isinstance(m, Keep)]
    assert [(k.plan, k.enforced, begins(k)) for k in told] == [
        (1, False, [NIGHT]),
        (3, True, [LATER]),
    ]


def test_a_host_that_is_let_free_is_told_so_at_every_welcome(
    world: World, plans: Plans, peer: Peer
):
    plans.enforce(True)
    plans.enforce(False)
    world.hello()
    (keep,) = [m for m in world.take_sent() if isinstance(m, Keep)]
    assert (keep.plan, keep.enforced) == (2, False)


def test_an_agent_that_cannot_keep_windows_is_not_told(world: World, plans: Plans):
    plans.enforce(True)
    world.hello(features=sorted(FEATURES - {"enforced-windows"}))
    plans.enforce(False)
    world.step()
    assert not [m for m in world.take_sent() if isinstance(m, Keep)]


def test_a_request_that_was_planned_by_a_calendar_comes_after_it(
    world: World, plans: Plans, peer: Peer
):
    """Also where the dispatcher has just been through the news: the agent would refuse it as outside of its windows."""
    plans.enforce(True)
    world.step()
    world.take_sent()
    plans.put("nights", NIGHT)
    plans.install()
    world.queue.step(world.now)
    keep, request = world.take_sent()
    assert isinstance(keep, Keep)
    assert isinstance(request, Request)


def test_another_zone_of_the_host_is_a_new_plan(world: World, plans: Plans):
    plans.put("nights", NIGHT)
    for zone in ("UTC", "Europe/Berlin", "Europe/Berlin"):
        world.hello(timezone=zone)
    assert [m.plan for m in world.take_sent() if isinstance(m, Keep)] == [2, 3, 3]


# --- replan ---


def test_a_held_call_is_moved_with_its_window(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.put("nights", LATER)
    world.plan()
    told = [m for m in world.take_sent() if isinstance(m, Replan)]
    task = plans.task(task_id)
    assert task.window is not None
    assert (task.window.begin, task.plan) == (LATER, 2)
    assert [(m.plan, m.window.begin if m.window else 0, m.expires) for m in told] == [
        (2, LATER, task.expires)
    ]
    assert task.deadline is not None
    assert task.deadline > task.expires + task.timeout


def test_a_freeze_moves_what_is_held_and_its_end_moves_it_back(
    world: World, plans: Plans, peer: Peer
):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.freeze("release", NIGHT - HOUR, 2 * HOUR)
    world.plan()
    moved = plans.task(task_id)
    plans.remove("release")
    world.plan()
    back = plans.task(task_id)
    assert [t.window.begin for t in (moved, back) if t.window] == [NIGHT + HOUR, NIGHT]
    assert [m.plan for m in world.take_sent() if isinstance(m, Replan)] == [2, 3]


def test_what_is_not_touched_is_left_alone(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    plans.put("days", LATER)
    before = plans.task(plans.held(peer))
    plans.put("days", LATER + HOUR)
    world.plan()
    assert plans.task(before.id) == before
    assert not [m for m in world.take_sent() if isinstance(m, Replan)]


def test_what_is_not_sent_yet_goes_out_with_the_newest_plan(world: World, plans: Plans):
    plans.put("nights", NIGHT)
    task_id = plans.install()
    world.step()
    plans.put("nights", LATER)
    world.plan()
    world.hello()
    (request,) = [m for m in world.take_sent() if isinstance(m, Request)]
    assert (request.id, request.plan) == (task_id, 1)
    assert request.window is not None
    assert request.window.begin == LATER


def test_a_changed_plan_is_sent_again_at_every_hello(world: World, plans: Plans, peer: Peer):
    """The server died between the commit and the sending, or the host was away."""
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.put("nights", LATER)
    world.planner.step(world.now)
    world.build()
    for _ in range(2):
        world.hello(calls=[CallStatus(task_id, "held")])
        told = world.take_sent()
        assert [m.plan for m in told if isinstance(m, Replan)] == [2]
        assert not [m for m in told if isinstance(m, Request | Query)]


def test_a_mark_outlives_the_server(world: World, plans: Plans, peer: Peer):
    """It died before anything was planned anew."""
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.put("nights", LATER)
    world.build()
    world.plan()
    assert (plans.task(task_id).window or pytest.fail()).begin == LATER


def test_a_call_that_the_agent_was_not_sent_yet_by_this_connection_is_not_moved_there(
    world: World, plans: Plans, peer: Peer
):
    """It would answer that it does not know the call, and be sent it beside its turn."""
    plans.put("nights", NIGHT)
    task_id = plans.install()
    world.step()
    world.hello()
    session = world.sessions.of("web1")
    assert session is not None
    session.unaccepted.clear()  # as of those beyond the first 32
    world.take_sent()
    plans.put("nights", LATER)
    world.plan()
    assert [type(m) for m in world.take_sent()] == [Keep]
    assert plans.task(task_id).plan == 2


def test_too_late_to_a_new_plan_changes_nothing(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    world.cancel(task_id)
    before = plans.task(task_id)
    world.reply(peer, TooLate(id=task_id, of="replan"))
    assert plans.task(task_id) == before
    world.reply(peer, TooLate(id=task_id, of="cancel"))
    assert plans.task(task_id).cancel_refused


def test_what_runs_is_left_alone_and_planned_anew_when_it_is_held_again(
    world: World, plans: Plans, peer: Peer
):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    world.reply(peer, Started(id=task_id, at=NIGHT))
    plans.put("nights", LATER)
    world.plan()
    assert plans.task(task_id).plan == 1
    world.reply(peer, Accepted(id=task_id, state="held", starts=NIGHT + HOUR))
    world.plan()
    task = plans.task(task_id)
    assert (task.plan, (task.window or pytest.fail()).begin) == (2, LATER)


def test_an_agent_without_rules_is_told_the_opening_alone(world: World, plans: Plans):
    peer = world.hello(features=sorted(FEATURES - {"window-rule", "enforced-windows"}))
    task_id = world.install(window=plan_of_old(NIGHT))
    world.step()
    world.reply(peer, Accepted(id=task_id, state="held", starts=NIGHT))
    plans.freeze("release", NIGHT - HOUR, 2 * HOUR)
    world.plan()
    (told,) = [m for m in world.take_sent() if isinstance(m, Replan)]
    assert told.window is not None
    assert not told.window.ruled
    assert told.window.begin == NIGHT + HOUR


def plan_of_old(begin: int) -> Window:
    """A window that was given by its times, to a server that knew no others."""
    return Window(begin, begin + 2 * HOUR)


def test_what_a_restored_server_says_counts_for_more_than_what_it_has_forgotten(
    world: World, plans: Plans, peer: Peer
):
    """The host goes by a plan and a calendar that were made after the backup."""
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)

    def restore(uow: UnitOfWork) -> None:
        uow.consumers.outrun(world.now)
        uow.tasks.outrun(world.now)

    world.build()
    world.store.write(restore)
    world.hello(calls=[CallStatus(task_id, "held")])
    told = world.take_sent()
    (keep,) = [m for m in told if isinstance(m, Keep)]
    (replan,) = [m for m in told if isinstance(m, Replan)]
    assert min(keep.plan, replan.plan) >= world.now
    assert replan.window is not None
    assert replan.window.begin == NIGHT


# --- nothing is left ---


def test_what_no_agent_has_is_missed_at_once(world: World, plans: Plans):
    plans.put("nights", NIGHT)
    task_id = plans.install()
    plans.remove("nights")
    world.plan()
    task = plans.task(task_id)
    assert (task.state, task.error.code if task.error else "") == (S.MISSED, "window-missed")
    assert "Window nights was deleted" in (task.error.message if task.error else "")
    assert world.events() == ["window_missed"]


def test_what_an_agent_has_is_missed_when_it_confirms(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.remove("nights")
    world.plan()
    assert [m.id for m in world.take_sent() if isinstance(m, Cancel)] == [task_id]
    task = plans.task(task_id)
    assert (task.state, task.cancel_requested_at) == (S.HELD, world.now)
    world.reply(peer, Canceled(id=task_id), Canceled(id=task_id))
    task = plans.task(task_id)
    assert (task.state, task.error.code if task.error else "") == (S.MISSED, "window-missed")
    assert world.events() == ["window_missed"]


def test_a_host_that_is_away_is_told_at_its_next_hello(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    world.build()
    plans.remove("nights")
    world.plan()
    world.hello(calls=[CallStatus(task_id, "held")])
    told = world.take_sent()
    assert [m.id for m in told if isinstance(m, Cancel)] == [task_id]
    assert not [m for m in told if isinstance(m, Replan)]


def test_what_has_begun_meanwhile_ends_as_it_does(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.remove("nights")
    world.plan()
    world.reply(peer, Started(id=task_id, at=NIGHT), TooLate(id=task_id, of="cancel"))
    world.reply(peer, Succeeded(id=task_id, value=RESULT, started=NIGHT, finished=NIGHT + 9))
    assert plans.task(task_id).state is S.FINISHED


def test_a_window_that_is_over_is_its_hosts_to_tell(world: World, plans: Plans, peer: Peer):
    """The host was off: it reports what it missed, whatever changes by then."""
    task_id = world.install(window=plan_of_old(NIGHT))
    world.step()
    world.reply(peer, Accepted(id=task_id, state="held", starts=NIGHT))
    world.clock.at = NIGHT + DAY
    before = plans.task(task_id)
    plans.freeze("release", NIGHT, 9 * DAY)
    world.plan()
    assert plans.task(task_id) == before


def test_a_class_that_raises_at_its_end_keeps_no_other_host_waiting(
    world: World, plans: Plans, monkeypatch: pytest.MonkeyPatch
):
    plans.put("nights", NIGHT)
    task_id = plans.install()

    def fails(*_: Any) -> None:
        raise RuntimeError("the override fails")

    monkeypatch.setattr("server_world.Install.failed", fails, raising=False)
    plans.remove("nights")
    world.plan()
    assert plans.task(task_id).state is S.MISSED
    assert world.store.read(lambda uow: uow.consumers.to_replan(9)) == []


def test_a_host_stays_marked_where_its_tasks_could_not_be_planned(
    world: World, plans: Plans, monkeypatch: pytest.MonkeyPatch
):
    """The store is away in between, or the server dies there."""
    plans.put("nights", NIGHT)
    task_id = plans.install()
    plans.put("nights", LATER)

    def away(*_: Any) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("pulp.server.async_.planner._Anew.plan", away)
        with pytest.raises(StoreUnavailable):
            world.planner.step(world.now)
    world.plan()
    assert (plans.task(task_id).window or pytest.fail()).begin == LATER


def test_a_change_that_comes_while_a_host_is_planned_anew_is_not_forgotten(
    world: World, plans: Plans, monkeypatch: pytest.MonkeyPatch
):
    plans.put("nights", NIGHT)
    task_id = plans.install()
    plans.put("nights", LATER)
    outcome = Planner._outcome

    def and_another(self: Planner, *about: Any) -> None:
        outcome(self, *about)
        monkeypatch.undo()
        plans.put("nights", LATER + HOUR)

    monkeypatch.setattr(Planner, "_outcome", and_another)
    world.plan()
    world.plan()
    assert (plans.task(task_id).window or pytest.fail()).begin == LATER + HOUR


def test_many_calls_of_one_host_are_planned_in_units_that_are_bounded(
    world: World, plans: Plans, peer: Peer
):
    plans.put("nights", NIGHT)
    ids = [plans.install() for _ in range(120)]
    plans.put("nights", LATER)
    world.plan()
    assert {(plans.task(i).window or pytest.fail()).begin for i in ids} == {LATER}


def test_a_plan_for_a_call_that_its_agent_has_lost_ends_it(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    plans.put("nights", LATER)
    world.plan()
    world.reply(peer, Unknown(id=task_id))
    task = plans.task(task_id)
    assert (task.state, task.error.code if task.error else "") == (S.ERROR, "lost")


# --- what users are told ---


def shown(world: World, task_id: str) -> WaitingForView:
    view = world.tasks.show(Principal("viktor", Role.VIEWER), task_id).waiting_for
    assert view is not None
    return view


def test_a_task_that_is_called_off_says_so_until_its_host_confirms(
    world: World, plans: Plans, peer: Peer
):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    world.build()  # and the host is away
    plans.remove("nights")
    world.plan()
    view = shown(world, task_id)
    assert (view.code, to_ms(view.since)) == ("cancel", world.now)
    assert "Window nights was deleted" in view.void
    peer = world.hello(calls=[CallStatus(task_id, "held")])
    world.reply(peer, Canceled(id=task_id))
    assert world.waits_for(task_id) is None


def test_a_user_who_cancels_while_the_host_is_away_is_told_what_it_waits_for(
    world: World, plans: Plans, peer: Peer
):
    plans.put("nights", NIGHT)
    task_id = plans.held(peer)
    world.build()
    world.cancel(task_id)
    view = shown(world, task_id)
    assert (view.code, view.void) == ("cancel", "")


def test_what_is_carried_over_says_which_opening_it_missed(world: World, plans: Plans, peer: Peer):
    plans.put("nights", NIGHT)
    plans.put("later", LATER)
    task_id = plans.held(peer, "next")
    assert shown(world, task_id).missed_opening is None
    world.clock.at = NIGHT + 3 * HOUR
    world.reply(peer, Accepted(id=task_id, state="held", starts=LATER))
    view = shown(world, task_id)
    assert view.missed_opening is not None
    assert (view.windows, to_ms(view.missed_opening)) == (["later"], NIGHT)
