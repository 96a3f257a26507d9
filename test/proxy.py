"""A TCP proxy that does to connections what networks do: slow them down, cut them, half of them, spoil or swallow bytes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Way = Literal["up", "down"]
"""up: from the client to the server."""


class Fault(Enum):
    """What happens to a connection at the chosen byte."""

    RESET = "reset"  # both ends get an RST
    HALF_CLOSE = "half-close"  # the reader of this way sees its end; the other way goes on
    CORRUPT = "corrupt"  # one bit is turned
    HOLE = "hole"  # from now on nothing passes, either way, on any connection, and nobody is told


@dataclass
class _Trap:
    fault: Fault
    way: Way
    left: int


class Proxy:
    """A context manager. Listens on a loopback port of its own; `upstream` is the server's."""

    def __init__(self, upstream: int = 0) -> None:
        self.upstream = upstream
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        """Bytes since `measure`."""
        self.delay = 0.0
        """Seconds that each chunk is late."""
        self.chunk = 64 * 1024
        """The most bytes that pass at once."""
        self._trap: _Trap | None = None
        self._hole = False
        self._pairs: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._never: asyncio.Future[None] = self._loop.create_future()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def measure(self) -> None:
        self.passed = {"up": 0, "down": 0}

    def set_trap(self, fault: Fault, way: Way, after: int) -> None:
        """Once `after` more bytes have gone this way, on whatever connection."""
        self._trap = _Trap(fault, way, after)

    @property
    def sprung(self) -> bool:
        return self._trap is None

    def open_to_new_ones(self) -> None:
        """Those that hang in the hole hang on."""
        self._do(self._leave_hanging)

    def heal(self) -> None:
        """New connections pass again; those that hung in a hole are reset."""
        self._do(self._heal)

    def cut(self) -> None:
        self._do(self._reset_all)

    # --- on the loop ---

    def _do(self, action: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (action(), done.set()))
        done.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._connected, sock=self._listening)
        server = self._loop.run_until_complete(start)
        self._loop.run_forever()
        server.close()
        self._reset_all()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _leave_hanging(self) -> None:
        for pair in self._pairs:
            pair.swallowed = True
        self._hole = False

    def _heal(self) -> None:
        self._trap, self._hole = None, False
        for pair in list(self._pairs):
            if pair.swallowed:
                pair.reset()

    def _reset_all(self) -> None:
        for pair in list(self._pairs):
            pair.reset()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            _abort(writer)
            return
        pair = _Pair(writer, upstream[1])
        self._pairs.add(pair)
        with suppress(OSError):
            await asyncio.gather(
                self._pump(pair, "up", reader, upstream[1]),
                self._pump(pair, "down", upstream[0], writer),
            )
        pair.reset()
        self._pairs.discard(pair)

    async def _pump(
        self, pair: _Pair, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(self.chunk):
            if self.delay:
                await asyncio.sleep(self.delay)
            data = self._spoiled(pair, way, data)
            pair.swallowed |= self._hole
            if pair.swallowed:
                continue
            self.passed[way] += len(data)
            writer.write(data)
            await writer.drain()
        if pair.swallowed or self._hole:
            await self._never
        writer.write_eof()

    def _spoiled(self, pair: _Pair, way: Way, data: bytes) -> bytes:
        """The chunk as it goes on, after the trap if that is within it."""
        trap = self._trap
        if trap is None or trap.way != way:
            return data
        if trap.left >= len(data):
            trap.left -= len(data)
            return data
        self._trap, at = None, trap.left
        match trap.fault:
            case Fault.CORRUPT:
                return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
            case Fault.HOLE:
                self._hole = True
            case Fault.RESET:
                (pair.server if way == "up" else pair.client).write(data[:at])
                pair.reset()
            case Fault.HALF_CLOSE:
                pair.half_close(way, data[:at])
        return b""


class _Pair:
    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.swallowed = False

    def reset(self) -> None:
        _abort(self.client)
        _abort(self.server)

    def half_close(self, way: Way, last: bytes) -> None:
        """What comes this way after it falls on deaf ears."""
        writer = self.server if way == "up" else self.client
        writer.write(last)
        writer.write_eof()
        writer.write = lambda data: None  # type: ignore[method-assign]


def _abort(writer: asyncio.StreamWriter) -> None:
    """End it by RST where the kernel still has it."""
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
