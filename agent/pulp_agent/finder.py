"""Next openings of calendars, in the host's zone. Thousands of calls may share a calendar, so answers are remembered."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from pulp.common.calendar import HORIZON, Calendar, Opening, openings
from pulp.common.errors import InvalidInput
from pulp.common.times import DAY
from pulp_agent.gate import fitting

_MOST = 64
"""Calendars and lengths of work that answers are remembered for."""
_TRIES = 2000
"""So many openings in which the work does not fit are passed over, before it is taken to fit in none."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Holds for every moment in `since` ≤ t < `before`."""

    opening: Opening | None
    since: int
    before: int


class Finder:
    def __init__(self, host_zone: str) -> None:
        self._zone = host_zone
        self._known: dict[tuple[Calendar, int], _Answer] = {}

    def find(self, calendar: Calendar, *, at: int, expected: int) -> Opening | None:
        """The first opening in which work of this length (ms; 0: any) can start at `at` or later and be done by the cutoff.

        None also for a calendar that cannot be read here: what nobody understands opens nothing.
        """
        known = self._known.get((calendar, expected))
        if known is None or not known.since <= at < known.before:
            known = self._look(calendar, at, expected)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[calendar, expected] = known
        return known.opening

    def _look(self, calendar: Calendar, at: int, expected: int) -> _Answer:
        try:
            found = openings(calendar, begin=at, end=at + HORIZON, host_zone=self._zone)
            for opening in islice(found, _TRIES):
                closes = fitting(opening.cutoff_at, expected)
                if max(at, opening.begin) < closes:
                    return _Answer(opening, at, closes)
        except InvalidInput:
            pass
        return _Answer(None, at, at + DAY)
