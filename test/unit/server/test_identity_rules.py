"""Hosts that are copied, cut off, taken back to a snapshot or replaced, and servers that were restored (WIRE.md, Connection,
rules 1, 3, 6 and 7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from server_world import DAY, HOUR, RESULT, START, World

from pulp.common.times import MINUTE
from pulp.common.windows import Window
from pulp.messaging.base import Peer
from pulp.rmi.messages import (
    Accepted,
    CallStatus,
    Cancel,
    Canceled,
    Failed,
    Query,
    Request,
    Started,
    Succeeded,
)
from pulp.server.domain.task import TaskState as S

IN_AN_HOUR = Window(START + HOUR, START + 2 * HOUR)


def flags(world: World) -> list[str]:
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None
    return consumer.flags


def closed(world: World) -> list[tuple[Peer, str]]:
    found = [(peer, condition) for peer, condition, _ in world.bus.closed]
    world.bus.closed.clear()
    return found


def held_and_sent(world: World, peer: Peer) -> tuple[str, str]:
    """A call that the agent has accepted and holds, and one that it was sent and did not accept."""
    held = world.install(window=IN_AN_HOUR)
    world.step()
    world.reply(peer, Accepted(id=held, state="held", starts=IN_AN_HOUR.begin))
    sent = world.install()
    world.step()
    world.take_sent()
    return held, sent


def succeeded(task_id: str) -> Succeeded:
    return Succeeded(id=task_id, value=RESULT, started=START + 1, finished=START + 5)


# --- copies of a living host ---


def test_a_copy_whose_memory_is_older_is_told_apart_at_once(world: World) -> None:
    """A clone with the journal of its original, which has gone on since."""
    world.consumer()
    original = world.hello(seq=10)
    held, sent = held_and_sent(world, original)
    copy = world.hello(seq=7)
    assert closed(world) == [(copy, "amqp:resource-locked")]
    assert flags(world) == ["duplicate-identity"]
    assert (world.task(held).state, world.task(sent).state) == (S.HELD, S.WAITING)
    world.reply(original, Accepted(id=sent, state="ready"), succeeded(sent))
    assert world.task(sent).state is S.FINISHED


def test_a_copy_with_the_same_memory_is_told_apart_once_the_original_proves_alive(
    world: World,
) -> None:
    world.consumer()
    original = world.hello(boot_id="b1")
    held, sent = held_and_sent(world, original)
    copy = world.hello(boot_id="b2")
    assert closed(world) == [(copy, "amqp:connection:forced")]
    assert flags(world) == []
    world.pass_time(3 * MINUTE)
    copy = world.hello(boot_id="b2")
    assert closed(world) == [(copy, "amqp:resource-locked")]
    assert flags(world) == ["duplicate-identity"]
    assert world.task(held).state is S.HELD
    assert not [m for m in world.take_sent() if isinstance(m, Query) and m.id == held]
    world.reply(original, succeeded(sent), succeeded(held))
    assert (world.task(held).state, world.task(sent).state) == (S.FINISHED, S.FINISHED)


def test_a_host_that_was_cut_off_and_started_anew_is_no_copy(world: World) -> None:
    """Its old connection is dead and ends by itself."""
    world.consumer()
    dead = world.hello(boot_id="b1")
    held, _ = held_and_sent(world, dead)
    early = world.hello(boot_id="b2")
    assert closed(world) == [(early, "amqp:connection:forced")]
    world.pass_time(MINUTE)
    world.inbox.detached(dead, "idle")
    world.hello(boot_id="b2", calls=[CallStatus(held, "held")])
    assert closed(world) == []
    assert flags(world) == []
    assert world.task(held).state is S.HELD


def test_what_was_unclear_is_forgotten_with_the_connection_it_was_about(world: World) -> None:
    world.consumer()
    first = world.hello(boot_id="b1")
    world.hello(boot_id="b2")
    world.inbox.detached(first, "idle")
    second = world.hello(boot_id="b2")
    world.pass_time(DAY)
    world.inbox.detached(second, "idle")
    world.hello(boot_id="b1")
    closed(world)
    third = world.hello(boot_id="b2")
    assert closed(world) == [(third, "amqp:connection:forced")]
    assert flags(world) == []


def test_the_same_start_of_a_host_comes_back_at_once(world: World) -> None:
    world.consumer()
    first = world.hello(boot_id="b1", seq=3)
    world.hello(boot_id="b1", seq=5)
    assert closed(world) == [(first, "amqp:connection:forced")]
    assert flags(world) == []


# --- rule 1 ---


def test_rule_1_a_final_that_comes_on_every_connection_until_it_is_confirmed_counts_once(
    world: World,
) -> None:
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, succeeded(task_id))
    ended = world.task(task_id)
    for _ in range(3):
        peer = world.hello(calls=[CallStatus(task_id, "done")])
        settled = len(world.bus.settled)
        world.reply(peer, succeeded(task_id))
        assert len(world.bus.settled) == settled + 1  # confirmed each time it is told
    assert world.task(task_id) == ended
    assert world.events() == ["packages_installed"]


# --- rule 3 ---


@pytest.mark.parametrize("restarted", [False, True])
def test_rule_3_a_cancel_is_durable_and_repeated_at_every_hello_until_it_is_answered(
    world: World, restarted: bool
) -> None:
    world.consumer()
    peer = world.hello()
    held, sent = held_and_sent(world, peer)
    for task_id in (held, sent):
        world.cancel(task_id)
    world.take_sent()
    for _ in range(3):
        if restarted:
            world.build()
        peer = world.hello(calls=[CallStatus(held, "held")])
        said = world.take_sent()
        assert {m.id for m in said if isinstance(m, Cancel)} == {held, sent}
        assert not [m for m in said if isinstance(m, Request)]  # it beats any plan
    world.reply(peer, Canceled(id=held), Canceled(id=sent))
    world.hello()
    assert not [m for m in world.take_sent() if isinstance(m, Cancel)]
    assert world.events() == ["action_canceled", "action_canceled"]


# --- rule 6 ---


MEMORY_LOST: list[dict[str, Any]] = [{"journal": "j2"}, {"seq": 3}]


@pytest.mark.parametrize("memory", MEMORY_LOST)
def test_rule_6_what_was_accepted_is_lost_with_its_journal_and_the_rest_is_sent(
    world: World, memory: dict[str, Any]
) -> None:
    world.consumer()
    peer = world.hello(seq=10)
    held, sent = held_and_sent(world, peer)
    queued = world.install(not_before=START + MINUTE)
    world.inbox.detached(peer, "gone")
    world.hello(**memory)
    lost = world.task(held)
    assert lost.error is not None and (lost.state, lost.error.code) == (S.ERROR, "lost")
    assert world.requests() == [sent]
    world.pass_time(MINUTE)
    requests = world.requests()
    assert queued in requests and held not in requests
    assert world.events() == ["action_failed"]


@pytest.mark.parametrize("memory", MEMORY_LOST)
def test_rule_6_what_the_restored_agent_still_lists_is_not_lost(
    world: World, memory: dict[str, Any]
) -> None:
    world.consumer()
    peer = world.hello(seq=10)
    held, _ = held_and_sent(world, peer)
    world.inbox.detached(peer, "gone")
    world.hello(calls=[CallStatus(held, "held")], **memory)
    assert world.task(held).state is S.HELD


def test_rule_6_a_lost_call_is_never_sent_again_and_its_late_answer_is_kept(world: World) -> None:
    """The memory was thought lost, and the host that had it comes back after all."""
    world.consumer()
    peer = world.hello()
    held, _ = held_and_sent(world, peer)
    world.inbox.detached(peer, "gone")
    other = world.hello(journal="j2")
    world.take_sent()
    world.inbox.detached(other, "gone")
    world.hello(journal="j1", calls=[CallStatus(held, "held")])
    said = world.take_sent()
    assert held in {m.id for m in said if isinstance(m, Cancel)}
    assert held not in {m.id for m in said if isinstance(m, Request)}


def test_rule_6_a_snapshot_from_before_a_call_was_done_does_it_no_more(world: World) -> None:
    """The agent's disk is as it was when it held the call; the server knows that it is done."""
    world.consumer()
    peer = world.hello(seq=10)
    held, _ = held_and_sent(world, peer)
    world.reply(peer, Started(id=held, at=START + HOUR), succeeded(held))
    world.inbox.detached(peer, "gone")
    peer = world.hello(seq=8, calls=[CallStatus(held, "held")])
    assert held in {m.id for m in world.take_sent() if isinstance(m, Cancel)}
    world.reply(peer, Canceled(id=held))
    assert world.task(held).state is S.FINISHED
    assert world.events() == ["packages_installed", "late_result"]


# --- rule 7 ---


def test_rule_7_calls_a_restored_server_does_not_know_are_canceled_and_finals_kept(
    world: World,
) -> None:
    world.consumer()
    calls = [
        CallStatus("c-held", "held"),
        CallStatus("c-running", "running"),
        CallStatus("c-done", "done"),
    ]
    peer = world.hello(calls=calls)
    assert {m.id for m in world.take_sent() if isinstance(m, Cancel)} == {"c-held", "c-running"}
    settled = len(world.bus.settled)
    world.reply(
        peer,
        succeeded("c-done"),
        Canceled(id="c-held"),
        Failed(id="c-running", code="interrupted", message="m"),
        succeeded("c-done"),
    )
    assert len(world.bus.settled) == settled + 4
    assert world.events() == ["orphan_result"] * 3
    details = [msgspec.json.decode(e.details)["answer"]["type"] for e in world.history()]
    assert sorted(details) == ["canceled", "failed", "succeeded"]


@pytest.mark.parametrize("answer", ["stored", "forgotten"])
def test_rule_7_a_task_the_restored_server_thinks_unsent_is_answered_by_what_was_done(
    world: World, answer: str
) -> None:
    world.consumer()
    task_id = world.install()
    peer = world.hello()
    world.step()
    assert world.requests() == [task_id]
    final = (
        succeeded(task_id)
        if answer == "stored"
        else Failed(id=task_id, code="already-answered", message="It was confirmed before.")
    )
    world.reply(peer, final)
    task = world.task(task_id)
    assert task.state is (S.FINISHED if answer == "stored" else S.ERROR)
    assert len(world.events()) == 1


def test_rule_7_a_call_may_be_further_than_the_restored_store_says(world: World) -> None:
    """Scheduled there, and held, running or done at the agent, which tells of it after the welcome."""
    world.consumer()
    held, running, done = (world.install(not_before=START + HOUR) for _ in range(3))
    calls = [CallStatus(held, "held"), CallStatus(running, "running"), CallStatus(done, "done")]
    peer = world.hello(calls=calls)
    assert not [m for m in world.take_sent() if isinstance(m, Cancel)]
    world.reply(
        peer,
        Accepted(id=held, state="held", starts=START + 2 * HOUR),
        Started(id=running, at=START),
        succeeded(done),
    )
    states = [world.task(i).state for i in (held, running, done)]
    assert states == [S.HELD, S.RUNNING, S.FINISHED]
    assert world.events() == ["packages_installed"]
    world.pass_time(HOUR)
    assert world.requests() == []  # none of them is sent anew
    world.cancel(held)
    assert world.task(held).state is S.HELD  # the agent has it: it is asked
    assert [m.id for m in world.take_sent() if isinstance(m, Cancel)] == [held]
    world.reply(peer, succeeded(running), Canceled(id=held))
    assert world.task(running).state is S.FINISHED
    assert world.task(held).state is S.CANCELED
