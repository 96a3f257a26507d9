"""An asyncio loop in virtual time for one process: its callbacks are events of the world and die with the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

from sim.world import Crash, Process, Timer


class _Timed(asyncio.TimerHandle):
    timer: Timer | None = None


class VirtualLoop(asyncio.AbstractEventLoop):
    """As much of a loop as coroutines, tasks, events and timers need."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.errors: list[dict[str, Any]] = []
        self._coroutines: list[Any] = []

    def enter(self, call: Callable[[], Any]) -> Any:
        """Run `call` with this as the running loop."""
        asyncio._set_running_loop(self)
        try:
            return call()
        finally:
            asyncio._set_running_loop(None)

    def time(self) -> float:
        return self._process.world.now / 1000

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._process.later(0, lambda: self._run(handle))
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = _Timed(self.time() + delay, callback, args, self, context)
        ms = max(0, -int(-delay * 1000 // 1))
        handle.timer = self._process.later(ms, lambda: self._run(handle))
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_later(when - self.time(), callback, *args, context=context)

    def _run(self, handle: asyncio.Handle) -> None:
        if not handle.cancelled():
            self.enter(handle._run)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, _Timed) and handle.timer is not None:
            handle.timer.cancel()

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        self._coroutines.append(coro)
        task = asyncio.Task(coro, loop=self, **options)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        return task

    def end(self) -> None:
        """Its process has died: what was going on goes on no more."""
        for coroutine in self._coroutines:
            with suppress(ValueError, Crash):  # the one in which it died; its last steps are void
                coroutine.close()

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return not self._process.alive

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._process.alive:
            self.errors.append(context)
