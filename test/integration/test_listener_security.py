"""What a hostile or broken peer may try; each time another one goes on working, and memory stays bounded."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from bus_pki import Authority
from bus_worlds import Events, Good, ListenerWorld, message
from cproton_ffi import lib as pn
from rogue import Rogue, attach, frame, resident, transfer

from pulp.messaging.amqp.codec import encode
from pulp.messaging.amqp.primitives import binary, symbol
from pulp.messaging.amqp.sasl import AMQP_HEADER, SASL_HEADER
from pulp.messaging.base import MessagingError, PeerCertificate
from pulp.messaging.listener import Limits, ListenerBus


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ListenerWorld]:
    world = ListenerWorld(tmp_path, Limits(max_connections=700))
    yield world
    world.end()


@pytest.fixture
def good(world: ListenerWorld) -> Iterator[Good]:
    good = Good(world)
    good.check()
    yield good
    good.check()
    # A rogue that is refused is told of its end first; that of its socket is seen after.
    world.until(lambda: [peer.identity for peer in world.receiver.peers.values()] == ["good"])


def rogue(world: ListenerWorld, identity: str = "rogue") -> Rogue:
    context = world.authority.client_context(world.certificate(identity))
    return Rogue(world.bus.port, context)


def attempt(world: ListenerWorld, context: ssl.SSLContext) -> Events | None:
    """None: refused in the TLS handshake (TLS 1.3 tells the client only after its own end of it)."""
    try:
        return world.connect_with(context, source="agent.rogue")
    except MessagingError:
        return None


def assert_refused(world: ListenerWorld, context: ssl.SSLContext) -> None:
    events = attempt(world, context)
    if events is not None:
        world.until(lambda: events.end)
        assert not events.is_open


# --- who is let in ---


def test_without_a_certificate(world: ListenerWorld, good: Good) -> None:
    assert_refused(world, world.authority.client_context(None))
    world.until(lambda: world.bus.snapshot().refused.get("tls") == 1)


def test_with_a_certificate_of_another_authority(
    world: ListenerWorld, good: Good, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "foreign CA")
    context = world.authority.client_context(None)
    context.load_cert_chain(foreign.issue("good").file)
    assert_refused(world, context)
    world.until(lambda: world.bus.snapshot().refused.get("tls") == 1)


def test_with_the_name_of_another_and_a_fingerprint_that_is_not_stored(
    world: ListenerWorld, good: Good
) -> None:
    twin = world.authority.issue("good")
    events = world.connect_with(world.authority.client_context(twin), source="agent.good")
    world.until(lambda: events.end)
    assert events.end is not None and "certificate" in events.end[0]
    world.until(lambda: world.bus.snapshot().ended.get("unauthenticated") == 1)


@pytest.mark.parametrize("name", [None, "unknown"])
def test_with_no_name_or_an_unknown_one(world: ListenerWorld, good: Good, name: str | None) -> None:
    stranger = world.authority.issue(name)
    events = world.connect_with(world.authority.client_context(stranger), source="agent.rogue")
    world.until(lambda: events.end)
    assert not events.is_open


def test_a_hook_that_fails_refuses(world: ListenerWorld, good: Good, monkeypatch) -> None:
    def broken(certificate: PeerCertificate) -> None:
        raise RuntimeError("database is locked")

    with rogue(world) as peer, monkeypatch.context() as patch:
        patch.setattr(world.bus._hub, "authenticate", broken)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            peer.authenticate()
    world.until(lambda: world.bus.snapshot().ended.get("internal-error") == 1)


def test_plain_text_and_tls_1_1(world: ListenerWorld, good: Good) -> None:
    with Rogue(world.bus.port, None) as peer:
        peer.socket.sendall(SASL_HEADER)
        assert SASL_HEADER not in peer.read_to_end()
    context = world.authority.client_context(world.certificate("rogue"))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Rogue(world.bus.port, context)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (AMQP_HEADER, SASL_HEADER),
        (SASL_HEADER + frame(0x10, b"\xa1\x05rogue"), b"EXTERNAL"),
        (
            SASL_HEADER + frame(0x41, symbol("ANONYMOUS"), binary(b"me"), kind=1),
            b"\x00\x53\x44\xc0\x03\x01\x50\x01",
        ),
        (SASL_HEADER + b"\x00\x10\x00\x00\x02\x01\x00\x00" + b"x" * 100_000, b"EXTERNAL"),
        (os.urandom(3000), b""),
    ],
)
def test_skipping_sasl_other_mechanisms_and_garbage(
    world: ListenerWorld, good: Good, data: bytes, answer: bytes
) -> None:
    with rogue(world) as peer:
        peer.socket.sendall(data)
        assert answer in peer.read_to_end()
    world.until(lambda: world.bus.snapshot().ended.get("unauthenticated") == 1)


def test_another_sasl_layer_behind_the_first(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.authenticate()
        peer.socket.sendall(SASL_HEADER)
        assert peer.read_to_end() == b""


# --- addresses and links ---


@pytest.mark.parametrize("address", [b"agent.good", b"replies", b"", b"\xff\xfe\x80", None])
def test_a_foreign_address_is_refused_on_its_link(
    world: ListenerWorld, good: Good, address: bytes | None
) -> None:
    with rogue(world) as peer:
        peer.amqp()
        link = peer.engine.attach_receiver("in", "agent.rogue")
        if address is None:
            pn.pn_terminus_set_type(pn.pn_link_source(link.pointer), pn.PN_UNSPECIFIED)
        else:
            pn.pn_terminus_set_address(pn.pn_link_source(link.pointer), address)
        peer.exchange()
        (condition,) = peer.links_closed
        assert condition is not None and condition.name == "amqp:unauthorized-access"
        assert not peer.eof
    assert world.bus.snapshot().refused["amqp:unauthorized-access"] == 1


def test_a_second_link_of_the_same_role_is_refused(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        peer.attach("rogue")
        peer.engine.attach_receiver("again", "agent.rogue")
        peer.exchange()
        (condition,) = peer.links_closed
        assert condition is not None and condition.name == "amqp:resource-locked"
        assert world.receiver.of("rogue")
    world.until(lambda: not world.receiver.of("rogue"))


def test_a_peer_that_detaches_a_link_has_left(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        receiver, _ = peer.attach("rogue")
        pn.pn_link_close(receiver.pointer)
        peer.until_closed()
    world.until(lambda: not world.receiver.of("rogue"))


def test_twenty_thousand_links(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        attaches = b"".join(attach(number, "replies") for number in range(20_000))
        before = resident()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            peer.socket.sendall(attaches)
        peer.until_closed()
        assert resident() - before < 10 << 20
        assert peer.closed is not None and peer.closed.name == "amqp:resource-limit-exceeded"
    world.until(lambda: world.bus.snapshot().ended == {"protocol-error": 1})


def test_many_sessions(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        for number in range(1, 50):
            channel = frame(0x11, b"\x40", b"\x43", b"\x52\x64", b"\x52\x64", channel=number % 4)
            end = frame(0x17, channel=number % 4)
            peer.socket.sendall(channel + end if number > 3 else channel)
        peer.until_closed()
    world.until(lambda: world.bus.snapshot().ended.get("protocol-error") == 1)


# --- messages ---


@pytest.mark.parametrize("megabytes", [3, 50])
def test_an_oversized_message_is_refused_with_bounded_memory(
    world: ListenerWorld, good: Good, megabytes: int
) -> None:
    with rogue(world) as peer:
        peer.amqp()
        _, sender = peer.attach("rogue")
        peer.engine.send(sender, b"x" * (megabytes << 20), settled=False)
        before = resident()
        peer.until_closed()
        assert resident() - before < 12 << 20
        assert peer.closed is not None
        assert peer.closed.name == "amqp:link:message-size-exceeded"
    assert world.receiver.deliveries and all(
        delivery.peer.identity == "good" for delivery in world.receiver.deliveries
    )


def test_more_messages_than_credit(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        peer.attach("rogue")
        world.receiver.hold = True
        for number in range(Limits().credit + 2):
            peer.socket.sendall(transfer(1, number, encode(message(number))))
        peer.until_closed()
        world.receiver.hold = False
        assert peer.closed is not None
        assert peer.closed.name == "amqp:link:transfer-limit-exceeded"
    assert len([d for d in world.receiver.deliveries if d.peer.identity == "rogue"]) <= 64
    world.bus.settle(world.receiver.deliveries)


def test_messages_before_both_links_are_up(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        peer.engine.attach_sender("out", "replies")
        peer.exchange()
        peer.socket.sendall(transfer(0, 0, encode(message(0))))
        peer.until_closed()


def test_an_aborted_transfer_costs_nothing_but_itself(world: ListenerWorld, good: Good) -> None:
    with rogue(world) as peer:
        peer.amqp()
        peer.attach("rogue")
        for number in range(200):
            peer.socket.sendall(transfer(1, number, b"half", more=True))
            rest = [b"\x52\x01", b"\x70" + number.to_bytes(4), *[b"\x40"] * 7, b"\x41"]
            peer.socket.sendall(frame(0x14, *rest))
            peer.exchange(0.0005)
        peer.socket.sendall(transfer(1, 200, encode(message(7))))
        world.until(lambda: any(d.peer.identity == "rogue" for d in world.receiver.deliveries))


def test_a_malformed_message_is_rejected_and_the_next_is_taken(
    world: ListenerWorld, good: Good
) -> None:
    with rogue(world) as peer:
        peer.amqp()
        _, sender = peer.attach("rogue")
        for data in (b"", b"\x00", b"not AMQP at all", encode(message(1))):
            peer.engine.send(sender, data, settled=False)
        peer.exchange()
        assert [d.message.id for d in world.receiver.deliveries if d.peer.identity == "rogue"] == [
            "m1"
        ]
        assert world.bus.snapshot().malformed == 3


def test_garbage_after_authentication(world: ListenerWorld, good: Good) -> None:
    chance = random.Random(7)
    for _ in range(30):
        with rogue(world) as peer:
            peer.authenticate()
            peer.socket.sendall(AMQP_HEADER + chance.randbytes(chance.randrange(1, 3000)))
            peer.read_to_end()
    world.until(lambda: not world.receiver.of("rogue"))


def test_mutated_streams(world: ListenerWorld, good: Good) -> None:
    """Seeded: a valid conversation with a few bytes changed, a hundred times."""
    chance = random.Random(11)
    with rogue(world) as peer:
        peer.amqp()
        peer.attach("rogue")
    stream = AMQP_HEADER + b"".join(
        (
            frame(0x10, b"\xa1\x05rogue"),
            frame(0x11, b"\x40", b"\x43", b"\x52\x64", b"\x52\x64"),
            transfer(0, 0, encode(message(1))),
            frame(0x18),
        )
    )
    for number in range(100):
        if number % 20 == 0:
            good.check()
        mutated = bytearray(stream)
        for _ in range(chance.choice((1, 2, 8))):
            mutated[chance.randrange(8, len(mutated))] = chance.randrange(256)
        with rogue(world) as peer:
            peer.authenticate()
            peer.socket.sendall(mutated)
            peer.socket.settimeout(0.02)
            try:
                while peer.socket.recv(4096):
                    pass
            except (TimeoutError, ConnectionError, ssl.SSLError):
                pass
    world.until(lambda: not world.receiver.of("rogue"))


# --- crowds ---


def test_six_hundred_peers_at_once(world: ListenerWorld, good: Good) -> None:
    context = world.authority.client_context(world.certificate("crowd"))
    raw = [socket.create_connection(("127.0.0.1", world.bus.port)) for _ in range(600)]
    good.check()
    for sock in raw[:500]:
        sock.close()
    for sock in raw[500:]:
        with (  # a busy machine takes longer than the listener lets strangers stay
            contextlib.suppress(OSError),
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(SASL_HEADER)
    world.until(lambda: world.bus.snapshot().connections == 1, 20.0)


def test_too_many_connections_are_refused_and_counted(tmp_path: Path) -> None:
    world = ListenerWorld(tmp_path, Limits(max_connections=2))
    world.up("one"), world.up("two")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        rogue(world, "three").amqp()
    assert world.bus.snapshot().refused == {"too-many-connections": 1}
    world.end()


def test_a_context_that_verifies_nobody_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ValueError, match="CERT_REQUIRED"):
        ListenerBus(host="127.0.0.1", port=0, tls=context, authenticate=lambda _: None)
