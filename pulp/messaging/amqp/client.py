"""The agent's end: one connection with one link each way, on any asyncio loop. Never reconnects by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from pulp.messaging.amqp.codec import MAX_WIRE_SIZE, Malformed, decode, encode
from pulp.messaging.amqp.driver import SHUTDOWN_TIMEOUT, Connection, Ended
from pulp.messaging.amqp.engine import Engine
from pulp.messaging.amqp.link import Incoming, LinkEvents, Outcome
from pulp.messaging.amqp.model import Condition, EngineLimits, EngineLink, Received
from pulp.messaging.amqp.pump import Pump
from pulp.messaging.amqp.sasl import ClientSasl, Sasl
from pulp.messaging.base import Message, MessagingError

__all__ = ["ClientLink", "Incoming", "LinkEvents", "Outcome", "Pump"]


class _Incoming:
    __slots__ = ("message", "received")

    def __init__(self, message: Message, received: Received) -> None:
        self.message = message
        self.received = received


class ClientLink(Connection):
    """A link.Link over AMQP: one attempt at one connection, made by `connect`."""

    def __init__(
        self,
        events: LinkEvents,
        pump: Pump,
        *,
        hostname: str,
        source: str,
        target: str,
        idle_timeout: float,
        credit: int,
        setup_timeout: float,
    ) -> None:
        super().__init__(pump, stall_timeout=idle_timeout)
        self._events = events
        self._hostname = hostname
        self._source, self._target = source, target
        self._limits = EngineLimits(idle_timeout=idle_timeout)
        self._window = credit
        self._setup_timeout = setup_timeout
        self._links: tuple[EngineLink, EngineLink] | None = None  # to receive, to send
        self._up = False
        self._queue: deque[tuple[int, bytes]] = deque()
        self._next_tag = 0
        self._tags: dict[int, int] = {}

    @classmethod
    async def connect(
        cls,
        events: LinkEvents,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        server_hostname: str | None = None,
        source: str,
        target: str,
        idle_timeout: float = 60.0,
        credit: int = 32,
        timeout: float = 30.0,
        pump: Pump | None = None,
    ) -> ClientLink:
        """TCP and TLS are up when this returns; then `opened` or `closed` follows within `timeout` seconds.

        Raises MessagingError when the server cannot be reached or is not trusted. Many links of one loop
        should share a `pump`.
        """
        loop = asyncio.get_running_loop()
        link = cls(
            events,
            pump or Pump(loop, interval=min(1.0, idle_timeout / 8)),
            hostname=server_hostname or host,
            source=source,
            target=target,
            idle_timeout=idle_timeout,
            credit=credit,
            setup_timeout=timeout,
        )
        try:
            async with asyncio.timeout(timeout):
                await loop.create_connection(
                    lambda: link,
                    host,
                    port,
                    ssl=tls,
                    server_hostname=server_hostname or host,
                    ssl_handshake_timeout=timeout,
                    ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
                )
        except (OSError, TimeoutError) as error:
            link._events = _Muted()
            raise MessagingError(
                f"Cannot connect to {host}:{port}: {error or 'timed out'}"
            ) from error
        return link

    # --- what the owner does ---

    def send(self, message: Message, *, presettled: bool = False) -> int:
        data = encode(message)
        if len(data) > MAX_WIRE_SIZE:
            raise MessagingError(
                f"Message {message.id} has {len(data)} bytes; at most {MAX_WIRE_SIZE} may be sent"
            )
        self._next_tag += 1
        self._pump.mark(self)
        if presettled:
            self._send_settled(data)
        elif self._reason is None:
            self._queue.append((self._next_tag, data))
            self.refill()
        return self._next_tag

    def accept(self, incoming: Incoming) -> None:
        if self._engine is None or self._reason is not None or not isinstance(incoming, _Incoming):
            return
        self._engine.settle(incoming.received)
        self._engine.replenish(incoming.received.link)
        self._pump.mark(self)

    @property
    def over(self) -> bool:
        return self._transport is None and self._reason is not None

    def shut(self) -> None:
        self.close(Ended.CLOSED_HERE)

    # --- the connection's side ---

    @property
    def label(self) -> str:
        return self._hostname

    def make_sasl(self, tls: ssl.SSLObject | None) -> Sasl:
        self.set_deadline(self._setup_timeout, Ended.SETUP_TIMEOUT)
        return ClientSasl()

    def make_engine(self) -> Engine:
        engine = Engine(self, container=self._source, limits=self._limits, server=False)
        engine.open(self._hostname)
        receiver = engine.attach_receiver("requests", self._source)
        self._links = receiver, engine.attach_sender("replies", self._target)
        return engine

    def on_open(self) -> None:
        """Our own open is on its way already."""

    def on_link(self, link: EngineLink) -> None:
        """A null terminus announces a refusal: the reason comes with the detach."""
        if self._up or self._links is None or any(end.address is None for end in self._links):
            return
        self._up = True
        self.clear_deadline()
        self._events.opened()
        self.engine.open_window(self._links[0], self._window)

    def on_link_closed(self, link: EngineLink, condition: Condition | None) -> None:
        self.close(Ended.PEER_CLOSED, condition)

    def on_credit(self, link: EngineLink) -> None:
        self.refill()

    def on_message(self, data: bytes, received: Received) -> None:
        if self._reason is not None:  # shut by an event before it
            return
        try:
            message = decode(data)
        except Malformed as error:
            self.engine.reject(received, Condition("amqp:decode-error", str(error)))
        else:
            self._events.received(_Incoming(message, received))

    def on_outcome(self, tag: int, outcome: Outcome) -> None:
        own = self._tags.pop(tag)
        if self._reason is None:
            self._events.settled(own, outcome)

    def ended(self, reason: Ended, condition: Condition | None) -> None:
        self._queue.clear()
        self._events.closed(
            _sentence(reason, condition), (condition.name or None) if condition else None
        )

    # --- sending ---

    def _ready_sender(self) -> EngineLink | None:
        """The sending link, if a message may go out on it now."""
        if self._links is None or self._engine is None or not self._up:
            return None
        if self._reason is not None or self._paused_at is not None:
            return None
        sender = self._links[1]
        return sender if self._engine.sendable(sender) > 0 else None

    def _send_settled(self, data: bytes) -> None:
        sender = None if self._queue else self._ready_sender()
        if sender is not None:
            self.engine.send(sender, data, settled=True)

    def refill(self) -> bool:
        count = 0
        while self._queue and (sender := self._ready_sender()) is not None:
            tag, data = self._queue.popleft()
            self._tags[self.engine.send(sender, data, settled=False)] = tag
            count += 1
        return count > 0


class _Muted:
    """For an attempt whose failure `connect` has already told."""

    def opened(self) -> None: ...

    def received(self, incoming: Incoming) -> None: ...

    def settled(self, tag: int, outcome: Outcome) -> None: ...

    def closed(self, reason: str, condition: str | None) -> None: ...


_SENTENCES = {
    Ended.PEER_CLOSED: "The server closed the connection",
    Ended.LOST: "The connection was lost",
    Ended.IDLE: "The server was silent for too long",
    Ended.STALLED: "The server does not read what is sent",
    Ended.PROTOCOL: "The server broke the protocol",
    Ended.UNAUTHENTICATED: "Authentication failed",
    Ended.SETUP_TIMEOUT: "The server did not open the links in time",
    Ended.CLOSED_HERE: "Closed by this end",
}


def _sentence(reason: Ended, condition: Condition | None) -> str:
    sentence = _SENTENCES.get(reason, "An internal error ended the connection")
    return f"{sentence}: {condition}" if condition is not None else sentence
