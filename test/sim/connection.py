"""One connection, both ends of it: ordered both ways, with credit, and lost in part when it is cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pulp.messaging.amqp.link import LinkEvents, Outcome
from pulp.messaging.base import Grant, Message, Peer, PeerCertificate, Receiver
from sim.world import Process

if TYPE_CHECKING:
    from sim.network import Network

AGENT_CREDIT = 32


class Ear(Protocol):
    """The server's process, as far as the network knows it."""

    process: Process
    receiver: Receiver

    def authenticate(self, certificate: PeerCertificate) -> Grant | None: ...


@dataclass(eq=False, slots=True)
class Packet:
    """A message under way in either direction: a Delivery at the server, an Incoming at the agent."""

    connection: Connection
    message: Message
    tag: int = 0
    presettled: bool = False
    settled: bool = False

    @property
    def peer(self) -> Peer:
        return self.connection.peer


class _Lane:
    """One direction of one connection."""

    def __init__(self, connection: Connection, credit: int) -> None:
        self._connection = connection
        self._last = 0
        self._credit = credit
        self._waiting: deque[Callable[[], None]] = deque()
        self._unsettled = 0

    def add(self, arrive: Callable[[], None]) -> None:
        """It arrives later, after all that left before it, unless the connection is cut meanwhile."""
        world = self._connection.world
        self._last = max(self._last, world.now + world.spread(1, self._connection.latency))
        world.later(self._last - world.now, lambda: self._arrive(arrive))

    def _arrive(self, arrive: Callable[[], None]) -> None:
        if not self._connection.cut:
            arrive()

    def add_message(self, arrive: Callable[[], None]) -> None:
        self._waiting.append(arrive)
        self.fill()

    @property
    def has_credit(self) -> bool:
        return self._unsettled < self._credit and not self._waiting

    def settled(self) -> None:
        self._unsettled -= 1
        self.fill()

    def fill(self) -> None:
        while self._waiting and self._unsettled < self._credit:
            self._unsettled += 1
            self.add(self._waiting.popleft())


class Connection:
    """Both ends of it. The agent's end is an `amqp.link.Link`."""

    peer: Peer

    def __init__(self, network: Network, agent: Process, events: LinkEvents, ear: Ear) -> None:
        self.world = network.world
        self.network = network
        self.agent = agent
        self.events = events
        self.ear = ear
        self.latency = network.world.spread(5, network.slowest)
        self.up = _Lane(self, network.server_credit)
        self.down = _Lane(self, AGENT_CREDIT)
        self.cut = False
        self.attached = False
        self.agent_done = False
        self.server_done = False
        self.over = False
        self.requested: set[str] = set()
        self.canceled: set[str] = set()
        self.welcomed_at: int | None = None
        self.closed_at: int | None = None
        self._tag = 0

    # --- the agent's end ---

    def send(self, message: Message, *, presettled: bool = False) -> int:
        self._tag += 1
        if self.agent_done or not self.agent.alive:
            return self._tag
        self.network.checks.agent_sends(self, message)
        packet = Packet(self, message, self._tag, presettled)
        if presettled:
            if self.up.has_credit:
                self.up.add(lambda: self.reach_server(packet))
            return self._tag
        self.agent.durable(
            f"send {_named(message)}",
            lambda: self.up.add_message(lambda: self.reach_server(packet)),
        )
        return self._tag

    def accept(self, incoming: Packet) -> None:
        if incoming.settled or self.agent_done or not self.agent.alive:
            return
        incoming.settled = True
        self.network.checks.agent_accepts(self, incoming.message)
        self.agent.durable(
            f"accept {_named(incoming.message)}", lambda: self.up.add(self.down.settled)
        )

    def shut(self) -> None:
        if not self.agent_done:
            self.agent_done = True
            self.up.add(lambda: self._server_ends("peer-closed"))
            self.agent.later(
                self.world.spread(5, 3000), lambda: self.agent_ends("closed by this end", None)
            )

    def agent_ends(self, reason: str, condition: str | None) -> None:
        self.agent_done = True
        if not self.over and self.agent.alive:
            self.over = True
            self.network.enter(self.agent, lambda: self.events.closed(reason, condition))

    def reach_agent(self, packet: Packet) -> None:
        if not self.agent_done and self.agent.alive:
            self.world.note(self.agent.name, "<-", _named(packet.message))
            self.network.enter(self.agent, lambda: self.events.received(packet))

    def _outcome(self, packet: Packet) -> None:
        self.up.settled()
        if not packet.presettled and not self.agent_done and self.agent.alive:
            self.network.enter(
                self.agent, lambda: self.events.settled(packet.tag, Outcome.ACCEPTED)
            )

    def opened(self) -> None:
        if not self.agent_done and self.agent.alive:
            self.network.enter(self.agent, self.events.opened)

    # --- the server's end ---

    @property
    def _server_lives(self) -> bool:
        return not self.server_done and self.ear.process.alive

    def reach_server(self, packet: Packet) -> None:
        if self._server_lives:
            self.world.note("server <-", self.agent.name, _named(packet.message))
            self.ear.receiver.received(packet)

    def say(self, messages: Sequence[Message]) -> None:
        if not self._server_lives:
            return
        for message in messages:
            self.network.checks.server_sends(self, message)
            self.network.overhear(self, message)
            self.ear.process.durable(f"send {self.agent.name} {_named(message)}", lambda: None)
            packet = Packet(self, message)
            self.down.add_message(lambda packet=packet: self.reach_agent(packet))  # type: ignore[misc]

    def settle(self, packet: Packet) -> None:
        if packet.settled or not self._server_lives:
            return
        packet.settled = True
        self.network.checks.server_settles(packet)
        if packet.presettled:
            return
        self.ear.process.durable(
            f"settle {self.agent.name} {_named(packet.message)}",
            lambda: self.down.add(lambda: self._outcome(packet)),
        )

    def close(self, condition: str, description: str) -> None:
        if self._server_lives:
            self.server_done = True
            self.closed_at = self.world.now
            text = f"The server closed the connection: {condition}: {description}"
            self.down.add(lambda: self.agent_ends(text, condition))
            self._notice_server("closed-here", 1)

    def _server_ends(self, reason: str) -> None:
        """The server's end is told once that the connection is over."""
        self.server_done = True
        if self.attached and self.ear.process.alive:
            self.attached = False
            self.network.forget(self)
            self.world.note("server", "lost", self.agent.name)
            self.ear.receiver.detached(self.peer, reason)

    # --- what becomes of it ---

    def break_(self, *, agent_learns: int, server_learns: int) -> None:
        """Nothing passes any more; each end learns of it after so many ms."""
        if not self.cut:
            self.cut = True
            self.world.note("network", "cut", self.agent.name, agent_learns, server_learns)
            self._notice_server("connection-lost", server_learns)
            self.agent.later(agent_learns, lambda: self.agent_ends("the connection was lost", None))

    def _notice_server(self, reason: str, delay: int) -> None:
        self.ear.process.later(delay, lambda: self._server_ends(reason))


def _named(message: Message) -> str:
    return f"{message.subject} {message.correlation_id or ''}"
