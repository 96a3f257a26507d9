"""The in-memory twin of the listener and of the agent's link: no threads, no clock, nothing moves until it is pumped.

For simulations and unit tests. Held to the listener's contract by test/contract/test_bus.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from pulp.messaging.amqp.codec import MAX_WIRE_SIZE, encode
from pulp.messaging.amqp.link import Incoming, LinkEvents, Outcome
from pulp.messaging.base import (
    Authenticate,
    CannotTell,
    Delivery,
    Grant,
    Message,
    MessagingError,
    Peer,
    PeerCertificate,
    Receiver,
)
from pulp.messaging.memory_lanes import Lane, Step, Window

_log = logging.getLogger(__name__)

Pick = Callable[[int], int]
"""Given how many lanes have something under way, the index of the one that moves (such as `random.randrange`)."""


def _first(_count: int) -> int:
    return 0


class _Received:
    """A Delivery at the server's end, an Incoming at the agent's."""

    __slots__ = ("link", "message", "settled", "tag")

    def __init__(self, link: MemoryLink, message: Message, tag: int | None) -> None:
        self.link = link
        self.message = message
        self.tag = tag  # None: presettled
        self.settled = False

    @property
    def peer(self) -> Peer:
        return self.link.peer


class MemoryLink:
    """One connection, both ends of it; the agent's end is a link.Link."""

    peer: Peer

    def __init__(
        self, bus: MemoryBus, events: LinkEvents, ready: list[Lane], credits_: tuple[int, int]
    ) -> None:
        self._bus = bus
        self._events = events
        self._to_server, self._to_agent = Lane(ready), Lane(ready)
        self._replies, self._requests = Window(credits_[0]), Window(credits_[1])
        self._tag = 0
        self.serial = 0  # of the connection; 0: refused
        self._opened = False  # the agent's end knows that it may send
        self._attached = False
        self._server_done = False  # the server's end takes nothing more
        self._agent_done = False  # the agent's end takes nothing more
        self.over = False

    # --- the agent's end ---

    def send(self, message: Message, *, presettled: bool = False) -> int:
        _check_size(message)
        self._tag += 1
        delivery = _Received(self, message, None if presettled else self._tag)
        arrive = partial(self._to_server.add, partial(self._arrive, delivery))
        if self._agent_done:
            return self._tag
        if not presettled or (self._opened and self._replies.open and not self._replies.waiting):
            self._replies.waiting.append(arrive)
        if self._opened:
            self._replies.fill()
        return self._tag

    def accept(self, incoming: Incoming) -> None:
        if isinstance(incoming, _Received) and not incoming.settled and not self._agent_done:
            incoming.settled = True
            self._to_server.add(self._requests.settle)

    def shut(self) -> None:
        if not self._agent_done:
            self._agent_done = True
            self._to_server.add(partial(self._server_ends, "peer-closed"))
            self._to_server.add(partial(self._close_agent, "Closed by this end", None))

    def drop(self, reason: str = "connection-lost") -> None:
        """The network breaks: what is under way is lost, and both ends notice."""
        if not self.over:
            self._agent_done = True
            self._to_server.clear()
            self._to_agent.clear()
            self._to_server.add(partial(self._server_ends, reason))
            self._to_agent.add(partial(self._agent_ends, "The connection was lost", None))

    def _open(self) -> None:
        if not self._agent_done:
            self._opened = True
            self._events.opened()
            self._replies.fill()

    def _come(self, incoming: _Received) -> None:
        if not self._agent_done:
            self._events.received(incoming)

    def _outcome(self, tag: int | None) -> None:
        self._replies.settle()
        if tag is not None and not self._agent_done:
            self._events.settled(tag, Outcome.ACCEPTED)

    def _close_agent(self, reason: str, condition: str | None) -> None:
        self._to_agent.add(partial(self._agent_ends, reason, condition))

    def _agent_ends(self, reason: str, condition: str | None) -> None:
        self._agent_done = True
        if not self.over:
            self.over = True
            self._replies.waiting.clear()
            self._events.closed(reason, condition)

    # --- the server's end ---

    def refuse(self, why: str, condition: str = "amqp:unauthorized-access") -> None:
        self._server_done = True
        self._close_agent(f"The server closed the connection: {condition}: {why}", condition)

    def attach(self, peer: Peer) -> None:
        self.peer, self.serial = peer, peer.connection
        self._to_server.add(self._attach)

    def _attach(self) -> None:
        if not self._server_done:
            self._attached = True
            self._to_agent.add(self._open)
            self._guarded(lambda: self._bus.receiver.attached(self.peer))

    def _arrive(self, delivery: _Received) -> None:
        if not self._server_done:
            self._guarded(lambda: self._bus.receiver.received(delivery))

    def _guarded(self, step: Step) -> None:
        """As in the listener: a bug in the layer above ends this connection only."""
        try:
            step()
        except Exception:
            _log.exception("Handling a connection failed", extra={"peer": self.peer.identity})
            self.drop("internal-error")

    def send_requests(self, messages: Sequence[Message], bound: int) -> None:
        if self._server_done:
            return
        for message in messages:
            come = partial(self._come, _Received(self, message, 0))
            self._requests.waiting.append(partial(self._to_agent.add, come))
        self._requests.fill()
        if len(self._requests.waiting) + self._requests.unsettled > bound:
            text = "Messages are not taken as fast as they come"
            self.close("amqp:resource-limit-exceeded", text, reason="outgoing-limit")

    def settle(self, delivery: _Received) -> None:
        if not delivery.settled and not self._server_done:
            delivery.settled = True
            self._to_agent.add(partial(self._outcome, delivery.tag))

    def close(self, condition: str, description: str, *, reason: str = "closed-here") -> None:
        if not self._server_done:
            self._server_done = True
            self._requests.waiting.clear()
            text = f"The server closed the connection: {condition}: {description}"
            self._close_agent(text, condition)
            self._to_server.add(partial(self._server_ends, reason))

    def _server_ends(self, reason: str) -> None:
        self._server_done = True
        self._bus.forget(self)
        if self._attached:
            self._attached = False
            self._bus.receiver.detached(self.peer, reason)


class MemoryBus:
    """A base.Bus. What its users ask for happens at once or goes on its way; only `step` and `pump` let it arrive."""

    receiver: Receiver

    def __init__(
        self, authenticate: Authenticate, *, credit: int = 64, max_outgoing: int = 1024
    ) -> None:
        self._authenticate = authenticate
        self._credit = credit
        self._max_outgoing = max_outgoing
        self._ready: list[Lane] = []
        self._links: dict[int, MemoryLink] = {}
        self._serial = 0

    # --- the Bus interface ---

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def stop(self, grace: float = 5.0) -> None:
        for link in list(self._links.values()):
            link.close("amqp:connection:forced", "The server is stopping")
        self.pump()

    def send(self, peer: Peer, messages: Sequence[Message]) -> None:
        for message in messages:
            _check_size(message)
        link = self._links.get(peer.connection)
        if link is not None:
            link.send_requests(messages, self._max_outgoing)

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if isinstance(delivery, _Received):
                delivery.link.settle(delivery)

    def close(self, peer: Peer, condition: str, description: str) -> None:
        link = self._links.get(peer.connection)
        if link is not None:
            link.close(condition, description)

    def close_identity(self, identity: str, condition: str, description: str) -> None:
        for link in list(self._links.values()):
            if link.peer.identity == identity:
                link.close(condition, description)

    # --- the network ---

    def connect(
        self,
        events: LinkEvents,
        certificate: PeerCertificate,
        *,
        source: str,
        target: str,
        credit: int = 32,
    ) -> MemoryLink:
        """What `ClientLink.connect` does over the network; `opened` or `closed` comes with the pump."""
        link = MemoryLink(self, events, self._ready, (self._credit, credit))
        try:
            grant = self._authenticate(certificate)
        except CannotTell as unsure:
            link.refuse(str(unsure), "amqp:internal-error")
            return link
        if grant is None:
            link.refuse("The certificate is not accepted")
        elif (source, target) != (grant.source, grant.target):
            link.refuse(f"{grant.identity} may not use this address")
        else:
            self._admit(link, grant, certificate)
        return link

    def _admit(self, link: MemoryLink, grant: Grant, certificate: PeerCertificate) -> None:
        self._serial += 1
        self._links[self._serial] = link
        link.attach(Peer(grant.identity, certificate.fingerprint, self._serial))

    def forget(self, link: MemoryLink) -> None:
        self._links.pop(link.serial, None)

    def step(self, pick: Pick = _first) -> bool:
        """Let one thing arrive, on the lane that `pick` chooses; False when nothing is under way."""
        if not self._ready:
            return False
        self._ready[pick(len(self._ready))].take()()
        return True

    def pump(self, pick: Pick = _first) -> int:
        """Let everything arrive, also what that sets off; how many steps it took."""
        steps = 0
        while self.step(pick):
            steps += 1
        return steps


def _check_size(message: Message) -> None:
    size = len(encode(message))
    if size > MAX_WIRE_SIZE:
        raise MessagingError(
            f"Message {message.id} has {size} bytes; at most {MAX_WIRE_SIZE} may be sent"
        )
