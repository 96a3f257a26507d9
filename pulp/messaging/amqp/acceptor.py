"""Accepts TCP connections and takes them through the TLS handshake, no more of them at a time than the limit."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine

from pulp.messaging.amqp.driver import SHUTDOWN_TIMEOUT, Connection

_log = logging.getLogger(__name__)

_BACKLOG = 4096
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_RETRY = 0.5
"""Seconds to wait when the system has no descriptors left."""

Admit = Callable[[str], Connection | None]
"""Makes the connection for a remote address; None: there is no room, refuse it."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises OSError when the address cannot be bound."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listening.setblocking(False)
    return listening


class Acceptor:
    """Runs on the loop from `start` to `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext,
        *,
        handshake_timeout: float,
        max_handshakes: int,
        admit: Admit,
        refused: Callable[[str, str], None],
    ) -> None:
        self._listening = listening
        self._tls = tls
        self._timeout = handshake_timeout
        self._admit = admit
        self._refused = refused
        self._room = asyncio.Semaphore(max_handshakes)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._spawn(self._accept())

    async def stop(self) -> None:
        """Stop listening and give up the handshakes under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listening.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("Accepting a connection failed", exc_info=error)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                accepted, address = await loop.sock_accept(self._listening)
            except OSError as error:
                self._room.release()
                await self._failed(error)
            else:
                self._spawn(self._handshake(accepted, str(address[0])))

    async def _failed(self, error: OSError) -> None:
        """Most errors concern one peer that has gone; without descriptors the next try would fail as well."""
        if error.errno in _EXHAUSTED:
            _log.error("Cannot accept connections for now", extra={"error": str(error)})
            await asyncio.sleep(_RETRY)

    async def _handshake(self, accepted: socket.socket, address: str) -> None:
        try:
            connection = self._admit(address)
            if connection is not None:
                await self._establish(accepted, connection)
        except (OSError, EOFError) as error:  # ssl.SSLError and timeouts are OSErrors
            self._refused("tls", f"{address}: {error}")
            accepted.close()
        except BaseException:
            accepted.close()
            raise
        else:
            if connection is None:
                accepted.close()
        finally:
            self._room.release()

    async def _establish(self, accepted: socket.socket, connection: Connection) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            accepted,
            ssl=self._tls,
            ssl_handshake_timeout=self._timeout,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
        )
