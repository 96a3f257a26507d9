"""Stored tasks of older, newer and unknown kinds: lifted, or visible and left alone until the upgrade."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest
from server_world import HOUR, START, Add, Install, World
from skew import (
    Confused,
    Install3,
    change,
    newer,
    queued,
    sent,
    succeeded,
    to_packages,
    unknown,
    with_reason,
)

from pulp.common.windows import Window
from pulp.rmi.messages import (
    Accepted,
    CallStatus,
    Started,
)
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.task import TaskState as S
from pulp.server.tasking.task import Task, Upgrader

# --- older tasks ---


def test_a_stored_task_of_version_1_runs_as_version_3_after_the_upgrade(world: World):
    world.consumer()
    task_id = world.install("web1", "nginx", "zlib1g")
    assert (world.task(task_id).version, world.task(task_id).args) == (
        1,
        b'{"names":["nginx","zlib1g"]}',
    )
    world.build(classes=[Install3])
    peer = world.hello()
    world.step()
    args = msgspec.json.decode(sent(world).args)
    assert args["packages"] == [{"name": "nginx"}, {"name": "zlib1g"}]
    world.reply(peer, succeeded(task_id))
    assert world.task(task_id).state is S.FINISHED
    assert msgspec.json.decode(world.history()[0].details) == {"reason": "before reasons"}


def test_a_call_that_was_sent_before_the_upgrade_ends_as_its_new_class_says(world: World):
    world.consumer()
    world.hello()
    task_id = world.install()
    world.step()
    world.build(classes=[Install3])
    peer = world.hello(calls=[CallStatus(task_id, "running")])
    world.reply(peer, succeeded(task_id))
    assert world.task(task_id).state is S.FINISHED
    assert world.events() == ["packages_installed"]


class Vague(Install3):
    """Its steps lead to what version 3 does not take."""

    upgraders: ClassVar[dict[int, Upgrader]] = {1: to_packages, 2: lambda args: args}


class Gapped(Install3):
    upgraders: ClassVar[dict[int, Upgrader]] = {2: with_reason}


@pytest.mark.parametrize("cls", [Confused, Vague, Gapped])
def test_arguments_that_cannot_be_lifted_stop_their_own_task_and_nothing_else(
    world: World, cls: type[Task]
):
    world.consumer()
    task_id = world.install()
    for _ in range(3):  # however often the server is started
        world.build(classes=[cls, Add])
        other = world.enqueue(Add, None, "a")
        world.hello()
        world.step()
        assert world.task(other).state is S.FINISHED
        assert world.task(task_id).state is S.WAITING
        assert world.waits_for(task_id) == "unsupported-version"
        assert world.requests() == []
    world.build(classes=[Install3])
    world.hello()
    world.step()
    assert world.requests() == [task_id]


def test_a_task_that_cannot_be_lifted_can_be_canceled(world: World):
    world.consumer()
    task_id = world.install()
    world.build(classes=[Confused])
    world.hello()
    world.step()
    world.cancel(task_id)
    assert world.task(task_id).state is S.CANCELED
    assert world.events() == ["action_canceled"]


def test_a_task_that_no_server_could_run_in_time_says_so(world: World):
    world.consumer()
    task_id = world.install(deliver_within=HOUR)
    change(world, task_id, newer)
    world.hello()
    world.step()
    world.pass_time(HOUR)
    task = world.task(task_id)
    assert task.state is S.ERROR and task.error is not None
    assert task.error.code == "unsupported-version"
    assert "version 9" in task.error.message and "nothing was sent" in task.error.message
    assert world.events() == ["action_failed"]


# --- newer and unknown ones are visible in every open state ---


def scheduled(world: World) -> str:
    return world.install(not_before=START + HOUR)


def delivered(world: World) -> str:
    world.hello()
    return queued(world)


def held(world: World) -> str:
    peer = world.hello()
    task_id = world.install(window=Window(START + HOUR, START + 2 * HOUR))
    world.step()
    world.reply(peer, Accepted(id=task_id, state="held", starts=START + HOUR))
    return task_id


def running(world: World) -> str:
    peer = world.hello()
    task_id = queued(world)
    world.reply(peer, Started(id=task_id, at=START))
    return task_id


@pytest.mark.parametrize("how", [newer, unknown])
@pytest.mark.parametrize(
    ("arrange", "state"),
    [
        (scheduled, S.SCHEDULED),
        (queued, S.WAITING),
        (delivered, S.WAITING),
        (held, S.HELD),
        (running, S.RUNNING),
    ],
)
def test_what_this_server_cannot_run_is_visible_as_such_in_every_open_state(
    world: World,
    how: Callable[[TaskRecord], TaskRecord],
    arrange: Callable[[World], str],
    state: S,
):
    world.consumer()
    task_id = arrange(world)
    assert world.waits_for(task_id) != "unsupported-version"
    change(world, task_id, how)
    assert world.task(task_id).state is state
    assert world.waits_for(task_id) == "unsupported-version"


def test_a_scheduled_task_of_an_unknown_kind_waits_and_runs_after_the_upgrade(world: World):
    world.consumer()
    task_id = scheduled(world)
    world.build(classes=[Add])
    world.hello()
    world.pass_time(HOUR)
    assert (world.task(task_id).state, world.waits_for(task_id)) == (
        S.WAITING,
        "unsupported-version",
    )
    world.build(classes=[Add, Install])
    world.hello()
    world.step()
    assert world.requests() == [task_id]
