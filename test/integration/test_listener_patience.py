"""Peers that take their time: dropped when their limit is over, while another one is served as ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bus_worlds import Good, ListenerWorld, message
from rogue import Rogue, resident

from pulp.messaging.amqp.sasl import SASL_HEADER
from pulp.messaging.listener import Limits

LIMITS = Limits(auth_timeout=2.0, idle_timeout=4.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ListenerWorld]:
    world = ListenerWorld(tmp_path, LIMITS, client_idle=4.0)
    yield world
    world.end()


@pytest.fixture
def good(world: ListenerWorld) -> Iterator[Good]:
    good = Good(world)
    good.check()
    yield good
    good.check()
    assert [peer.identity for peer in world.receiver.peers.values()] == ["good"]


def rogue(world: ListenerWorld) -> Rogue:
    context = world.authority.client_context(world.certificate("rogue"))
    return Rogue(world.bus.port, context)


@pytest.mark.parametrize("handshake", ["none", "some TLS", "no SASL", "half SASL", "no links"])
def test_a_slow_peer_is_dropped_in_time(world: ListenerWorld, good: Good, handshake: str) -> None:
    context = None if "TLS" in handshake or handshake == "none" else "tls"
    with rogue(world) if context else Rogue(world.bus.port, None) as peer:
        began = time.monotonic()
        if handshake == "some TLS":
            peer.socket.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        elif handshake == "half SASL":
            peer.socket.sendall(SASL_HEADER[:5])
        elif handshake == "no links":
            peer.amqp()
        good.check()
        peer.read_to_end()
        assert time.monotonic() - began < LIMITS.auth_timeout + 2.5


def test_a_peer_that_never_reads_is_dropped_with_bounded_memory(
    world: ListenerWorld, good: Good
) -> None:
    with rogue(world) as peer:
        peer.amqp()
        peer.attach("rogue", credit=1_000_000)
        world.until(lambda: world.receiver.of("rogue"))
        (target,) = world.receiver.of("rogue")
        before = resident()
        for number in range(40):  # 20 MB in all, more than any socket buffer and our bound
            world.bus.send(target, [message(number, b"x" * 500_000)])
            good.check()
        world.until(lambda: not world.receiver.of("rogue"))
        assert resident() - before < 30 << 20
    assert world.bus.snapshot().ended["outgoing-limit"] == 1


def test_a_peer_that_stops_reading_is_dropped_after_the_idle_timeout(
    world: ListenerWorld, good: Good
) -> None:
    with rogue(world) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.amqp()
        peer.attach("rogue", credit=100)
        world.until(lambda: world.receiver.of("rogue"))
        (target,) = world.receiver.of("rogue")
        world.bus.send(target, [message(number, b"x" * 500_000) for number in range(8)])
        world.until(lambda: not world.receiver.of("rogue"), 15.0)
    (reason,) = world.bus.snapshot().ended  # it is not listened to either, so both may be said
    assert reason in ("peer-does-not-read", "idle-timeout")
