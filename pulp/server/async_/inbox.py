"""The Inbox: what the bus delivers, in order, until the dispatcher takes it. Called on the bus's thread; never blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pulp.messaging.base import Bus, Delivery, Peer
from pulp.rmi import codec
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import FINALS
from pulp.server.agent import Pending


@dataclass(frozen=True, slots=True)
class Gone:
    """This connection ended."""

    peer: Peer


class Inbox:
    """Implements messaging.Receiver. It cannot overflow: a delivery that is not settled gives its sender no new credit."""

    def __init__(self, bus: Bus, pending: Pending, wake: Callable[[], None]) -> None:
        self._bus = bus
        self._pending = pending
        self._wake = wake
        self._events: deque[Delivery | Gone] = deque()

    def attached(self, peer: Peer) -> None:
        """A session begins with the hello, not with the connection."""

    def detached(self, peer: Peer, reason: str) -> None:
        self._events.append(Gone(peer))
        self._wake()

    def received(self, delivery: Delivery) -> None:
        if self._pending.waits_for(delivery.message.correlation_id):
            self._resolve(delivery)
        else:
            self._events.append(delivery)
            self._wake()

    def _resolve(self, delivery: Delivery) -> None:
        """An answer whose caller waits in a thread of its own: nothing of it is stored."""
        try:
            found = codec.decode_for_server(
                delivery.message.body, delivery.message.content_encoding
            )
            if isinstance(found, FINALS):
                self._pending.resolve(found)
        except RemoteCallError:
            pass  # its caller will time out
        self._bus.settle([delivery])

    def take(self, limit: int) -> list[Delivery | Gone]:
        taken: list[Delivery | Gone] = []
        while self._events and len(taken) < limit:
            taken.append(self._events.popleft())
        return taken

    def put_back(self, events: Sequence[Delivery | Gone]) -> None:
        """What could not be stored now, to be taken again first."""
        self._events.extendleft(reversed(events))

    def __len__(self) -> int:
        return len(self._events)
