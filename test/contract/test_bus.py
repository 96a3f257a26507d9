"""What every Bus and every agent's link promise, over the in-memory twin and over the listener with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bus_worlds import ListenerWorld, MemoryWorld, World, message, source_of

from pulp.messaging.amqp.link import Outcome
from pulp.messaging.base import MessagingError


@pytest.fixture(params=["memory", "listener"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world: World = MemoryWorld() if request.param == "memory" else ListenerWorld(tmp_path)
    yield world
    world.end()


def the_peer(world: World, identity: str):
    (peer,) = world.receiver.of(identity)
    return peer


def test_a_peer_is_attached_under_its_identity_once_both_directions_are_up(world: World) -> None:
    events = world.up("web1")
    peer = the_peer(world, "web1")
    assert (peer.identity, events.end) == ("web1", None)
    assert peer.fingerprint


def test_messages_arrive_whole_in_order_and_with_their_properties(world: World) -> None:
    events = world.up("web1")
    sent = [
        message(1, b'{"a":1}', correlation_id="task-1"),
        message(2, b"\x1f\x8b", content_encoding="gzip"),
        message(3, b"x" * 300_000, content_type="application/octet-stream"),
    ]
    world.bus.send(the_peer(world, "web1"), sent)
    world.until(lambda: len(events.incoming) == 3)
    assert events.messages == sent


def test_what_an_agent_sends_arrives_and_is_accepted_when_it_is_settled(world: World) -> None:
    events = world.up("web1")
    world.receiver.hold = True
    sent = message(1, b"{}", correlation_id="task-1")
    tag = events.link.send(sent)
    world.until(lambda: world.receiver.deliveries)
    world.settle_down()
    assert events.outcomes == {}

    (delivery,) = world.receiver.deliveries
    assert (delivery.message, delivery.peer) == (sent, the_peer(world, "web1"))
    world.bus.settle([delivery])
    world.until(lambda: events.outcomes)
    assert events.outcomes == {tag: Outcome.ACCEPTED}


def test_settling_twice_is_harmless(world: World) -> None:
    events = world.up("web1")
    first = events.link.send(message(1))
    world.until(lambda: first in events.outcomes)
    world.bus.settle(world.receiver.deliveries)
    second = events.link.send(message(2))
    world.until(lambda: second in events.outcomes)


def test_a_presettled_message_arrives_and_has_no_outcome(world: World) -> None:
    events = world.up("web1")
    last = events.link.send(message(0))  # what has credit is up at both ends
    world.until(lambda: last in events.outcomes)
    events.link.send(message(1), presettled=True)
    last = events.link.send(message(2))
    world.until(lambda: last in events.outcomes)
    assert [delivery.message.id for delivery in world.receiver.deliveries] == ["m0", "m1", "m2"]
    assert set(events.outcomes) == {1, 3}


def test_a_presettled_message_holds_credit_too_and_is_dropped_without(world: World) -> None:
    events = world.up("web1")
    world.receiver.hold = True
    for number in range(64):
        events.link.send(message(number))
    world.until(lambda: len(world.receiver.deliveries) == 64)
    events.link.send(message(64), presettled=True)
    world.settle_down()
    world.receiver.hold = False
    world.bus.settle(world.receiver.deliveries[:64])
    last = events.link.send(message(65))
    world.until(lambda: last in events.outcomes)
    assert "m64" not in [delivery.message.id for delivery in world.receiver.deliveries]


def test_no_more_arrives_than_the_server_has_settled_credit_for(world: World) -> None:
    events = world.up("web1")
    world.receiver.hold = True
    for number in range(100):
        events.link.send(message(number))
    world.until(lambda: len(world.receiver.deliveries) >= 64)
    world.settle_down()
    assert len(world.receiver.deliveries) == 64

    world.bus.settle(world.receiver.deliveries[:32])
    world.until(lambda: len(world.receiver.deliveries) == 96)
    world.bus.settle(world.receiver.deliveries)
    world.until(lambda: len(world.receiver.deliveries) == 100)
    ids = [delivery.message.id for delivery in world.receiver.deliveries]
    assert ids == [f"m{number}" for number in range(100)]


def test_no_more_goes_out_than_the_agent_has_accepted_credit_for(world: World) -> None:
    events = world.up("web1", credit=8)
    events.hold = True
    world.bus.send(the_peer(world, "web1"), [message(number) for number in range(20)])
    world.until(lambda: len(events.incoming) >= 8)
    world.settle_down()
    assert len(events.incoming) == 8

    for incoming in events.incoming[:4]:
        events.link.accept(incoming)
    world.until(lambda: len(events.incoming) == 12)
    events.hold = False
    for incoming in events.incoming:
        events.link.accept(incoming)
    world.until(lambda: len(events.incoming) == 20)


def test_a_peer_that_takes_nothing_is_closed_when_its_queue_is_full(world: World) -> None:
    events = world.up("slow", credit=1)
    events.hold = True
    other = world.up("web1")
    world.bus.send(the_peer(world, "slow"), [message(number) for number in range(2000)])
    world.until(lambda: events.end)
    assert events.end is not None and events.end[1] == "amqp:resource-limit-exceeded"
    world.until(lambda: not world.receiver.of("slow"))
    world.bus.send(the_peer(world, "web1"), [message(1)])
    world.until(lambda: other.incoming)


def test_a_message_that_is_too_large_is_refused_before_anything_is_sent(world: World) -> None:
    events = world.up("web1")
    with pytest.raises(MessagingError, match="m2 has 1048623 bytes"):
        world.bus.send(the_peer(world, "web1"), [message(1), message(2, b"x" * (1 << 20))])
    with pytest.raises(MessagingError, match="m3"):
        events.link.send(message(3, b"x" * (1 << 20)))
    world.settle_down()
    assert events.incoming == []


def test_a_listener_that_cannot_tell_who_it_is_refuses_for_now_only(world: World) -> None:
    world.unsure = True
    events = world.connect("web1")
    world.until(lambda: events.end)
    assert events.end is not None and events.end[1] != "amqp:unauthorized-access"
    world.unsure = False
    world.up("web1")


def test_an_address_of_another_is_refused(world: World) -> None:
    world.up("web1")
    events = world.connect("web2", source=source_of("web1"))
    world.until(lambda: events.end)
    assert events.end is not None and events.end[1] == "amqp:unauthorized-access"
    events = world.connect("web2", target="elsewhere")
    world.until(lambda: events.end)
    assert events.end is not None and events.end[1] == "amqp:unauthorized-access"
    assert not events.is_open and not world.receiver.of("web2")


def test_two_connections_of_one_identity_are_two_peers(world: World) -> None:
    first, second = world.up("web1"), world.connect("web1")
    world.until(lambda: second.is_open and len(world.receiver.of("web1")) == 2)
    old, new = world.receiver.of("web1")
    assert old.connection != new.connection
    world.bus.send(new, [message(2)])
    world.bus.send(old, [message(1)])
    world.until(lambda: first.incoming and second.incoming)
    assert [m.id for m in first.messages + second.messages] == ["m1", "m2"]


def test_a_closed_peer_is_told_why_and_hears_nothing_more(world: World) -> None:
    events = world.up("web1")
    peer = the_peer(world, "web1")
    world.bus.close(peer, "amqp:resource-locked", "another one has come")
    world.bus.send(peer, [message(1)])
    world.until(lambda: events.end and world.receiver.gone)
    reason, condition = events.end or ("", "")
    assert condition == "amqp:resource-locked" and "another one has come" in reason
    world.settle_down()
    assert events.incoming == [] and events.late == []
    assert [gone for gone, _ in world.receiver.gone] == [peer]
    events.link.send(message(2))  # harmless on a link that is over
    world.bus.close(peer, "amqp:resource-locked", "again")


def test_an_identity_is_closed_with_all_its_connections(world: World) -> None:
    first, second, other = world.up("web1"), world.connect("web1"), world.up("web2")
    world.until(lambda: second.is_open)
    world.bus.close_identity("web1", "amqp:unauthorized-access", "unregistered")
    world.until(lambda: first.end and second.end and not world.receiver.of("web1"))
    assert other.end is None and world.receiver.of("web2")


def test_an_agent_that_shuts_its_link_is_gone_after_what_it_sent(world: World) -> None:
    events = world.up("web1")
    tag = events.link.send(message(0))
    world.until(lambda: tag in events.outcomes)
    events.link.send(message(1))
    events.link.shut()
    world.until(lambda: events.end and world.receiver.gone)
    assert [d.message.id for d in world.receiver.deliveries] == ["m0", "m1"]
    assert events.end == ("Closed by this end", None)
    world.settle_down()
    assert events.late == [] and 2 not in events.outcomes
    world.bus.settle(world.receiver.deliveries)


def test_a_bug_in_the_layer_above_ends_the_connection_it_was_met_on_and_no_other(
    world: World,
) -> None:
    events, other = world.up("web1"), world.up("web2")
    world.receiver.broken = True
    events.link.send(message(1))
    world.until(lambda: events.end)
    world.receiver.broken = False
    tag = other.link.send(message(2))
    world.until(lambda: tag in other.outcomes)


def test_stopping_closes_every_connection(world: World) -> None:
    events = world.up("web1")
    world.stop()
    world.until(lambda: events.end)
    assert events.end is not None and events.end[1] == "amqp:connection:forced"
    assert [peer.identity for peer, _ in world.receiver.gone] == ["web1"]
    world.stop()
