"""What all connections of one loop share: their flushes and their clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Pumped(Protocol):
    """A connection, as the pump sees it."""

    dirty: bool

    def guarded(self, step: Callable[..., None], *args: object) -> None:
        """Run the step; an error in it ends this connection only."""

    def flush(self) -> None: ...

    def sweep(self, now: float) -> None: ...


class Pump:
    """Shared by all connections of one loop: one flush for many events, and one sweep for all idle timeouts."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, interval: float = 1.0) -> None:
        self.loop = loop
        self.interval = interval
        self._connections: set[Pumped] = set()
        self._dirty: list[Pumped] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Pumped) -> None:
        self._connections.add(connection)
        if self._timer is None:
            self._timer = self.loop.call_later(self.interval, self._sweep)

    def discard(self, connection: Pumped) -> None:
        self._connections.discard(connection)
        if not self._connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def mark(self, connection: Pumped) -> None:
        """Flush `connection` once the loop has handled what is ready now."""
        if not connection.dirty:
            connection.dirty = True
            if not self._dirty:
                self.loop.call_soon(self._flush)
            self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.dirty = False
            connection.guarded(connection.flush)

    def _sweep(self) -> None:
        self._timer = self.loop.call_later(self.interval, self._sweep)
        now = self.loop.time()
        for connection in list(self._connections):
            connection.guarded(connection.sweep, now)
