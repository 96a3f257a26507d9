"""What the in-memory twin has beyond the bus's contract: a network that is pumped by hand, and breaks by hand."""

from __future__ import annotations

import random

from bus_worlds import Events, MemoryWorld, message


def up() -> tuple[MemoryWorld, Events]:
    world = MemoryWorld()
    return world, world.up("web1")


def test_nothing_moves_unless_it_is_pumped() -> None:
    world, events = up()
    (peer,) = world.receiver.of("web1")
    world.bus.send(peer, [message(1)])
    events.link.send(message(2))
    assert events.incoming == [] and world.receiver.deliveries == []
    assert world.bus.pump() > 0
    assert [m.id for m in events.messages] == ["m1"] and world.receiver.bodies == [b"{}"]
    assert world.bus.step() is False


def test_a_broken_network_loses_what_is_under_way_and_both_ends_notice() -> None:
    world, events = up()
    (peer,) = world.receiver.of("web1")
    world.bus.send(peer, [message(1)])
    events.link.send(message(2))
    events.link.drop()
    events.link.drop()
    world.bus.pump()
    assert events.incoming == [] and world.receiver.deliveries == []
    assert events.end == ("The connection was lost", None) and events.link.over
    assert world.receiver.gone == [(peer, "connection-lost")]
    assert events.late == []


def test_an_unsettled_message_may_be_settled_after_the_network_broke() -> None:
    world, events = up()
    world.receiver.hold = True
    events.link.send(message(1))
    world.bus.pump()
    events.link.drop()
    world.bus.pump()
    world.bus.settle(world.receiver.deliveries)
    world.bus.pump()
    assert events.outcomes == {} and events.late == []


def test_a_refused_link_may_be_dropped() -> None:
    world = MemoryWorld()
    events = world.connect("web1", target="elsewhere")
    events.link.drop()
    world.bus.pump()
    assert events.end is not None and world.receiver.gone == []


def test_whatever_lane_is_picked_each_keeps_its_order() -> None:
    for seed in range(30):
        pick = random.Random(seed).randrange
        world = MemoryWorld()
        links = [world.connect(f"web{number}") for number in range(3)]
        world.bus.pump(pick)
        for number in range(10):
            for events in links:
                events.link.send(message(number))
            for peer in list(world.receiver.peers.values()):
                world.bus.send(peer, [message(number)])
        world.bus.pump(pick)
        expected = [f"m{number}" for number in range(10)]
        assert all([m.id for m in events.messages] == expected for events in links)
        for peer in world.receiver.peers.values():
            heard = [d.message.id for d in world.receiver.deliveries if d.peer == peer]
            assert heard == expected
