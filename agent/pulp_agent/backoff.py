"""When to try to connect again: fast at first, so that a server's return is noticed, then ever more rarely, and jittered so
that a fleet does not come back all at once."""

from __future__ import annotations

from random import Random

FIRST = 0.5
LONGEST = 60.0
STABLE = 10.0
"""Seconds (all three). A connection that lasted this long starts the count anew."""
REFUSED_FIRST = 5.0
REFUSED_LONGEST = 300.0
"""A server that refuses this identity will hardly change its mind soon."""


class Backoff:
    """Full jitter: each delay is random between zero and twice the bound of the one before."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._refusals = 0

    def lasted(self, seconds: float) -> None:
        """A connection has ended that was up for this long."""
        if seconds >= STABLE:
            self._failures = self._refusals = 0

    def next(self) -> float:
        bound = min(LONGEST, FIRST * 2 ** min(self._failures, 10))
        self._failures += 1
        return self._random.uniform(0.0, bound)

    def next_refused(self) -> float:
        bound = min(REFUSED_LONGEST, REFUSED_FIRST * 4 ** min(self._refusals, 5))
        self._refusals += 1
        return self._random.uniform(0.8 * bound, bound)
