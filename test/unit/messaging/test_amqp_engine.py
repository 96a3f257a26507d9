"""The engine, two of them face to face without I/O: messages, credit, limits, time, and bytes that are wrong."""

from __future__ import annotations

import random

import psutil
import pytest

from pulp.messaging.amqp.engine import Engine
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.amqp.model import (
    IDLE_EXPIRED,
    Condition,
    EngineLimits,
    EngineLink,
    PeerError,
    Received,
)
from pulp.messaging.amqp.primitives import described_list

ACCEPTED = b"\x00\x53\x24\x45"
LIMITS = EngineLimits(idle_timeout=10.0)


class End:
    """One engine and what it told its handler; the server's end takes every link."""

    def __init__(self, *, server: bool, limits: EngineLimits = LIMITS, window: int = 8) -> None:
        self.server, self.window = server, window
        self.links: list[EngineLink] = []
        self.messages: list[tuple[bytes, Received]] = []
        self.outcomes: dict[int, Outcome] = {}
        self.closed: list[Condition | None] = []
        self.failed: list[Condition | None] = []
        self.links_closed: list[Condition | None] = []
        self.engine = Engine(self, container="test", limits=limits, server=server)

    def on_open(self) -> None:
        if self.server:
            self.engine.open_connection()

    def on_link(self, link: EngineLink) -> None:
        self.links.append(link)
        if not self.server:
            return
        if link.address == "refused":
            self.engine.refuse_link(link, Condition("amqp:not-found", "no such thing"))
        elif link.is_sender:
            self.engine.accept_sender(link, link.address or "")
        else:
            self.engine.accept_receiver(link, link.address or "")
            self.engine.open_window(link, self.window)

    def on_link_closed(self, link: EngineLink, condition: Condition | None) -> None:
        self.links_closed.append(condition)

    def on_credit(self, link: EngineLink) -> None: ...

    def on_message(self, data: bytes, received: Received) -> None:
        self.messages.append((data, received))

    def on_outcome(self, tag: int, outcome: Outcome) -> None:
        self.outcomes[tag] = outcome

    def on_close(self, condition: Condition | None) -> None:
        self.closed.append(condition)

    def on_failure(self, condition: Condition | None) -> None:
        self.failed.append(condition)

    def output(self) -> bytes:
        data = b""
        while part := self.engine.output():
            data += part
        return data


class Pair:
    def __init__(self, *, limits: EngineLimits = LIMITS, window: int = 8) -> None:
        self.client = End(server=False)
        self.server = End(server=True, limits=limits, window=window)
        self.client.engine.open("localhost")
        self.sender = self.client.engine.attach_sender("out", "replies")
        self.receiver = self.client.engine.attach_receiver("in", "agent.x")
        self.exchange()
        self.client.engine.open_window(self.receiver, 8)
        self.exchange()

    @property
    def server_sender(self) -> EngineLink:
        (link,) = [link for link in self.server.links if link.is_sender]
        return link

    def exchange(self) -> None:
        """Until neither has anything to say."""
        moved = True
        while moved:
            moved = False
            for end, other in ((self.client, self.server), (self.server, self.client)):
                if data := end.output():
                    other.engine.feed(data)
                    moved = True

    def free(self) -> None:
        self.client.engine.free()
        self.server.engine.free()


@pytest.fixture
def pair():
    pair = Pair()
    yield pair
    pair.free()


@pytest.mark.parametrize("size", [0, 1, 32_000, 33_000, 1 << 20])
def test_a_message_arrives_whole_and_its_outcome_comes_back(pair: Pair, size: int) -> None:
    tag = pair.client.engine.send(pair.sender, b"x" * size, settled=False)
    pair.exchange()
    ((data, received),) = pair.server.messages
    assert data == b"x" * size and pair.client.outcomes == {}
    pair.server.engine.settle(received)
    pair.server.engine.settle(received)  # nothing more happens
    pair.exchange()
    assert pair.client.outcomes == {tag: Outcome.ACCEPTED}


def test_a_rejected_message_says_why(pair: Pair) -> None:
    tag = pair.client.engine.send(pair.sender, b"x", settled=False)
    pair.exchange()
    pair.server.engine.reject(pair.server.messages[0][1], Condition("amqp:decode-error", "bad"))
    pair.exchange()
    assert pair.client.outcomes == {tag: Outcome.REJECTED}


def test_an_outcome_that_is_told_twice_counts_once(pair: Pair) -> None:
    tags = [pair.client.engine.send(pair.sender, b"x", settled=False) for _ in range(2)]
    pair.exchange()
    assert pair.client.engine.outstanding == 2
    told: list[int] = []
    pair.client.on_outcome = lambda tag, outcome: told.append(tag)
    frames = b""
    for number in (0, 1, 0):
        body = described_list(0x15, b"\x41", b"\x52%c" % number, b"\x40", b"\x41", ACCEPTED)
        frames += (len(body) + 8).to_bytes(4) + b"\x02\x00\x00\x00" + body
    pair.client.engine.feed(frames)
    assert told == tags and pair.client.engine.outstanding == 0


def test_credit_comes_back_for_what_is_settled_and_only_then(pair: Pair) -> None:
    for _ in range(8):
        assert pair.client.engine.sendable(pair.sender)
        pair.client.engine.send(pair.sender, b"x", settled=True)
    pair.exchange()
    assert pair.client.engine.sendable(pair.sender) == 0
    (link,) = [link for link in pair.server.links if not link.is_sender]
    for number, (_, received) in enumerate(pair.server.messages):
        pair.server.engine.settle(received)
        pair.server.engine.replenish(link)
        pair.exchange()
        assert pair.client.engine.sendable(pair.sender) <= number + 1
    assert pair.client.engine.sendable(pair.sender) == 8


def test_what_the_session_window_holds_back_stops_sending(pair: Pair) -> None:
    pair.client.engine.open_window(pair.receiver, 1000)
    pair.exchange()
    sent = 0
    while pair.server.engine.sendable(pair.server_sender) and sent < 100:
        pair.server.engine.send(pair.server_sender, b"x" * (1 << 20), settled=False)
        pair.server.output()  # leaves, and is never read
        sent += 1
    assert 3 < sent < 10


def test_a_refused_link_has_no_address_and_then_its_error(pair: Pair) -> None:
    link = pair.client.engine.attach_receiver("other", "refused")
    pair.exchange()
    assert link.address is None
    assert pair.client.links_closed == [Condition("amqp:not-found", "no such thing")]


def test_too_many_links_and_too_large_messages_are_the_peers_fault() -> None:
    pair = Pair(limits=EngineLimits(idle_timeout=0, max_message_size=1000, max_links=2))
    pair.client.engine.send(pair.sender, b"x" * 1000, settled=False)
    pair.exchange()
    pair.client.engine.send(pair.sender, b"x" * 1001, settled=False)
    with pytest.raises(PeerError, match="at most 1000 bytes"):
        pair.exchange()
    pair.free()

    pair = Pair(limits=EngineLimits(idle_timeout=0, max_links=2))
    pair.client.engine.attach_sender("third", "replies")
    with pytest.raises(PeerError, match="Too many links"):
        pair.exchange()
    pair.free()


def test_closing_tells_the_peer_why_and_finishes_both_ends(pair: Pair) -> None:
    pair.server.engine.close(Condition("amqp:resource-locked", "another one"))
    pair.exchange()
    assert pair.client.closed == [Condition("amqp:resource-locked", "another one")]
    assert pair.server.closed == [None]
    assert pair.client.engine.finished and pair.server.engine.finished


def test_silence_fails_and_heartbeats_prevent_it(pair: Pair) -> None:
    for now in range(100, 140):  # both ends tick and are heard
        for end, other in ((pair.client, pair.server), (pair.server, pair.client)):
            end.engine.tick(float(now))
            if data := end.output():
                other.engine.feed(data)
    assert pair.client.failed == pair.server.failed == []
    for now in range(140, 155):  # the client is not heard any more
        pair.client.engine.tick(float(now))
        pair.client.output()
        pair.server.engine.tick(float(now))
    (condition,) = pair.server.failed
    assert condition is not None and condition.description == IDLE_EXPIRED


def recorded() -> bytes:
    """What a client sends that opens, attaches both ways and sends three messages."""
    client, server = End(server=False), End(server=True)
    client.engine.open("localhost")
    sender = client.engine.attach_sender("out", "replies")
    client.engine.attach_receiver("in", "agent.x")
    stream = client.output()
    server.engine.feed(stream)
    client.engine.feed(server.output())
    for number in range(3):
        client.engine.send(sender, b"hello %d" % number, settled=number == 1)
    stream += client.output()
    client.engine.close()
    stream += client.output()
    client.engine.free()
    server.engine.free()
    return stream


def mutated(stream: bytes, chance: random.Random) -> bytes:
    data = bytearray(stream)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(8, len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        else:
            data[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_streams_raise_nothing_but_the_peers_errors(seed: int) -> None:
    chance, stream = random.Random(seed), recorded()
    heard = 0
    for _ in range(400):
        end, data, at = End(server=True), mutated(stream, chance), 0
        try:
            while at < len(data):
                step = chance.randrange(1, 400)
                end.engine.feed(data[at : at + step])
                end.output()
                at += step
        except PeerError:
            end.engine.close()
        end.output()
        heard += len(end.messages)
        for _, received in end.messages:
            end.engine.settle(received)
        end.engine.tick(1.0)
        end.output()
        end.engine.free()
    assert heard > 100


def test_engines_that_come_and_go_leave_nothing_behind() -> None:
    def churn(count: int) -> None:
        for _ in range(count):
            pair = Pair()
            for _ in range(3):
                pair.client.engine.send(pair.sender, b"x" * 100, settled=False)
                pair.server.engine.send(pair.server_sender, b"y" * 100, settled=False)
            pair.exchange()  # and all of it stays unsettled
            pair.free()

    churn(200)
    before = psutil.Process().memory_info().rss
    churn(1500)
    assert psutil.Process().memory_info().rss - before < 1 << 20  # one leaked connection: 1.9 kB
