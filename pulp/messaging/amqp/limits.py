"""What peers may take of the listener."""

from __future__ import annotations

from dataclasses import dataclass

from pulp.messaging.amqp.codec import MAX_WIRE_SIZE
from pulp.messaging.amqp.model import EngineLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What peers may take of the listener. Times in seconds, sizes in bytes."""

    idle_timeout: float = 60.0
    """Silence after which a peer counts as gone, and how long one may leave our bytes unread."""
    auth_timeout: float = 10.0
    """For the TLS handshake, and again from there to both links being up."""
    credit: int = 64
    """Messages that a peer may have sent and we have not settled."""
    max_connections: int = 20_000
    max_handshakes: int = 1_000
    """TLS handshakes at a time; further connections wait in the kernel's backlog."""
    max_links: int = 4
    channel_max: int = 3
    max_message_size: int = MAX_WIRE_SIZE
    max_outgoing: int = 1_024
    """Messages handed over for one connection that its peer has not settled."""
    max_outgoing_bytes: int = 4 * MAX_WIRE_SIZE
    """Bytes of one connection that wait for the peer's credit."""

    def __post_init__(self) -> None:
        for name in ("idle_timeout", "auth_timeout", "credit", "max_handshakes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")

    def engine(self) -> EngineLimits:
        return EngineLimits(
            idle_timeout=self.idle_timeout,
            max_message_size=self.max_message_size,
            max_links=self.max_links,
            channel_max=self.channel_max,
        )
