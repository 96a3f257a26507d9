"""The embedded bus: agents connect straight to the server. One thread, one event loop, every connection in it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pulp.messaging.amqp.acceptor import Acceptor, listening_socket
from pulp.messaging.amqp.codec import encode
from pulp.messaging.amqp.hub import ConnectionHub, Snapshot
from pulp.messaging.amqp.limits import Limits
from pulp.messaging.amqp.model import Condition
from pulp.messaging.amqp.pump import Pump
from pulp.messaging.base import Authenticate, Delivery, Message, MessagingError, Peer, Receiver

_log = logging.getLogger(__name__)

__all__ = ["Limits", "ListenerBus", "Snapshot"]

_STOPPING = Condition("amqp:connection:forced", "The server is stopping")
_POLL = 0.02


class ListenerBus:
    """A base.Bus that listens; port 0 takes a free one, see `port`. Starts once.

    `tls` must verify client certificates. `authenticate` runs on the bus's thread and must be fast.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        authenticate: Authenticate,
        limits: Limits | None = None,
    ) -> None:
        _check_tls(tls)
        self._host, self._wanted_port, self._tls = host, port, tls
        self._authenticate = authenticate
        self._limits = limits or Limits()
        self._actions: deque[Callable[[], None]] = deque()
        self._awake = False
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The bound TCP port, once started."""
        return self._port

    @property
    def running(self) -> bool:
        """The thread is alive; when it is not after `start`, nothing moves any more."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, receiver: Receiver) -> None:
        """Raises MessagingError when the address cannot be bound."""
        try:
            listening = listening_socket(self._host, self._wanted_port)
        except OSError as error:
            where = f"{self._host}:{self._wanted_port}"
            raise MessagingError(f"Cannot listen on {where}: {error}") from error
        self._port: int = listening.getsockname()[1]
        self._loop = _new_loop()
        self._loop.set_exception_handler(_log_loop_error)
        self._stopped: asyncio.Future[float] = self._loop.create_future()
        pump = Pump(self._loop, interval=min(1.0, self._limits.idle_timeout / 8))
        self._hub = ConnectionHub(pump, receiver, self._authenticate, self._limits)
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name="pulp-messaging", daemon=True
        )
        self._thread.start()

    def stop(self, grace: float = 5.0) -> None:
        if self._thread is not None:
            self._act(lambda: self._request_stop(grace))
            self._thread.join()

    def send(self, peer: Peer, messages: Sequence[Message]) -> None:
        """Raises MessagingError, and sends nothing, when a message is larger than the limit."""
        encoded = [self._encode(message) for message in messages]
        self._act(lambda: self._hub.send(peer, encoded))

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        self._act(lambda: self._hub.settle(deliveries))

    def close(self, peer: Peer, condition: str, description: str) -> None:
        self._act(lambda: self._hub.close(peer, Condition(condition, description)))

    def close_identity(self, identity: str, condition: str, description: str) -> None:
        self._act(lambda: self._hub.close_identity(identity, Condition(condition, description)))

    def snapshot(self) -> Snapshot:
        """Counters for metrics, once started."""
        return self._hub.snapshot()

    def _encode(self, message: Message) -> bytes:
        data = encode(message)
        if len(data) > self._limits.max_message_size:
            size, limit = len(data), self._limits.max_message_size
            raise MessagingError(
                f"Message {message.id} has {size} bytes; at most {limit} may be sent"
            )
        return data

    # --- entering the loop ---

    def _act(self, action: Callable[[], None]) -> None:
        """Queue it for the loop, and wake the loop once for many; after the end nothing happens."""
        self._actions.append(action)
        if not self._awake:
            self._awake = True
            try:
                self._loop.call_soon_threadsafe(self._run_actions)
            except RuntimeError:  # the loop is closed: no connection is left to act on
                self._actions.clear()

    def _run_actions(self) -> None:
        self._awake = False  # first: what is queued from now on wakes the loop again
        while self._actions:
            action = self._actions.popleft()
            try:
                action()
            except Exception:
                _log.exception("A messaging action failed")

    # --- the thread ---

    def _request_stop(self, grace: float) -> None:
        if not self._stopped.done():
            self._stopped.set_result(grace)

    def _run(self, listening: socket.socket) -> None:
        try:
            self._loop.run_until_complete(self._serve(listening))
        except Exception:
            _log.critical("The messaging thread failed", exc_info=True)
        finally:
            listening.close()
            self._loop.close()

    async def _serve(self, listening: socket.socket) -> None:
        acceptor = Acceptor(
            listening,
            self._tls,
            handshake_timeout=self._limits.auth_timeout,
            max_handshakes=self._limits.max_handshakes,
            admit=self._hub.admit,
            refused=self._hub.count_refused,
        )
        acceptor.start()
        grace = await self._stopped
        await acceptor.stop()
        self._hub.close_all(_STOPPING)
        await self._until_empty(grace)
        self._hub.abort_all()
        await self._until_empty(1.0)

    async def _until_empty(self, seconds: float) -> None:
        end = self._loop.time() + seconds
        while not self._hub.empty and self._loop.time() < end:
            await asyncio.sleep(_POLL)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's: without it TLS costs 256 kB more for each connection."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _check_tls(tls: ssl.SSLContext) -> None:
    if tls.verify_mode is not ssl.CERT_REQUIRED:
        raise ValueError(
            "tls: set verify_mode to CERT_REQUIRED: peers are known by their certificates"
        )
    if tls.minimum_version < ssl.TLSVersion.TLSv1_2:
        raise ValueError("tls: set minimum_version to TLSv1_2 or later")


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _log.error(
        "The messaging loop caught an error",
        exc_info=context.get("exception"),
        extra={"what": context.get("message")},
    )
