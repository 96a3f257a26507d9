"""What windows and freezes allow together: windows joined, freezes cut out, as disjoint openings. Lazy and pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter

from msgspec import Struct

from pulp.common.calendar.spans import LONGEST, Span, cutoff_of, spans
from pulp.common.times import DAY

HORIZON = 3_653 * DAY
"""Ten years: nobody looks further for the next opening."""
CHAIN = 35 * DAY
"""How far windows that touch are followed, back and forth."""

_Change = tuple[int, int, int]
"""(ms UTC, place of the span, +1 it begins or -1 it ends); windows have the first places, freezes the rest."""


class Calendar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Work may start inside any of the windows while no freeze is on. Without a window it may not start at all."""

    windows: tuple[Span, ...]
    freezes: tuple[Span, ...] = ()


class Opening(Struct, frozen=True, kw_only=True):
    """Work may start from `begin` on and no longer at `cutoff_at`; it should be done before `end` (ms UTC).

    `sources`: the names of the windows that have a part in it, in the calendar's order.
    """

    begin: int
    end: int
    cutoff_at: int
    sources: tuple[str, ...]


def openings(calendar: Calendar, *, begin: int, end: int, host_zone: str) -> Iterator[Opening]:
    """The openings that have a part in `begin` ≤ t < `end`, each told whole, ascending, with a gap between any two.

    Windows that touch make one opening. Its cutoff is that of the window that lasts to its end, the shortest of several.
    An opening without a moment to start in is left out. Windows that touch without end are told in pieces of CHAIN or more:
    a piece has no cutoff, and the next begins where it ends. InvalidInput if a span is not well formed.
    """
    start = _chain_begin(calendar.windows, begin, host_zone)
    before = end + CHAIN + LONGEST
    sweep = _Sweep(calendar, since=begin)
    changes = _changes(calendar, after=start, before=before, host_zone=host_zone)
    for at, together in groupby(changes, key=itemgetter(0)):
        opening = sweep.go_on(at, together)
        if opening is not None and opening.end > begin:
            yield opening
        if at >= end and (sweep.opened is None or sweep.opened >= end):
            return


def next_opening(calendar: Calendar, *, at: int, host_zone: str) -> Opening | None:
    """The first opening in which work may start at `at` or later; None if there is none within HORIZON."""
    found = openings(calendar, begin=at, end=at + HORIZON, host_zone=host_zone)
    return next((opening for opening in found if opening.cutoff_at > at), None)


class _Sweep:
    """Goes through time from change to change and knows which windows and freezes are on."""

    def __init__(self, calendar: Calendar, *, since: int) -> None:
        self._names = [window.name for window in calendar.windows]
        self._cutoffs = [cutoff_of(window) for window in calendar.windows]
        self._on = [0] * (len(calendar.windows) + len(calendar.freezes))
        self._windows = range(len(calendar.windows))
        self._since = since
        self._allowed: list[int] = []  # the windows that are on, if no freeze is
        self._parts: set[int] = set()
        self.opened: int | None = None

    def go_on(self, at: int, changes: Iterable[_Change]) -> Opening | None:
        """All changes of one instant. The opening that ends there, if one does."""
        for _, place, step in changes:
            self._on[place] += step
        allowed = self._windows_on() if not any(self._on[len(self._names) :]) else []
        ended = self._ended(at, goes_on=bool(allowed))
        if allowed and self.opened is None:
            self.opened = at
        self._parts.update(allowed)
        self._allowed = allowed
        return ended

    def _windows_on(self) -> list[int]:
        return [place for place, on in zip(self._windows, self._on, strict=False) if on]

    def _ended(self, at: int, *, goes_on: bool) -> Opening | None:
        if self.opened is None:
            return None
        if goes_on and at - max(self.opened, self._since) < CHAIN:
            return None
        cutoff = 0 if goes_on else min(self._cutoffs[place] for place in self._allowed)
        sources = tuple(self._names[place] for place in sorted(self._parts))
        ended = Opening(begin=self.opened, end=at, cutoff_at=at - cutoff, sources=sources)
        self.opened = None
        self._parts.clear()
        return ended if ended.cutoff_at > ended.begin else None


def _chain_begin(windows: tuple[Span, ...], at: int, host_zone: str) -> int:
    """Where the windows began that lead to `at` without a gap."""
    start = at
    while start > at - CHAIN:
        earliest = min(
            (_begin_of_span_to(window, start, host_zone) for window in windows), default=start
        )
        if earliest == start:
            break
        start = earliest
    return start


def _begin_of_span_to(window: Span, at: int, host_zone: str) -> int:
    """The begin of the window's first span that covers or touches `at`; `at` if none does."""
    found = spans(window, after=at - 1, before=at, host_zone=host_zone)
    return next(found, (at, at))[0]


def _changes(calendar: Calendar, *, after: int, before: int, host_zone: str) -> Iterator[_Change]:
    streams = []
    for place, span in enumerate((*calendar.windows, *calendar.freezes)):
        found = spans(span, after=after, before=before, host_zone=host_zone)
        streams.append(_changes_of(place, found))
    return merge(*streams)


def _changes_of(place: int, found: Iterator[tuple[int, int]]) -> Iterator[_Change]:
    """Ascending, though a span may begin before the one before it has ended: both ends of the spans are ascending."""
    ends: deque[int] = deque()
    for begin, end in found:
        while ends and ends[0] <= begin:
            yield ends.popleft(), place, -1
        yield begin, place, 1
        ends.append(end)
    for end in ends:
        yield end, place, -1
