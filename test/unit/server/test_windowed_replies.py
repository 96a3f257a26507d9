"""What an agent says of a call that waits for its window: where it stands, that it moved, that it was missed."""

from __future__ import annotations

import msgspec
import pytest
from server_world import HOUR, RESULT, START, World

from pulp.common.windows import Window
from pulp.messaging.base import Peer
from pulp.rmi.messages import (
    Accepted,
    CallStatus,
    Failed,
    Progress,
    Rejected,
    Started,
    Succeeded,
)
from pulp.server.domain.task import TaskState as S

FIRST, SECOND = START + HOUR, START + 25 * HOUR


@pytest.fixture
def peer(world: World) -> Peer:
    world.consumer()
    return world.hello()


def held(world: World, peer: Peer, starts: int = FIRST) -> str:
    task_id = world.install(window=Window(FIRST, FIRST + HOUR))
    world.step()
    world.reply(peer, Accepted(id=task_id, state="held", starts=starts))
    return task_id


def test_an_opening_that_moved_is_stored_and_told(world: World, peer: Peer):
    task_id = held(world, peer)
    before = world.task(task_id)
    world.reply(peer, Accepted(id=task_id, state="held", starts=SECOND))
    after = world.task(task_id)
    assert (before.starts, after.starts) == (FIRST, SECOND)
    assert (after.state, after.accepted_at) == (S.HELD, before.accepted_at)


def test_the_same_opening_again_is_no_change(world: World, peer: Peer):
    task_id = held(world, peer)
    before = world.task(task_id)
    world.reply(peer, Accepted(id=task_id, state="held", starts=FIRST))
    assert world.task(task_id) == before


def test_a_hello_that_lists_a_held_call_does_not_forget_its_opening(world: World, peer: Peer):
    task_id = held(world, peer)
    world.hello(calls=[CallStatus(task_id, "held")])
    assert world.task(task_id).starts == FIRST


@pytest.mark.parametrize("begun", [False, True], ids=["ready", "running"])
def test_a_call_that_is_carried_over_counts_as_not_begun(world: World, peer: Peer, begun: bool):
    task_id = held(world, peer)
    world.reply(peer, Accepted(id=task_id, state="ready"))
    if begun:
        progress = Progress(id=task_id, seq=5000, phase="download", percent=90)
        world.reply(peer, Started(id=task_id, at=FIRST), progress)
    world.reply(peer, Accepted(id=task_id, state="held", starts=SECOND))
    task = world.task(task_id)
    assert (task.state, task.phase, task.starts) == (S.HELD, "", SECOND)
    assert (task.started_at, task.progress) == (None, None)


def test_the_second_run_of_a_carried_call_shows_its_own_progress(world: World, peer: Peer):
    task_id = held(world, peer)
    late = Progress(id=task_id, seq=5000, phase="download", percent=90)
    world.reply(peer, Started(id=task_id, at=FIRST), late)
    world.reply(peer, Accepted(id=task_id, state="held", starts=SECOND))
    again = Progress(id=task_id, seq=10, phase="download", percent=5)
    world.reply(peer, Started(id=task_id, at=SECOND), again)
    task = world.task(task_id)
    assert task.started_at == SECOND
    assert msgspec.json.decode(task.progress or b"{}")["percent"] == 5
    done = Succeeded(id=task_id, value=RESULT, started=SECOND, finished=SECOND + 9)
    world.reply(peer, done, done)
    task = world.task(task_id)
    assert (task.state, task.started_at, task.finished_at) == (S.FINISHED, SECOND, SECOND + 9)
    assert world.events() == ["packages_installed"]


def test_a_missed_window_ends_the_task_once(world: World, peer: Peer):
    task_id = held(world, peer)
    missed = Failed(id=task_id, code="window-missed", message="The host was off.")
    world.reply(peer, missed, missed)
    task = world.task(task_id)
    assert (task.state, task.started_at) == (S.MISSED, None)
    assert task.error is not None
    assert task.error.message == "The host was off."
    assert world.events() == ["window_missed"]


def test_after_its_end_an_opening_moves_nothing(world: World, peer: Peer):
    task_id = held(world, peer)
    world.reply(peer, Failed(id=task_id, code="window-missed", message="Too late."))
    before = world.task(task_id)
    world.reply(peer, Accepted(id=task_id, state="held", starts=SECOND))
    assert world.task(task_id) == before


def test_a_refusal_outside_the_hosts_own_windows_says_when_they_open(world: World, peer: Peer):
    task_id = world.install()
    world.step()
    expected = "a window of this host's own calendar, which opens next at 2027-01-15T09:00:00Z"
    found = "no window"
    world.reply(peer, Rejected(id=task_id, code="outside-windows", expected=expected, found=found))
    task = world.task(task_id)
    assert task.error is not None
    assert (task.state, task.error.code) == (S.ERROR, "outside-windows")
    assert expected in task.error.message
    assert "are enforced" in task.error.message
    assert world.events() == ["action_failed"]
