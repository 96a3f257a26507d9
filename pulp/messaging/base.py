"""The Bus: moves messages between the server and peers named by their connection. Knows no message's meaning.

Everything here may be called from any thread; a Receiver is called on the bus's own thread and must not block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pulp.common.errors import PulpError


class MessagingError(PulpError):
    """The bytes could not be handed over; safe to try again."""

    code = "messaging"


@dataclass(frozen=True, slots=True)
class Message:
    """One AMQP message: the bare properties of docs/WIRE.md and one Data section."""

    body: bytes
    id: str
    subject: str
    correlation_id: str | None = None
    content_type: str = "application/json"
    content_encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """One authenticated connection: who it is (the certificate's CN), and which connection of it (a serial number)."""

    identity: str
    fingerprint: str
    connection: int


class Delivery(Protocol):
    """A received message. It is unsettled until `Bus.settle` has been given it; until then no new credit is given for it."""

    @property
    def peer(self) -> Peer: ...

    @property
    def message(self) -> Message: ...


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What TLS verified: the subject's common name and the SHA-256 of the DER, in lower-case hex."""

    common_name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authenticated peer may use: the one source it may receive from, the one target it may send to."""

    identity: str
    source: str
    target: str


class CannotTell(MessagingError):
    """Who a peer is cannot be looked up just now: it is to try again."""

    code = "cannot-tell"


Authenticate = Callable[[PeerCertificate], Grant | None]
"""Called on the bus's thread for each connection; None refuses it for good, CannotTell for now. Must be fast."""


class Receiver(Protocol):
    def attached(self, peer: Peer) -> None:
        """The peer has both links up and may be sent to."""

    def detached(self, peer: Peer, reason: str) -> None: ...

    def received(self, delivery: Delivery) -> None: ...


class Bus(Protocol):
    def start(self, receiver: Receiver) -> None: ...

    def stop(self, grace: float = 5.0) -> None:
        """Close every connection, wait at most `grace` seconds for the orderly end, and join the thread."""

    def send(self, peer: Peer, messages: Sequence[Message]) -> None:
        """Hand over in order; never blocks and gives no outcome: a peer that is gone loses them, the store sends again."""

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """What they caused is on disk: accept them and give new credit."""

    def close(self, peer: Peer, condition: str, description: str) -> None:
        """End this connection and tell the peer why (an AMQP condition such as `amqp:resource-locked`)."""

    def close_identity(self, identity: str, condition: str, description: str) -> None:
        """End every connection of this identity."""
