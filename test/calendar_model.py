"""What recurrences and calendars mean, slow and obvious: every day and every minute is looked at. No dateutil, no bisection.

It shares with the product only what clocks in a zone show at an instant (zoneinfo, UTC to local: never ambiguous).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class ModelRule:
    """The parts of an RRULE as data; `byday`: (nth or 0, weekday)."""

    freq: str
    interval: int = 1
    bymonth: tuple[int, ...] = ()
    bymonthday: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    byhour: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()
    wkst: int = 0
    count: int | None = None
    until: datetime | None = None

    def text(self) -> str:
        parts = [f"FREQ={self.freq}", f"INTERVAL={self.interval}", f"WKST={DAYS[self.wkst]}"]
        if self.byday:
            parts.append("BYDAY=" + ",".join(f"{nth or ''}{DAYS[day]}" for nth, day in self.byday))
        for key in ("bymonth", "bymonthday", "byhour", "byminute", "bysetpos"):
            if values := getattr(self, key):
                parts.append(f"{key.upper()}={','.join(map(str, values))}")
        if self.count is not None:
            parts.append(f"COUNT={self.count}")
        if self.until is not None:
            parts.append(f"UNTIL={self.until:%Y%m%dT%H%M%S}")
        return ";".join(parts)


def walls(rule: ModelRule, dtstart: datetime, last_day: date) -> Iterator[datetime]:
    """Every wall time from DTSTART to the end of a day, found by walking through all days since New Year of DTSTART's year."""
    taken = 0
    for number, members in _periods(rule, dtstart, last_day):
        if number % rule.interval:
            continue
        for wall in _chosen(rule, members):
            if wall < dtstart or wall.date() > last_day:
                continue
            if (rule.until and wall > rule.until) or taken == rule.count:
                return
            taken += 1
            yield wall


def _periods(
    rule: ModelRule, dtstart: datetime, last_day: date
) -> Iterator[tuple[int, list[datetime]]]:
    """(number from DTSTART's period on, its wall times)."""
    home = _period_of(rule, dtstart)
    number, key, members = -1, None, []
    day = date(dtstart.year, 1, 1) - timedelta(days=7)
    while day <= max(last_day, dtstart.date()) + timedelta(days=400):
        for hour in range(24):
            moment = datetime.combine(day, time(hour))
            if _period_of(rule, moment) != key:
                if number >= 0:
                    yield number, members
                key, members = _period_of(rule, moment), []
                if key == home or number >= 0:
                    number += 1
            if _hour_fits(rule, dtstart, hour) and _day_fits(rule, dtstart, day):
                minutes = rule.byminute or (dtstart.minute,)
                members += [moment.replace(minute=minute) for minute in sorted(minutes)]
        day += timedelta(days=1)


def _period_of(rule: ModelRule, moment: datetime) -> object:
    if rule.freq == "YEARLY":
        return moment.year
    if rule.freq == "MONTHLY":
        return moment.year, moment.month
    if rule.freq == "WEEKLY":
        return moment.date() - timedelta(days=(moment.weekday() - rule.wkst) % 7)
    if rule.freq == "DAILY":
        return moment.date()
    return moment.date(), moment.hour


def _hour_fits(rule: ModelRule, dtstart: datetime, hour: int) -> bool:
    if rule.byhour:
        return hour in rule.byhour
    return rule.freq == "HOURLY" or hour == dtstart.hour


def _day_fits(rule: ModelRule, dtstart: datetime, day: date) -> bool:
    if rule.bymonth and day.month not in rule.bymonth:
        return False
    if not rule.bymonthday and not rule.byday:
        return _day_of_dtstart(rule, dtstart, day)
    length = calendar.monthrange(day.year, day.month)[1]
    if rule.bymonthday and not {day.day, day.day - length - 1} & set(rule.bymonthday):
        return False
    return not rule.byday or any(_is_nth(rule, nth, week_day, day) for nth, week_day in rule.byday)


def _day_of_dtstart(rule: ModelRule, dtstart: datetime, day: date) -> bool:
    if rule.freq == "YEARLY":
        return day.day == dtstart.day and (bool(rule.bymonth) or day.month == dtstart.month)
    if rule.freq == "MONTHLY":
        return day.day == dtstart.day
    return rule.freq != "WEEKLY" or day.weekday() == dtstart.weekday()


def _is_nth(rule: ModelRule, nth: int, week_day: int, day: date) -> bool:
    if day.weekday() != week_day:
        return False
    if nth == 0:
        return True
    whole_year = rule.freq == "YEARLY" and not rule.bymonth
    months = range(1, 13) if whole_year else [day.month]
    same = [
        date(day.year, month, number)
        for month in months
        for number in range(1, calendar.monthrange(day.year, month)[1] + 1)
        if date(day.year, month, number).weekday() == week_day
    ]
    return len(same) >= abs(nth) and same[nth - 1 if nth > 0 else nth] == day


def _chosen(rule: ModelRule, members: list[datetime]) -> list[datetime]:
    if not rule.bysetpos:
        return members
    return [
        wall
        for place, wall in enumerate(members)
        if place + 1 in rule.bysetpos or place - len(members) in rule.bysetpos
    ]


def minutes_between(first: datetime, last: datetime) -> list[datetime]:
    return [first + n * MINUTE for n in range((last - first) // MINUTE)]


class Clocks:
    """What clocks in a zone show, minute after minute."""

    def __init__(self, zone: ZoneInfo, first: datetime, last: datetime) -> None:
        self.minutes = minutes_between(first, last)
        self.shown = [minute.astimezone(zone).replace(tzinfo=None) for minute in self.minutes]

    def first_at(self, wall: datetime) -> datetime | None:
        """The first minute at which they show that time or a later one."""
        return next(
            (m for m, shown in zip(self.minutes, self.shown, strict=True) if shown >= wall), None
        )


def first_minute(wall: datetime, zone: ZoneInfo) -> datetime:
    around = wall.replace(tzinfo=UTC)
    found = Clocks(zone, around - timedelta(hours=30), around + timedelta(hours=30)).first_at(wall)
    assert found is not None
    return found
