"""The agent's end of a link as its owner sees it; AMQP (client.py) and the in-memory twin implement it."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from pulp.messaging.base import Message


class Outcome(Enum):
    """What the receiver said of a message."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RELEASED = "released"
    """Not taken, may be sent again; also AMQP's `modified`, and settled without any state."""


class Incoming(Protocol):
    """A received message, until `Link.accept` has been given it."""

    @property
    def message(self) -> Message: ...


class LinkEvents(Protocol):
    """Called on the link's own thread. `closed` is called once, and nothing after it."""

    def opened(self) -> None:
        """Both directions are up: messages may come and go."""

    def received(self, incoming: Incoming) -> None:
        """Give `incoming` to `Link.accept` once what it caused is on disk."""

    def settled(self, tag: int, outcome: Outcome) -> None:
        """What the server said of the message that `send` gave this tag."""

    def closed(self, reason: str, condition: str | None) -> None:
        """`reason` is a sentence; `condition` is the AMQP condition that ended it, if any."""


class Link(Protocol):
    """One connection's life; never reconnects."""

    @property
    def over(self) -> bool:
        """`closed` has been called, or is being called."""

    def send(self, message: Message, *, presettled: bool = False) -> int:
        """Its tag. Waits for the server's credit, except that a presettled message is dropped without it.

        Raises MessagingError when the message is larger than the wire allows.
        """

    def accept(self, incoming: Incoming) -> None:
        """Tell the server that it need not send this again; does nothing when the connection is over."""

    def shut(self) -> None:
        """Close in an orderly way; `closed` follows."""
