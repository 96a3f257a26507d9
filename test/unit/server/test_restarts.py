"""A host's restart at the server: the task is over once the host is back, once, or it is told that it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct
from server_world import DAY, HOUR, World

from pulp.messaging.base import Peer
from pulp.rmi.interfaces import PackageSpec, PackagesResult, Policy
from pulp.rmi.messages import CallStatus, Request, Started, Succeeded, TooLate
from pulp.rmi.restarts import RestartResult
from pulp.server.api.packages import InstallPackages, PackagesArguments
from pulp.server.api.restart_tasks import RestartArguments, RestartHost
from pulp.server.check import check
from pulp.server.domain.task import ANSWERED, REBOOTING, TaskRecord
from pulp.server.domain.task import TaskState as S
from pulp.server.tasking.deadlines import Timing
from pulp.server.tasking.restarts import BACK_WITHIN
from pulp.server.tasking.scheduler import Scheduler
from pulp.server.tasking.task import Task

CLASSES = (RestartHost, InstallPackages)
MINUTE = 60_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, CLASSES)
    made.consumer()
    yield made
    assert list(check(made.store)) == []
    made.close()


def ask(world: World, kind: type[Task] = RestartHost, args: Struct | None = None) -> str:
    record = kind.new(
        args or RestartArguments(),
        consumer_id="web1",
        requested_by="ann",
        now=world.now,
        timing=Timing(deliver_within=DAY, timeout=HOUR),
    )
    task_id = world.store.write(lambda uow: world.queue.enqueue(uow, record)).id
    world.step()
    return task_id


def install(world: World) -> str:
    args = PackagesArguments(
        packages=[PackageSpec(name="nginx")], policy=Policy(reboot="if_needed")
    )
    return ask(world, InstallPackages, args)


def back(world: World, **hello: Any) -> Peer:
    """The host's old connection is over, and its agent says hello again."""
    for session in world.sessions.all():
        world.inbox.detached(session.peer, "gone")
    world.step()
    return world.hello(**hello)


def decided(world: World, task_id: str, **changes: Any) -> Succeeded:
    result = {"needed": True, "reasons": ["libc6"], "rebooting": True, "boot_id": "b"} | changes
    value = Raw(msgspec.json.encode(RestartResult(**result)))
    return Succeeded(id=task_id, value=value, started=world.now, finished=world.now)


def rebooting(world: World, peer: Peer, task_id: str) -> TaskRecord:
    world.reply(peer, Started(id=task_id, at=world.now), decided(world, task_id))
    return world.task(task_id)


def told(world: World) -> list[tuple[str, str, str | None]]:
    return [(e.type.value, e.originator, e.task_id) for e in reversed(world.history())]


def test_it_is_over_when_the_host_is_back_with_another_boot_id(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    record = rebooting(world, peer, task_id)
    assert (record.state, record.phase) == (S.RUNNING, REBOOTING)
    assert record.deadline == world.now + BACK_WITHIN
    assert world.waits_for(task_id) == "reboot"
    assert world.history() == []

    world.pass_time(2 * MINUTE)
    back(world, boot_id="b2")

    record = world.task(task_id)
    assert (record.state, record.phase, record.answer) == (S.FINISHED, "", None)
    assert record.finished_at == world.now
    restart = {"from": "b", "to": "b2", "took": 2 * MINUTE, "reasons": ["libc6"]}
    assert msgspec.json.decode(record.result or b"") == {
        "needed": True,
        "reasons": ["libc6"],
        "rebooting": True,
        "boot_id": "b",
        "restart": restart,
    }
    assert told(world) == [("rebooted", "ann", task_id)]
    assert msgspec.json.decode(world.history()[0].details) == restart


def test_an_agent_that_only_reconnects_has_not_restarted_its_host(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    deadline = rebooting(world, peer, task_id).deadline
    world.pass_time(MINUTE)
    back(world, calls=[CallStatus(task_id, "done")], seq=5)
    record = world.task(task_id)
    assert (record.state, record.phase, record.deadline) == (S.RUNNING, REBOOTING, deadline)
    assert world.history() == []


def test_an_answer_that_comes_after_the_restart_ends_it_at_once(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    world.reply(peer, Started(id=task_id, at=world.now))
    final = decided(world, task_id)
    world.pass_time(MINUTE)
    peer = back(world, boot_id="b2", calls=[CallStatus(task_id, "done")], seq=5)
    assert world.history() == [], "its own answer tells it"
    world.reply(peer, final)
    assert world.task(task_id).state is S.FINISHED
    assert told(world) == [("rebooted", "ann", task_id)]


def test_what_is_not_needed_is_over_at_once_and_no_history(world: World) -> None:
    peer = world.hello()
    task_id = ask(world, args=RestartArguments(if_needed=True))
    (request,) = [m for m in world.take_sent() if isinstance(m, Request)]
    assert (request.method, bytes(request.args)) == ("restart", b'{"delay":0,"if_needed":true}')
    final = decided(world, task_id, needed=False, reasons=[], rebooting=False, boot_id="")
    world.reply(peer, final)
    assert world.task(task_id).state is S.FINISHED
    assert world.history() == []


@pytest.mark.parametrize("online", [True, False])
def test_a_host_that_is_not_back_in_time_is_an_error_that_says_how_it_stands(
    world: World, online: bool
) -> None:
    peer = world.hello()
    task_id = ask(world, args=RestartArguments(back_within=5 * MINUTE))
    rebooting(world, peer, task_id)
    if not online:
        world.inbox.detached(peer, "gone")
        world.step()
    world.pass_time(5 * MINUTE - 1)
    assert world.task(task_id).state is S.RUNNING
    world.pass_time(1)
    record = world.task(task_id)
    assert (record.state, record.error and record.error.code) == (S.ERROR, "not-back")
    assert record.error is not None
    assert ("is connected" in record.error.message) is online
    assert told(world) == [("action_failed", "ann", task_id)]

    world.pass_time(HOUR)
    back(world, boot_id="b2")
    assert world.task(task_id) == record, "a late return changes nothing"
    assert told(world)[1:] == [("rebooted", "agent", None)], "and is seen"


def test_a_server_that_was_away_gives_the_host_time_to_say_that_it_is_back(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    rebooting(world, peer, task_id)
    world.build(CLASSES)
    world.clock.at += HOUR
    patient = world.now + MINUTE
    world.scheduler = Scheduler(
        world.store, world.kinds, world.gateway, lambda: None, patient_until=patient
    )
    world.pass_time(0)
    assert world.task(task_id).state is S.RUNNING
    back(world, boot_id="b2")
    assert world.task(task_id).state is S.FINISHED


def test_the_answer_is_kept_over_a_start_of_the_server(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    before = rebooting(world, peer, task_id)
    world.build(CLASSES)
    world.step()
    assert world.task(task_id) == before
    back(world, boot_id="b2")
    assert world.task(task_id).state is S.FINISHED


@pytest.mark.parametrize("back_first", [True, False])
def test_a_server_that_learns_of_restarts_takes_up_the_answer_that_was_kept(
    world: World, back_first: bool
) -> None:
    peer = world.hello()
    task_id = ask(world)
    world.build((InstallPackages,))
    peer = world.hello()
    assert rebooting(world, peer, task_id).phase == ANSWERED
    if back_first:
        back(world, boot_id="b2")
    world.build(CLASSES)
    world.step()
    if not back_first:
        record = world.task(task_id)
        assert (record.phase, record.parked) == (REBOOTING, "")
        assert record.deadline == world.now + BACK_WITHIN
        back(world, boot_id="b2")
    assert world.task(task_id).state is S.FINISHED


def test_a_repeated_answer_changes_nothing(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    before = rebooting(world, peer, task_id)
    world.reply(peer, decided(world, task_id))
    assert world.task(task_id) == before
    back(world, boot_id="b2", calls=[CallStatus(task_id, "done")])
    back(world, boot_id="b3")
    assert told(world) == [("rebooted", "ann", task_id), ("rebooted", "agent", None)]


def test_a_cancel_comes_too_late(world: World) -> None:
    peer = world.hello()
    task_id = ask(world)
    rebooting(world, peer, task_id)
    world.cancel(task_id)
    world.reply(peer, TooLate(id=task_id, of="cancel"), decided(world, task_id))
    assert world.task(task_id).cancel_refused
    back(world, boot_id="b2")
    assert world.task(task_id).state is S.FINISHED


def test_package_work_is_over_when_its_host_is_back_and_both_stand_in_history(
    world: World,
) -> None:
    peer = world.hello()
    task_id = install(world)
    result = PackagesResult(
        backend="apt", changed=True, rebooting=True, boot_id="b", reboot_reasons=["libc6"]
    )
    value = Raw(msgspec.json.encode(result))
    world.reply(peer, Succeeded(id=task_id, value=value, started=world.now, finished=world.now))
    record = world.task(task_id)
    assert (record.state, record.phase) == (S.RUNNING, REBOOTING)
    assert msgspec.json.decode(record.result or b"", type=PackagesResult).changed
    back(world, boot_id="b2")
    record = world.task(task_id)
    assert record.state is S.FINISHED
    assert msgspec.json.decode(record.result or b"")["restart"]["to"] == "b2"
    assert told(world) == [("rebooted", "ann", task_id), ("packages_installed", "ann", task_id)]


def test_package_work_whose_host_does_not_come_back_keeps_what_it_did(world: World) -> None:
    peer = world.hello()
    task_id = install(world)
    value = Raw(msgspec.json.encode(PackagesResult(backend="apt", rebooting=True, boot_id="b")))
    world.reply(peer, Succeeded(id=task_id, value=value, started=world.now, finished=world.now))
    world.pass_time(BACK_WITHIN)
    record = world.task(task_id)
    assert (record.state, record.error and record.error.code) == (S.ERROR, "not-back")
    assert msgspec.json.decode(record.result or b"")["backend"] == "apt"


def test_an_agent_that_turns_out_not_to_know_the_policy_is_not_sent_it(world: World) -> None:
    """Planned for when it was not known, or was newer."""
    world.hello(features=["window"])
    task_id = install(world)
    error = world.task(task_id).error
    assert error is not None
    assert error.code == "unsupported-feature"
    assert "policy-reboot" in error.message
    assert not [m for m in world.take_sent() if isinstance(m, Request)]


# --- restarts that nobody asked for ---


def test_a_restart_that_nobody_asked_for_stands_in_history(world: World) -> None:
    world.hello()
    back(world)
    back(world, boot_id="")
    assert world.history() == []
    back(world, boot_id="b2")
    assert world.history() == [], "from one that is not known nothing follows"
    back(world, boot_id="b3")
    assert told(world) == [("rebooted", "agent", None)]
    assert msgspec.json.decode(world.history()[0].details) == {"from": "b2", "to": "b3"}


def test_another_host_by_this_name_is_no_restart(world: World) -> None:
    world.hello()
    back(world, boot_id="b2", journal="j2")
    assert world.history() == []


def test_work_that_restarts_nothing_does_not_hide_one(world: World) -> None:
    peer = world.hello()
    args = PackagesArguments(packages=[PackageSpec(name="nginx")])
    task_id = ask(world, InstallPackages, args)
    world.reply(peer, Started(id=task_id, at=world.now))
    back(world, boot_id="b2", calls=[CallStatus(task_id, "running")])
    assert told(world) == [("rebooted", "agent", None)]
