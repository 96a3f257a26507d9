"""A thread that is nothing but a loop around a step: wakes, steps, sleeps until the step's next moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pulp.common.clock import Clock
from pulp.common.times import SECOND

log = logging.getLogger(__name__)

Step = Callable[[int], int | None]
"""now (ms UTC) → the moment of the next step; a past one means at once, None means when woken."""

RETRY = SECOND
LONGEST = 30 * SECOND  # also bounds what a step of the wall clock can do


class Loop:
    def __init__(
        self, name: str, step: Step, clock: Clock, woken: threading.Event | None = None
    ) -> None:
        """woken: the event others set to have the next step at once."""
        self._step = step
        self._clock = clock
        self._woken = woken or threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Let the present step end and join the thread; `timeout` in seconds."""
        self._stopping = True
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            self._woken.wait(self._pause() / SECOND)

    def _pause(self) -> int:
        """Do one step; how long (ms) to sleep after it. An error in a step never ends the loop."""
        now = self._clock.now()
        try:
            next_moment = self._step(now)
        except Exception:
            log.exception("step failed", extra={"loop": self._thread.name})
            return RETRY
        if next_moment is None:
            return LONGEST
        return max(0, min(next_moment - self._clock.now(), LONGEST))
