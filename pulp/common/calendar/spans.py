"""Named windows and freezes as they are stored and sent: one span, or one that recurs. Both sorts serve for both."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct

from pulp.common.calendar.recurrence import (
    Recurrence,
    insist,
    instants,
    problem,
    years,
    zone_name,
)
from pulp.common.times import DAY, HOUR, MINUTE, format_duration

LONGEST = 366 * DAY
"""No recurring span is longer."""


class OneOff(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="once",
):
    """From `begin` until before `end` (ms UTC). `cutoff` as in Recurring."""

    name: str
    begin: int
    end: int
    cutoff: str | None = None


class Recurring(Recurrence, frozen=True, kw_only=True, tag_field="kind", tag="recurring"):
    """Each occurrence begins a span that lasts `duration`, such as `4h`; in its last `cutoff`, such as `30m`, no work starts.

    As in RFC 5545, hours and minutes are elapsed time whatever the clocks do meanwhile, and days lead to the same wall time
    of a later day: `24h` from Saturday 0:00 ends an hour early on the day of 25 hours, and `1d` ends at Sunday 0:00.
    """

    name: str
    duration: str
    cutoff: str | None = None


Span = OneOff | Recurring


@dataclass(frozen=True, slots=True)
class Length:
    """Days on the calendar, and then elapsed time (ms)."""

    days: int
    time: int

    @property
    def nominal(self) -> int:
        """ms, with days of 24 hours."""
        return self.days * DAY + self.time


def spans(span: Span, *, after: int, before: int, host_zone: str) -> Iterator[tuple[int, int]]:
    """(begin, end) in ms UTC of those that end after `after` and begin before `before`; both ascending.

    InvalidInput if the span or the host's zone is not well formed.
    """
    if isinstance(span, OneOff):
        return iter([(span.begin, span.end)] if after < span.end and span.begin < before else ())
    length = _length_of(span.duration)
    return _recurring(span, length, after, before, zone_name(span, host_zone))


def _recurring(
    span: Recurring, length: Length, after: int, before: int, zone: str
) -> Iterator[tuple[int, int]]:
    for year in years(span, since=after - length.nominal, before=before):
        begins = instants(span, zone, year)
        ends = instants(span, zone, year, length.days) if length.days else begins
        for place in range(bisect_right(ends, after - length.time), len(ends)):
            begin, end = begins[place], ends[place] + length.time
            if begin >= before:
                return
            if begin < end:  # a day that is skipped at the date line has no length
                yield begin, end


def cutoff_of(span: Span) -> int:
    """ms. InvalidInput if it is not well formed."""
    return _cutoff_of(span.cutoff) if span.cutoff is not None else 0


@lru_cache(maxsize=1024)
def _length_of(duration: str) -> Length:
    insist(problem("duration", parse_length, duration))
    return parse_length(duration)


@lru_cache(maxsize=1024)
def _cutoff_of(cutoff: str) -> int:
    insist(problem("cutoff", parse_minutes, cutoff))
    return parse_minutes(cutoff)


def parse_length(text: str) -> Length:
    """`4h`, `1h30m`, `1d`, `2d12h` or `1w` → Length, above zero, at most LONGEST. ValueError says the fix."""
    found = re.fullmatch(
        r"(?=.)(?:([0-9]{1,4})w)?(?:([0-9]{1,4})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?", text
    )
    if found is None:
        raise ValueError(f"{text!r} is not a whole number of minutes, such as 90m, 4h, 1d or 2d12h")
    weeks, days, hours, minutes = (int(number or 0) for number in found.groups())
    length = Length(weeks * 7 + days, hours * HOUR + minutes * MINUTE)
    if length.nominal == 0:
        raise ValueError("it must be longer than zero, such as 90m, 4h or 1d")
    if length.nominal > LONGEST:
        raise ValueError(f"it is longer than a year: use at most {format_duration(LONGEST)}")
    return length


def parse_minutes(text: str) -> int:
    """The same forms → elapsed ms, with days of 24 hours."""
    return parse_length(text).nominal
