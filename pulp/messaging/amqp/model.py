"""The engine's values and the interface of who owns an engine; nothing here needs Proton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pulp.messaging.amqp.codec import MAX_WIRE_SIZE
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.base import MessagingError

IDLE_EXPIRED = "local-idle-timeout expired"
"""The description Proton gives when the peer has been silent for the idle timeout: AMQP has no condition for it."""

Pointer = Any  # cffi pointers have no static types


class PeerError(MessagingError):
    """The peer broke a rule; its connection is closed with this AMQP condition."""

    code = "peer"

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


@dataclass(frozen=True, slots=True)
class Condition:
    """Why an end of a connection, session or link was closed. `name` is empty where AMQP was not asked."""

    name: str
    description: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.name, self.description) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What a peer may make us hold. `idle_timeout` in seconds, 0 for none; sizes in bytes."""

    idle_timeout: float
    max_message_size: int = MAX_WIRE_SIZE
    max_links: int = 4
    channel_max: int = 3


class EngineLink:
    """Our end of one link. `address`: what the peer's end names; None when it names nothing or not UTF-8."""

    __slots__ = ("address", "is_sender", "ours", "pointer", "presettled", "unsettled", "window")

    def __init__(self, pointer: Pointer, *, is_sender: bool, ours: bool) -> None:
        self.pointer = pointer
        self.is_sender = is_sender
        self.ours = ours  # proposed by this end
        self.address: str | None = None
        self.presettled = False  # the peer wants what we send to be settled already
        self.window = 0
        self.unsettled = 0


class Received:
    """The engine's handle of a received message: give it to `settle` or `reject` once; more does nothing."""

    __slots__ = ("link", "pointer", "settled")

    def __init__(self, link: EngineLink, pointer: Pointer | None) -> None:
        self.link = link
        self.pointer = pointer  # None: the peer sent it settled; the pointer dies with settling
        self.settled = False


class Handler(Protocol):
    """Who owns an engine. May call the engine back at once; may raise PeerError to have the connection closed."""

    def on_open(self) -> None: ...

    def on_link(self, link: EngineLink) -> None:
        """The peer opened its end: of a link it proposes, or of one that we proposed."""

    def on_link_closed(self, link: EngineLink, condition: Condition | None) -> None: ...

    def on_credit(self, link: EngineLink) -> None:
        """A sending link's credit changed."""

    def on_message(self, data: bytes, received: Received) -> None:
        """Settle or reject `received` when its work is done: it holds back credit until then."""

    def on_outcome(self, tag: int, outcome: Outcome) -> None: ...

    def on_close(self, condition: Condition | None) -> None:
        """The peer closed the connection."""

    def on_failure(self, condition: Condition | None) -> None:
        """The peer sent what is not AMQP, or (IDLE_EXPIRED) nothing at all for too long."""
