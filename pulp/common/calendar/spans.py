"""Named windows and freezes as they are stored and sent: one span, or one that recurs. Both sorts serve for both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from pulp.common.calendar.recurrence import Recurrence, begins
from pulp.common.times import DAY, MINUTE, parse_duration

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
    """Each occurrence begins a span that lasts `duration` of elapsed time, such as `4h`, whatever the clocks do in it.

    In its last `cutoff`, such as `30m`, no work starts. Both are whole minutes.
    """

    name: str
    duration: str
    cutoff: str | None = None


Span = OneOff | Recurring


def spans(span: Span, *, after: int, before: int, host_zone: str) -> Iterator[tuple[int, int]]:
    """(begin, end) in ms UTC of those that end after `after` and begin before `before`; both ends ascending."""
    if isinstance(span, OneOff):
        if span.end > after and span.begin < before:
            yield span.begin, span.end
        return
    length = parse_minutes(span.duration)
    since = after - length + 1
    for begin in begins(span, since=since, before=before, host_zone=host_zone):
        yield begin, begin + length


def cutoff_of(span: Span) -> int:
    return parse_minutes(span.cutoff) if span.cutoff else 0


@lru_cache(maxsize=1024)
def parse_minutes(text: str) -> int:
    """`4h` or `1h30m` → ms, whole minutes. ValueError says what to change."""
    length = parse_duration(text)
    if length % MINUTE:
        raise ValueError(f"{text!r} is not in whole minutes: leave the seconds out")
    return length
