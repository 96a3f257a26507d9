"""The wall times that a rule names, year by year. dateutil finds the days; this counts INTERVAL, BYSETPOS and COUNT.

Why not let dateutil walk on from DTSTART: it cannot begin in the middle, and a rule that never matches (30 February) keeps
it busy for seconds until the year 9999. Asked for one year at a time it does bounded work, at any distance from DTSTART.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time
from functools import lru_cache
from itertools import chain, groupby

from dateutil import rrule as dateutil

from pulp.common.calendar.rrule import Freq, Rule, WeekDay

FIRST_YEAR, LAST_YEAR = 1970, 9997
"""Whatever is added to an occurrence stays within the calendar of `datetime`."""
_ONE_YEAR = 10_000
"""An INTERVAL that ends dateutil's walk after its first year."""


def explicit(rule: Rule, dtstart: datetime) -> Rule:
    """The rule with everything in it that RFC 5545 takes from DTSTART."""
    rule = replace(
        rule,
        hours=rule.hours or _hours(rule, dtstart),
        minutes=rule.minutes or (dtstart.minute,),
    )
    if rule.week_days or rule.month_days:
        return rule
    match rule.freq:
        case Freq.YEARLY:
            months = rule.months or (dtstart.month,)
            return replace(rule, months=months, month_days=(dtstart.day,))
        case Freq.MONTHLY:
            return replace(rule, month_days=(dtstart.day,))
        case Freq.WEEKLY:
            return replace(rule, week_days=(WeekDay(dtstart.weekday()),))
    return rule


def _hours(rule: Rule, dtstart: datetime) -> tuple[int, ...]:
    return tuple(range(24)) if rule.freq is Freq.HOURLY else (dtstart.hour,)


def occurrences(rule: Rule, dtstart: datetime, year: int) -> list[datetime]:
    """The wall times in the year, in order, from DTSTART on. The rule is an explicit one."""
    if rule.count is None:
        return _uncounted(rule, dtstart, year)
    left = rule.count - _number_before(rule, dtstart, year)
    return _uncounted(rule, dtstart, year)[:left] if left > 0 else []


def is_over(rule: Rule, dtstart: datetime, year: int) -> bool:
    """Whether UNTIL or COUNT leaves nothing for the year and those after it."""
    if rule.until is not None:
        return rule.until.year < year
    return rule.count is not None and _number_before(rule, dtstart, year) >= rule.count


def _uncounted(rule: Rule, dtstart: datetime, year: int) -> list[datetime]:
    last = rule.until or datetime.max  # noqa: DTZ901  # a wall time
    if not dtstart.year <= year <= min(last.year, LAST_YEAR):
        return []
    return [wall for wall in _in_step(rule, dtstart, year) if dtstart <= wall <= last]


def _number_before(rule: Rule, dtstart: datetime, year: int) -> int:
    """How many there are before the year; not counted further than COUNT."""
    number = 0
    for earlier in range(dtstart.year, year):
        number += _number_in(rule, dtstart, earlier)
        if rule.count is not None and number >= rule.count:
            break
    return number


@lru_cache(maxsize=4096)
def _number_in(rule: Rule, dtstart: datetime, year: int) -> int:
    return len(_uncounted(rule, dtstart, year))


def _in_step(rule: Rule, dtstart: datetime, year: int) -> Iterable[datetime]:
    """Those in every INTERVAL-th period; of each period only those that BYSETPOS picks."""
    first = _period(rule, dtstart)
    if rule.freq is Freq.YEARLY and (year - first) % rule.interval:
        return ()
    found = _picked(rule, year) if rule.positions else _candidates(rule, year)
    if rule.interval == 1:
        return found
    return (wall for wall in found if (_period(rule, wall) - first) % rule.interval == 0)


def _period(rule: Rule, wall: datetime) -> int:
    """The number of the year, month, week, day or hour, without a gap."""
    match rule.freq:
        case Freq.YEARLY:
            return wall.year
        case Freq.MONTHLY:
            return wall.year * 12 + wall.month
        case Freq.WEEKLY:
            return (wall.toordinal() - 1 - rule.week_start) // 7
        case Freq.DAILY:
            return wall.toordinal()
        case Freq.HOURLY:
            return wall.toordinal() * 24 + wall.hour


def _picked(rule: Rule, year: int) -> list[datetime]:
    """BYSETPOS: the nth of each period; a week may reach into the next year."""
    years = (year - 1, year, year + 1) if rule.freq is Freq.WEEKLY else (year,)
    walls = chain.from_iterable(_candidates(rule, one) for one in years)
    periods = groupby(walls, key=lambda wall: _period(rule, wall))
    picked = chain.from_iterable(_nth(rule.positions, list(members)) for _, members in periods)
    return [wall for wall in picked if wall.year == year]


def _nth(positions: tuple[int, ...], members: list[datetime]) -> list[datetime]:
    places = {p - 1 if p > 0 else len(members) + p for p in positions}
    return [members[p] for p in sorted(places) if 0 <= p < len(members)]


def _candidates(rule: Rule, year: int) -> list[datetime]:
    """Every wall time of one year that has the right month, day and time."""
    by_month = rule.freq is Freq.MONTHLY
    return list(
        dateutil.rrule(
            dateutil.YEARLY,
            interval=_ONE_YEAR,
            dtstart=datetime.combine(date(year, 1, 1), time.min),
            bymonth=rule.months or (tuple(range(1, 13)) if by_month else None),
            bymonthday=rule.month_days or (None if rule.week_days else tuple(range(1, 32))),
            byweekday=_dateutil_days(rule.week_days) or None,
            byhour=rule.hours,
            byminute=rule.minutes,
            bysecond=0,
        )
    )


def _dateutil_days(days: tuple[WeekDay, ...]) -> list[dateutil.weekday]:
    return [dateutil.weekday(d.day, d.nth or None) for d in days]
