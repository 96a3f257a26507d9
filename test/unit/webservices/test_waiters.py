"""Long polls without threads: no change is missed, nobody is woken twice, and a crowd goes through the lane in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest

from pulp.server.db.base import TaskChange
from pulp.server.domain.task import TaskState
from pulp.server.webservices.serving.waiters import LANE, Waiters

FAR = 1e9


def change(task_id: str, revision: int) -> list[TaskChange]:
    return [TaskChange(task_id, revision, TaskState.RUNNING)]


class Woken:
    """Counts its calls, as a connection that comes back would."""

    def __init__(self) -> None:
        self.times = 0
        self.event = Event()

    def __call__(self) -> None:
        self.times += 1
        self.event.set()


@pytest.fixture
def waiters() -> Iterator[Waiters]:
    made = Waiters(limit=100)
    made.start()
    yield made
    made.close()


def park(waiters: Waiters, task_id: str = "t", *, after: int = 1, deadline: float = FAR) -> Woken:
    ticket, woken = waiters.watch(task_id), Woken()
    assert ticket is not None
    waiters.park(ticket, woken, after=after, deadline=deadline)
    return woken


def test_a_newer_revision_wakes_once(waiters: Waiters) -> None:
    woken = park(waiters, after=3)
    waiters.task_changes(change("t", 3))
    waiters.task_changes(change("other", 9))
    assert woken.times == 0
    waiters.task_changes(change("t", 4))
    waiters.task_changes(change("t", 5))
    assert woken.times == 1
    assert len(waiters) == 0


def test_a_change_between_watch_and_park_is_not_lost(waiters: Waiters) -> None:
    ticket, woken = waiters.watch("t"), Woken()
    assert ticket is not None
    waiters.task_changes(change("t", 2))
    waiters.park(ticket, woken, after=1, deadline=FAR)
    assert woken.times == 1


def test_a_change_that_was_already_in_the_answer_does_not_wake(waiters: Waiters) -> None:
    ticket, woken = waiters.watch("t"), Woken()
    assert ticket is not None
    waiters.task_changes(change("t", 2))
    waiters.park(ticket, woken, after=2, deadline=FAR)
    assert woken.times == 0


def test_time_wakes_too(waiters: Waiters) -> None:
    later, now = park(waiters, deadline=FAR), park(waiters, deadline=0)
    assert now.event.wait(5)
    assert later.times == 0


def test_a_forgotten_ticket_leaves_nothing(waiters: Waiters) -> None:
    ticket = waiters.watch("t")
    assert ticket is not None
    waiters.forget(ticket)
    waiters.forget(ticket)
    assert len(waiters) == 0
    waiters.task_changes(change("t", 9))


def test_beyond_the_limit_nobody_waits() -> None:
    waiters = Waiters(limit=2)
    tickets = [waiters.watch("t"), waiters.watch("u")]
    assert waiters.watch("v") is None
    assert tickets[0] is not None
    waiters.forget(tickets[0])
    assert waiters.watch("v") is not None


def test_a_crowd_goes_through_the_lane_in_turn(waiters: Waiters) -> None:
    crowd = [park(waiters) for _ in range(3 * LANE)]
    waiters.task_changes(change("t", 2))

    def through() -> int:
        return sum(woken.times for woken in crowd)

    for n in range(2 * LANE):
        assert through() == LANE + n
        waiters.answered()
    assert through() == 3 * LANE
    for _ in range(LANE):
        waiters.answered()


def test_closing_wakes_everybody_and_keeps_the_door_shut() -> None:
    waiters = Waiters(limit=100)
    waiters.start()
    woken: list[Woken] = []

    def answered_at_once(note: Woken) -> Callable[[], None]:
        def resume() -> None:
            note()
            waiters.answered()

        return resume

    for _ in range(3 * LANE):
        ticket = waiters.watch("t")
        assert ticket is not None
        woken.append(Woken())
        waiters.park(ticket, answered_at_once(woken[-1]), after=1, deadline=FAR)
    waiters.close(5)
    assert [w.times for w in woken] == [1] * len(woken)
    assert waiters.watch("t") is None


@pytest.mark.parametrize("parks", [True, False])
def test_close_waits_for_a_request_that_is_just_about_to_wait(
    waiters: Waiters, parks: bool
) -> None:
    """Between watch and park: what stops the server next would drop its connection unanswered."""
    ticket, told = waiters.watch("t"), []
    assert ticket is not None

    def close() -> None:
        waiters.close(10)
        told.append("closed")

    def answer() -> None:
        told.append("answered")
        waiters.answered()

    closing = Thread(target=close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    if parks:
        waiters.park(ticket, answer, after=1, deadline=FAR)
    else:
        waiters.forget(ticket)
    closing.join(10)
    assert told == (["answered", "closed"] if parks else ["closed"])
