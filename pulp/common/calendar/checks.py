"""Whether windows and freezes make sense, with a sentence for each thing that does not. For where they are made or changed.

What is only read or evaluated needs none of this: evaluation itself refuses what is not well formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise

from pulp.common.calendar.openings import HORIZON, Calendar, next_opening
from pulp.common.calendar.recurrence import (
    Recurrence,
    Series,
    begins,
    form_problems,
    problem,
    series,
)
from pulp.common.calendar.spans import (
    OneOff,
    Recurring,
    Span,
    cutoff_of,
    parse_length,
    parse_minutes,
    spans,
)
from pulp.common.calendar.zones import load_zone
from pulp.common.errors import FieldError
from pulp.common.times import LAST, format_duration, format_time

_YEARS = 10
_ENOUGH = 5_000
"""So many occurrences show whether a rule overlaps itself: its pattern returns sooner."""


def recurrence_problems(
    recurrence: Recurrence, *, now: int, host_zone: str = "UTC"
) -> list[FieldError]:
    """Not well formed, never occurs, or does not occur after `now` (ms UTC) any more."""
    problems = form_problems(recurrence)
    if problems:
        return problems
    ahead = begins(recurrence, since=now, before=now + HORIZON, host_zone=host_zone)
    return _never(series(recurrence), ahead)


def window_problems(span: Span, *, now: int, host_zone: str = "UTC") -> list[FieldError]:
    """What is wrong with a window or freeze that is to be of use after `now` (ms UTC).

    Where the zone is `host` and the host is not known yet, any zone serves as `host_zone`.
    """
    if isinstance(span, OneOff):
        return _one_off_problems(span, now)
    problems = form_problems(span) + _length_problems(span)
    if problems:
        return problems
    ahead = spans(span, after=now, before=now + HORIZON, host_zone=host_zone)
    return _never(series(span), ahead) or _overlap(span)


def calendar_problems(calendar: Calendar, *, now: int, host_zone: str) -> list[FieldError]:
    """What is wrong with well-formed windows and freezes together, for a host in a zone: nothing is left that opens."""
    problems = problem("host_zone", load_zone, host_zone)
    problems += [
        FieldError(f"freezes[{place}].cutoff", "a freeze has none: leave it out")
        for place, freeze in enumerate(calendar.freezes)
        if freeze.cutoff
    ]
    return problems or _nothing_left(calendar, now, host_zone)


def _one_off_problems(span: OneOff, now: int) -> list[FieldError]:
    if not 0 <= span.begin < span.end <= LAST:
        return [
            FieldError("end", "it must come after begin, and both between the years 1970 and 9999")
        ]
    if span.end <= now:
        return [FieldError("end", f"it is past, since {format_time(span.end)}: give a later one")]
    return _cutoff_problems(span, span.end - span.begin)


def _length_problems(span: Recurring) -> list[FieldError]:
    problems = problem("duration", parse_length, span.duration)
    return problems or _cutoff_problems(span, parse_length(span.duration).nominal)


def _cutoff_problems(span: Span, length: int) -> list[FieldError]:
    if span.cutoff is None:
        return []
    problems = problem("cutoff", parse_minutes, span.cutoff)
    if not problems and cutoff_of(span) >= length:
        fix = f"it leaves no time to start in: make it shorter than {format_duration(length)}"
        problems.append(FieldError("cutoff", fix))
    return problems


def _never(read: Series, ahead: Iterator[object]) -> list[FieldError]:
    """`ahead`: what is still to come."""
    if read.rule.until is not None and read.rule.until < read.dtstart:
        return [FieldError("rrule", "UNTIL is before dtstart: move one of them")]
    if next(_walls(read), None) is None:
        fix = "check INTERVAL and the BY parts"
        return [FieldError("rrule", f"it names no day within ten years of dtstart: {fix}")]
    return [] if next(ahead, None) is not None else [_nothing_ahead(read)]


def _nothing_ahead(read: Series) -> FieldError:
    if read.rule.until is not None:
        return FieldError("rrule", "it is over: move UNTIL to a later day")
    if read.rule.count is not None:
        return FieldError("rrule", "it is over: raise COUNT, or move dtstart")
    return FieldError("dtstart", "nothing follows within ten years from now: bring dtstart nearer")


def _walls(read: Series) -> Iterator[datetime]:
    years = range(read.dtstart.year, read.dtstart.year + _YEARS + 1)
    return chain.from_iterable(read.walls(year) for year in years)


def _overlap(span: Recurring) -> list[FieldError]:
    """Measured on the wall: that a night when the clocks go forward is shorter is nobody's mistake."""
    length = timedelta(milliseconds=parse_length(span.duration).nominal)
    for wall, following in pairwise(islice(_walls(series(span)), _ENOUGH)):
        if following < wall + length:
            gap = format_duration((following - wall) // timedelta(milliseconds=1))
            return [
                FieldError(
                    "duration",
                    f"the opening of {wall:%Y-%m-%dT%H:%M} is not over when the next begins at "
                    f"{following:%Y-%m-%dT%H:%M}: make it {gap} at most, or the rule slower",
                )
            ]
    return []


def _nothing_left(calendar: Calendar, now: int, host_zone: str) -> list[FieldError]:
    if next_opening(calendar, at=now, host_zone=host_zone) is not None:
        return []
    unfrozen = Calendar(windows=calendar.windows)
    if next_opening(unfrozen, at=now, host_zone=host_zone) is None:
        return [FieldError("windows", "none opens within ten years: add a window that does")]
    names = ", ".join(freeze.name for freeze in calendar.freezes)
    return [
        FieldError(
            "freezes", f"{names} leave nothing of the windows: shorten a freeze, or add a window"
        )
    ]
