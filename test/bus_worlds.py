"""A Bus with clients on the other end, in one shape for the in-memory twin and for the listener over TLS."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import uvloop
from bus_pki import Authority, Identity

from pulp.messaging.amqp.client import ClientLink
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.base import Bus, CannotTell, Delivery, Grant, Message, Peer, PeerCertificate
from pulp.messaging.listener import Limits, ListenerBus
from pulp.messaging.memory import MemoryBus

TARGET = "replies"


def source_of(identity: str) -> str:
    return f"agent.{identity}"


def message(number: int, body: bytes = b"{}", **properties: Any) -> Message:
    return Message(body=body, id=f"m{number}", subject="test", **properties)


class Recorder:
    """A Receiver that keeps what it is told; settles at once unless told to hold."""

    def __init__(self) -> None:
        self.bus: Bus | None = None
        self.peers: dict[int, Peer] = {}
        self.gone: list[tuple[Peer, str]] = []
        self.deliveries: list[Delivery] = []
        self.hold = False
        self.broken = False

    def attached(self, peer: Peer) -> None:
        self.peers[peer.connection] = peer

    def detached(self, peer: Peer, reason: str) -> None:
        del self.peers[peer.connection]
        self.gone.append((peer, reason))

    def received(self, delivery: Delivery) -> None:
        if self.broken:
            raise RuntimeError("a bug in the layer above")
        self.deliveries.append(delivery)
        if not self.hold and self.bus is not None:
            self.bus.settle([delivery])

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.message.body for delivery in self.deliveries]

    def of(self, identity: str) -> list[Peer]:
        return [peer for peer in list(self.peers.values()) if peer.identity == identity]


class Events:
    """LinkEvents of one client, kept; accepts at once unless told to hold."""

    def __init__(self) -> None:
        self.link: Any = None
        self.is_open = False
        self.incoming: list[Any] = []
        self.outcomes: dict[int, Outcome] = {}
        self.end: tuple[str, str | None] | None = None
        self.late: list[str] = []
        self.hold = False

    def _note(self, what: str) -> None:
        if self.end is not None:
            self.late.append(what)

    def opened(self) -> None:
        self._note("opened")
        self.is_open = True

    def received(self, incoming: Any) -> None:
        self._note("received")
        self.incoming.append(incoming)
        if not self.hold:
            self.link.accept(incoming)

    def settled(self, tag: int, outcome: Outcome) -> None:
        self._note("settled")
        self.outcomes[tag] = outcome

    def closed(self, reason: str, condition: str | None) -> None:
        self._note("closed")
        self.end = (reason, condition)

    @property
    def messages(self) -> list[Message]:
        return [incoming.message for incoming in self.incoming]


class World(Protocol):
    bus: Any
    receiver: Recorder
    unsure: bool
    """Who connects cannot be looked up just now."""

    def connect(
        self, identity: str, *, source: str | None = None, target: str = TARGET, credit: int = 32
    ) -> Events:
        """A client with this identity, whose link is under way."""

    def up(self, identity: str, *, credit: int = 32) -> Events:
        """A client whose links are open at both ends."""

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Let things happen until `condition` holds; fails when it does not in time."""

    def settle_down(self) -> None:
        """Let happen what is on its way (for asserting that something does not happen)."""

    def stop(self) -> None:
        """Stop the bus."""

    def end(self) -> None: ...


class ListenerWorld:
    """A real listener, with real certificates; the clients share one loop in the test's thread."""

    def __init__(self, folder: Path, limits: Limits | None = None, *, client_idle: float = 60.0):
        self.authority = Authority(folder)
        self.server_identity = self.authority.issue("localhost")
        self.certificates: dict[str, Identity] = {}
        self.unsure = False
        self.receiver = Recorder()
        self.client_idle = client_idle
        self.bus = ListenerBus(
            host="127.0.0.1",
            port=0,
            tls=self.authority.server_context(self.server_identity),
            authenticate=self.authenticate,
            limits=limits,
        )
        self.receiver.bus = self.bus
        self.bus.start(self.receiver)
        self.loop = uvloop.new_event_loop()
        self._all: list[Events] = []

    def authenticate(self, certificate: PeerCertificate) -> Grant | None:
        if self.unsure:
            raise CannotTell("not now")
        known = self.certificates.get(certificate.common_name)
        if known is None or known.fingerprint != certificate.fingerprint:
            return None
        identity = certificate.common_name
        return Grant(identity, source_of(identity), TARGET)

    def certificate(self, identity: str) -> Identity:
        if identity not in self.certificates:
            self.certificates[identity] = self.authority.issue(identity)
        return self.certificates[identity]

    def connect(
        self,
        identity: str,
        *,
        source: str | None = None,
        target: str = TARGET,
        credit: int = 32,
        **options: Any,
    ) -> Events:
        context = self.authority.client_context(self.certificate(identity))
        source = source or source_of(identity)
        return self.connect_with(context, source=source, target=target, credit=credit, **options)

    def connect_with(self, context: ssl.SSLContext, **options: Any) -> Events:
        return self.loop.run_until_complete(self._connect(context, **options))

    def connect_many(self, identity: str, count: int) -> list[Events]:
        """All at once, and all of one identity."""
        context = self.authority.client_context(self.certificate(identity))
        source = source_of(identity)

        async def all_of_them() -> list[Events]:
            return await asyncio.gather(
                *(self._connect(context, source=source) for _ in range(count))
            )

        return self.loop.run_until_complete(all_of_them())

    async def _connect(
        self, context: ssl.SSLContext, *, events: Events | None = None, **options: Any
    ) -> Events:
        events = events or Events()
        defaults = {
            "port": self.bus.port,
            "server_hostname": "localhost",
            "target": TARGET,
            "idle_timeout": self.client_idle,
        }
        events.link = await ClientLink.connect(
            events, host="127.0.0.1", tls=context, **(defaults | options)
        )
        self._all.append(events)
        return events

    def forget_links(self) -> None:
        self._all.clear()

    def up(self, identity: str, *, credit: int = 32) -> Events:
        events = self.connect(identity, credit=credit)
        self.until(lambda: events.is_open and self.receiver.of(identity))
        return events

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        self.loop.run_until_complete(eventually(condition, seconds))

    def settle_down(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0.1))

    def end(self) -> None:
        for events in self._all:
            events.link.shut()
        self.until(lambda: all(events.end for events in self._all))
        assert not [events.late for events in self._all if events.late]
        self.stop()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def stop(self) -> None:
        """In a thread, as the clients must run to take their leave."""
        self.loop.run_until_complete(self.loop.run_in_executor(None, self.bus.stop, 2.0))


class Good:
    """A peer that behaves, and the check that it still gets its service."""

    def __init__(self, world: ListenerWorld) -> None:
        self._world = world
        self._events = world.up("good")
        self._count = 0

    def check(self) -> None:
        events, world = self._events, self._world
        self._count += 1
        tag = events.link.send(message(self._count))
        (peer,) = world.receiver.of("good")
        world.bus.send(peer, [message(self._count)])
        world.until(lambda: tag in events.outcomes and len(events.incoming) == self._count)
        assert events.end is None


async def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.002)


class MemoryWorld:
    """The in-memory twin; nothing happens but in `until` and `settle_down`."""

    def __init__(self) -> None:
        self.unsure = False
        self.receiver = Recorder()
        self.known: set[str] = set()
        self.bus = MemoryBus(self.authenticate)
        self.receiver.bus = self.bus
        self.bus.start(self.receiver)

    def authenticate(self, certificate: PeerCertificate) -> Grant | None:
        if self.unsure:
            raise CannotTell("not now")
        identity = certificate.common_name
        if identity not in self.known:
            return None
        return Grant(identity, source_of(identity), TARGET)

    def connect(
        self, identity: str, *, source: str | None = None, target: str = TARGET, credit: int = 32
    ) -> Events:
        self.known.add(identity)
        events = Events()
        events.link = self.bus.connect(
            events,
            PeerCertificate(identity, f"fingerprint of {identity}"),
            source=source or source_of(identity),
            target=target,
            credit=credit,
        )
        return events

    def up(self, identity: str, *, credit: int = 32) -> Events:
        events = self.connect(identity, credit=credit)
        self.settle_down()
        assert events.is_open and self.receiver.of(identity)
        return events

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        while not condition():
            assert self.bus.step(), "nothing is under way and it has not happened"

    def settle_down(self) -> None:
        self.bus.pump()

    def stop(self) -> None:
        self.bus.stop()

    def end(self) -> None:
        self.stop()
