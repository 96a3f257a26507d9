"""An answer for a class that this server does not have is kept, and ends its task after the upgrade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from server_world import DAY, HOUR, RESULT, START, Add, Install, World
from skew import (
    Confused,
    Install3,
    change,
    damaged,
    queued,
    succeeded,
    unknown,
)

from pulp.rmi.messages import (
    Accepted,
    CallStatus,
    Cancel,
    Canceled,
    Failed,
    Query,
    Rejected,
    Request,
    Started,
    ToServer,
    Unknown,
)
from pulp.server.domain.task import TaskState as S

# --- an answer for a class this server does not have ---


@pytest.fixture
def answered(world: World) -> Callable[[ToServer], str]:
    """A call whose answer came while the server did not know its kind; `final` is a message with any id."""

    def answer(final: ToServer) -> str:
        world.consumer()
        world.hello()
        task_id = queued(world)
        world.build(classes=[Add])
        peer = world.hello(calls=[CallStatus(task_id, "running")])
        world.reply(peer, msgspec.structs.replace(final, id=task_id))
        return task_id

    return answer


FINALS = [
    (succeeded("x"), S.FINISHED, "packages_installed"),
    (
        Failed(id="x", code="script", message="postinst", started=START + 1, finished=START + 5),
        S.ERROR,
        "action_failed",
    ),
    (Rejected(id="x", code="bad-arguments", expected="a", found="b"), S.ERROR, "action_failed"),
]


@pytest.mark.parametrize(("final", "state", "event"), FINALS)
def test_an_answer_for_an_unknown_class_is_kept_and_ends_the_task_after_the_upgrade(
    world: World, answered: Callable[[ToServer], str], final: ToServer, state: S, event: str
):
    task_id = answered(final)
    task = world.task(task_id)
    assert (task.state, task.phase) == (S.RUNNING, "answered")
    assert world.waits_for(task_id) == "unsupported-version"
    assert task.deadline is not None
    assert len(world.bus.settled) == 3  # the agent may forget it
    assert world.events() == []
    world.build(classes=[Add, Install])
    world.step()
    ended = world.task(task_id)
    assert (ended.state, ended.answer, ended.parked, ended.deadline) == (state, None, "", None)
    assert ended.finished_at == (world.now if isinstance(final, Rejected) else START + 5)
    assert world.events() == [event]
    if state is S.FINISHED:
        assert ended.result == bytes(RESULT)
    world.build(classes=[Add, Install])
    world.step()
    assert world.task(task_id) == ended
    assert world.events() == [event]


def test_a_kept_answer_stays_kept_over_restarts_that_bring_no_class(
    world: World, answered: Callable[[ToServer], str]
):
    task_id = answered(succeeded("x"))
    kept = world.task(task_id)
    for _ in range(3):
        world.build(classes=[Add])
        world.step()
        assert world.task(task_id) == kept


def test_a_class_that_cannot_lift_leaves_the_answer_kept(
    world: World, answered: Callable[[ToServer], str]
):
    task_id = answered(succeeded("x"))
    kept = world.task(task_id)
    world.build(classes=[Confused])
    world.step()
    assert world.task(task_id) == kept
    world.build(classes=[Install3])
    world.step()
    assert world.task(task_id).state is S.FINISHED


def test_an_answer_whose_arguments_are_damaged_is_kept_too(world: World):
    world.consumer()
    peer = world.hello()
    task_id = queued(world)
    change(world, task_id, damaged)
    world.reply(peer, succeeded(task_id))
    assert (world.task(task_id).phase, world.waits_for(task_id)) == (
        "answered",
        "unsupported-version",
    )


def test_a_kept_answer_delays_nobody(world: World):
    world.consumer()
    peer = world.hello()
    first, second = world.install(), world.install()
    world.step()
    change(world, first, unknown)
    world.reply(peer, succeeded(first), succeeded(second))
    assert world.task(second).state is S.FINISHED
    third = world.install()
    world.take_sent()
    world.step()
    assert world.requests() == [third]


def test_what_comes_after_a_kept_answer_changes_nothing(
    world: World, answered: Callable[[ToServer], str]
):
    task_id = answered(succeeded("x"))
    kept = world.task(task_id)
    peer = world.hello(calls=[CallStatus(task_id, "done")])
    world.reply(
        peer,
        succeeded(task_id),
        Started(id=task_id, at=START),
        Unknown(id=task_id),
        Accepted(id=task_id, state="ready"),
    )
    assert world.task(task_id) == kept
    assert world.events() == []
    world.reply(peer, Failed(id=task_id, code="script", message="another answer"))
    assert world.task(task_id) == kept
    assert world.events() == ["late_result"]


@pytest.mark.parametrize("memory", [{}, {"journal": "j2"}, {"seq": 0}])
def test_an_agent_that_forgot_a_call_whose_answer_is_kept_loses_nothing(
    world: World, answered: Callable[[ToServer], str], memory: dict[str, Any]
):
    task_id = answered(succeeded("x"))
    kept = world.task(task_id)
    world.take_sent()
    world.hello(**memory)
    world.pass_time(HOUR)  # the sweep has looked too
    assert not [m for m in world.take_sent() if isinstance(m, Query | Cancel | Request)]
    assert world.task(task_id) == kept


def test_a_canceled_call_of_an_unknown_class_is_over_at_once(
    world: World, answered: Callable[[ToServer], str]
):
    task_id = answered(Canceled(id="x"))
    assert world.task(task_id).state is S.CANCELED
    assert world.events() == ["action_canceled"]


def test_a_kept_answer_does_not_wait_for_ever_and_is_not_lost(
    world: World, answered: Callable[[ToServer], str]
):
    task_id = answered(succeeded("x"))
    deadline = world.task(task_id).deadline
    assert deadline is not None and deadline > START + 2 * DAY
    world.pass_time(deadline - world.now)
    task = world.task(task_id)
    assert task.state is S.ERROR and task.error is not None
    assert task.error.code == "unsupported-version"
    assert msgspec.json.decode(task.error.details)["type"] == "succeeded"
    (event,) = world.history()
    assert event.type.value == "action_failed"
    assert msgspec.json.decode(event.details)["details"]["value"] == msgspec.json.decode(RESULT)


def test_a_kept_answer_whose_class_raises_ends_as_internal_with_the_value(world: World):
    world.consumer()
    world.hello()
    task_id = world.install("web1", "raise")
    world.step()
    world.build(classes=[Add])
    peer = world.hello()
    world.reply(peer, succeeded(task_id))
    assert world.task(task_id).phase == "answered"
    world.build(classes=[Install, Add])
    world.step()
    task = world.task(task_id)
    assert task.state is S.ERROR and task.error is not None and task.error.code == "internal"
    assert task.result == bytes(RESULT)
    assert world.events() == ["action_failed"]
