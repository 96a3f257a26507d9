"""When something recurs: an RRULE on the wall times of a zone, as it is stored and sent, and the instants that it means."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from pulp.common.calendar.occurrences import FIRST_YEAR, LAST_YEAR, explicit, is_over, occurrences
from pulp.common.calendar.rrule import Rule, parse_rrule
from pulp.common.calendar.zones import HOST, first_instant, load_zone
from pulp.common.errors import FieldError, InvalidInput
from pulp.common.times import DAY

MOST_OFFSET = 31
_LAST_DTSTART = 2999
_MEAN_YEAR = 365_2425 * DAY // 10_000
_MARGIN = (MOST_OFFSET + 9) * DAY


class Recurrence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`dtstart` is a wall time to the minute in `zone`, which is an IANA name or `host`.

    `offset_days` moves every occurrence by so many days, at the same wall time, after the RRULE with its COUNT and UNTIL has
    been read: `BYDAY=2TU` with 10 is ten days after each Patch Tuesday.
    """

    rrule: str
    dtstart: str
    zone: str
    offset_days: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """A recurrence that has been read."""

    rule: Rule
    dtstart: datetime
    offset: timedelta

    def walls(self, year: int) -> list[datetime]:
        """The wall times of the occurrences whose day, before the offset, is in this year."""
        return [wall + self.offset for wall in occurrences(self.rule, self.dtstart, year)]

    def is_over(self, year: int) -> bool:
        """Whether there are none in this year and later ones."""
        return is_over(self.rule, self.dtstart, year)


def begins(recurrence: Recurrence, *, since: int, before: int, host_zone: str) -> Iterator[int]:
    """The instants (ms UTC) in `since` ≤ t < `before`, ascending. `host_zone` counts where the rule's zone is `host`.

    InvalidInput if the recurrence or the host's zone is not well formed.
    """
    zone = zone_name(recurrence, host_zone)
    for year in years(recurrence, since=since, before=before):
        found = instants(recurrence, zone, year)
        for place in range(bisect_left(found, since), len(found)):
            if found[place] >= before:
                return
            if found[place] >= since:
                yield found[place]
            since = found[place] + 1  # two wall times can be one instant


def zone_name(recurrence: Recurrence, host_zone: str) -> str:
    return host_zone if recurrence.zone == HOST else recurrence.zone


def years(recurrence: Recurrence, *, since: int, before: int) -> Iterator[int]:
    """Those whose occurrences can lie between, whatever the zone and the offset."""
    read = series(recurrence)
    first, last = _year(since - _MARGIN), _year(before + _MARGIN)
    for year in range(max(first, FIRST_YEAR), min(last, LAST_YEAR) + 1):
        if read.is_over(year):
            return
        yield year


def _year(ms: int) -> int:
    """To a few days; `datetime` would do it exactly, more slowly, and not beyond the year 9999."""
    return FIRST_YEAR + ms // _MEAN_YEAR


@lru_cache(maxsize=4096)
def instants(recurrence: Recurrence, zone: str, year: int, days_later: int = 0) -> array[int]:
    """When the year's occurrences begin, or the same wall times some days later (ms UTC).

    Ascending, because `first_instant` keeps the order of wall times.
    """
    read, loaded = series(recurrence), _zone_of(zone)
    later = timedelta(days=days_later)
    return array("q", (first_instant(wall + later, loaded) for wall in read.walls(year)))


def _zone_of(name: str) -> ZoneInfo:
    insist(problem("zone", load_zone, name))
    return load_zone(name)


@lru_cache(maxsize=1024)
def series(recurrence: Recurrence) -> Series:
    """InvalidInput names each field that is not well formed, and the fix."""
    insist(form_problems(recurrence))
    dtstart = parse_wall(recurrence.dtstart)
    rule = explicit(parse_rrule(recurrence.rrule), dtstart)
    return Series(rule, dtstart, timedelta(days=recurrence.offset_days))


def insist(problems: list[FieldError]) -> None:
    if problems:
        raise InvalidInput(problems)


def form_problems(recurrence: Recurrence) -> list[FieldError]:
    """Each field that cannot be read. Whether anything ever occurs: `pulp.common.calendar.checks`."""
    problems = problem("rrule", parse_rrule, recurrence.rrule)
    problems += problem("dtstart", parse_wall, recurrence.dtstart)
    if recurrence.zone != HOST:
        problems += problem("zone", load_zone, recurrence.zone)
    if abs(recurrence.offset_days) > MOST_OFFSET:
        fix = f"use {-MOST_OFFSET} to {MOST_OFFSET}, and an RRULE that is nearer"
        problems.append(FieldError("offset_days", fix))
    return problems


def problem(field: str, read: Callable[[str], object], text: str) -> list[FieldError]:
    """What `read` has against the text."""
    try:
        read(text)
    except ValueError as error:
        return [FieldError(field, str(error))]
    return []


def parse_wall(text: str) -> datetime:
    """`2026-01-13T22:00` → a wall time. ValueError says what to change."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", text):
        raise ValueError(f"{text!r} {_why_no_wall(text)} such as 2026-01-13T22:00")
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not in the calendar: check day, month and hour") from None
    if not FIRST_YEAR <= wall.year <= _LAST_DTSTART:
        raise ValueError(f"{text!r} is not between the years {FIRST_YEAR} and {_LAST_DTSTART}")
    return wall


def _why_no_wall(text: str) -> str:
    if re.search(r"T.*(Z|[+-][0-9:]+)$", text):
        return "has an offset, but the zone is a field of its own: write the wall time alone"
    if re.search(r"T[0-9]{2}:[0-9]{2}:", text):
        return "has seconds: write the time to the minute"
    return "is not a date and time"
