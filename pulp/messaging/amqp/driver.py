"""What both ends of a connection share on an asyncio loop: TLS bytes to SASL to the engine, and back.

TLS is beneath (Python's ssl); what the events mean is the subclass's matter.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import cast

from pulp.messaging.amqp.engine import Engine
from pulp.messaging.amqp.model import IDLE_EXPIRED, Condition, Handler, PeerError
from pulp.messaging.amqp.pump import Pump
from pulp.messaging.amqp.sasl import Sasl, SaslError
from pulp.messaging.base import MessagingError

_log = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT = 2.0
"""Seconds a peer gets to take our last bytes and to close its side; then the socket is dropped."""
WRITE_HIGH_WATER = 64 * 1024


class Ended(Enum):
    """Why a connection ended; also the label in logs and counters."""

    PEER_CLOSED = "peer-closed"
    LOST = "connection-lost"
    IDLE = "idle-timeout"
    STALLED = "peer-does-not-read"
    OVERFLOW = "outgoing-limit"
    PROTOCOL = "protocol-error"
    UNAUTHENTICATED = "unauthenticated"
    SETUP_TIMEOUT = "setup-timeout"
    CLOSED_HERE = "closed-here"
    INTERNAL = "internal-error"


class Connection(asyncio.Protocol, Handler, ABC):
    """One connection. `ended` is called exactly once, when it is over, and nothing after it.

    States: SASL (`_engine` is None), AMQP, closing (`_reason` is set: input is dropped, output still leaves).
    """

    def __init__(self, pump: Pump, *, stall_timeout: float) -> None:
        self.dirty = False
        self._pump = pump
        self._stall_timeout = stall_timeout
        self._transport: asyncio.Transport | None = None
        self._sasl: Sasl | None = None
        self._engine: Engine | None = None
        self._reason: Ended | None = None
        self._condition: Condition | None = None
        self._paused_at: float | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def engine(self) -> Engine:
        """Raises MessagingError before SASL is done and after the end."""
        if self._engine is None:
            raise MessagingError("The connection is not open")
        return self._engine

    # --- what a subclass says ---

    @abstractmethod
    def make_sasl(self, tls: ssl.SSLObject | None) -> Sasl: ...

    @abstractmethod
    def make_engine(self) -> Engine:
        """Called when SASL is done."""

    @abstractmethod
    def ended(self, reason: Ended, condition: Condition | None) -> None: ...

    def refill(self) -> bool:
        """Give the engine more to send, as it has nothing left; False when there is no more."""
        return False

    @property
    @abstractmethod
    def label(self) -> str:
        """Who the peer is, for logs."""

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._pump.add(self)
        self.guarded(self._begin, transport.get_extra_info("ssl_object"))

    def _begin(self, tls: ssl.SSLObject | None) -> None:
        self._sasl = self.make_sasl(tls)
        self._send_sasl(self._sasl)

    def data_received(self, data: bytes) -> None:
        self.guarded(self._take, data)

    def _take(self, data: bytes) -> None:
        if self._reason is not None:
            return
        if self._engine is not None:
            self._engine.feed(data)
        elif self._sasl is not None:
            self._negotiate(self._sasl, data)
        self._pump.mark(self)

    def _negotiate(self, sasl: Sasl, data: bytes) -> None:
        try:
            rest = sasl.feed(data)
        finally:
            self._send_sasl(sasl)
        if rest is not None:
            self._sasl = None
            self._engine = self.make_engine()
            if rest:
                self._engine.feed(rest)

    def _send_sasl(self, sasl: Sasl) -> None:
        if sasl.output and self._transport is not None:
            self._transport.write(sasl.output)
            sasl.output = b""

    def eof_received(self) -> None:
        """Returning None lets asyncio close the transport."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._pump.discard(self)
        self._transport = None
        if self._deadline is not None:
            self._deadline.cancel()
        if self._reason is None:
            self._reason = Ended.LOST
            if exc is not None:
                self._condition = Condition("", str(exc))
        try:
            self.ended(self._reason, self._condition)
        except Exception:
            _log.exception("Handling the end of a connection failed", extra={"peer": self.label})
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.free()

    def pause_writing(self) -> None:
        self._paused_at = self._pump.loop.time()

    def resume_writing(self) -> None:
        self._paused_at = None
        self._pump.mark(self)

    # --- the pump's side ---

    def guarded(self, step: Callable[..., None], *args: object) -> None:
        """Run a step of this connection; whatever goes wrong ends this connection only."""
        try:
            step(*args)
        except SaslError as error:
            self._condition = Condition(error.condition, str(error))
            self._leave(Ended.UNAUTHENTICATED)
        except PeerError as error:
            self.close(Ended.PROTOCOL, Condition(error.condition, str(error)))
        except Exception:
            _log.exception("Handling a connection failed", extra={"peer": self.label})
            self.abort(Ended.INTERNAL)

    def flush(self) -> None:
        """Hand the engine's output to the transport for as long as the peer takes it."""
        engine, transport = self._engine, self._transport
        if engine is None or transport is None:
            return
        while self._paused_at is None:
            if data := engine.output():
                transport.write(data)
            elif self._reason is not None or not self.refill():
                break
        if engine.finished:
            self._leave(Ended.PEER_CLOSED)

    def sweep(self, now: float) -> None:
        if self._paused_at is not None and now - self._paused_at > self._stall_timeout:
            self.abort(Ended.STALLED)
        elif self._engine is not None and self._reason is None and self._engine.tick(now):
            self._pump.mark(self)

    # --- ends ---

    def set_deadline(self, seconds: float, reason: Ended) -> None:
        """Abort after `seconds` unless `clear_deadline` comes first."""
        self.clear_deadline()
        self._deadline = self._pump.loop.call_later(seconds, self.abort, reason)

    def clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def close(self, reason: Ended, condition: Condition | None = None) -> None:
        """Tell the peer, then leave. Before SASL is done there is nobody to tell."""
        if self._reason is not None:
            return
        if self._engine is None:
            self._condition = condition
            self._leave(reason)
            return
        self._reason, self._condition = reason, condition
        self._engine.close(condition)
        self._pump.mark(self)
        self.set_deadline(SHUTDOWN_TIMEOUT, reason)

    def _leave(self, reason: Ended) -> None:
        """Close the transport once what was written has left; the deadline covers a peer that takes nothing."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.close()
            self.set_deadline(SHUTDOWN_TIMEOUT, reason)

    def abort(self, reason: Ended) -> None:
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def on_close(self, condition: Condition | None) -> None:
        self._over(Ended.PEER_CLOSED, condition)

    def on_failure(self, condition: Condition | None) -> None:
        silent = condition is not None and condition.description == IDLE_EXPIRED
        self._over(Ended.IDLE if silent else Ended.PROTOCOL, condition)

    def _over(self, reason: Ended, condition: Condition | None) -> None:
        """The engine ends by itself; what it still has to say leaves with the next flush."""
        if self._reason is None:
            self._reason, self._condition = reason, condition
            self._pump.mark(self)
            self.set_deadline(SHUTDOWN_TIMEOUT, reason)
