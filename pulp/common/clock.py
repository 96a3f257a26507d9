"""The clock as a value to be handed in. Cores take `now` as an argument; only threads' outer loops own a Clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Wall clock: milliseconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; for durations only."""


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
