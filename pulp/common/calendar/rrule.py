"""The RRULE text of a recurrence: the parts of RFC 5545 that Pulp takes, read into a value. Knows no dates and no zones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import Enum
from typing import Any

WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MOST_A_DAY = 24
"""Openings of one rule in a day, at most."""


class Freq(Enum):
    """How often, and the longest allowed INTERVAL: ten years."""

    YEARLY = 10
    MONTHLY = 120
    WEEKLY = 520
    DAILY = 3_660
    HOURLY = 87_840


@dataclass(frozen=True, slots=True)
class WeekDay:
    """`day` 0 is Monday. `nth` 2: the second in its month or year; -1: the last; 0: every one."""

    day: int
    nth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an RRULE says. An empty tuple: that part is not given. `until` is a wall time, and included."""

    freq: Freq
    interval: int = 1
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    week_days: tuple[WeekDay, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0
    count: int | None = None
    until: datetime | None = None


def parse_rrule(text: str) -> Rule:
    """`FREQ=MONTHLY;BYDAY=3TU` → Rule. ValueError is a sentence that says what to change."""
    given: dict[str, Any] = {}
    for part in text.strip().upper().removeprefix("RRULE:").removesuffix(";").split(";"):
        key, _, value = part.partition("=")
        field, read = _part(key, value)
        if field in given:
            raise ValueError(f"{key} stands there twice: join its values with commas")
        given[field] = read(value)
    if "freq" not in given:
        raise ValueError("FREQ is missing: begin with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")
    rule = Rule(**given)
    _check(rule)
    return rule


def _part(key: str, value: str) -> tuple[str, Callable[[str], Any]]:
    if key not in _PARTS:
        instead = _INSTEAD.get(key, f"the parts are {', '.join(_PARTS)}")
        raise ValueError(f"{key or 'an empty part'} is not taken: {instead}")
    if not value:
        raise ValueError(f"{key} has no value: write {key}=..., or leave it out")
    return _PARTS[key]


def _freq(value: str) -> Freq:
    if value in ("SECONDLY", "MINUTELY"):
        raise ValueError(f"FREQ={value} is too fast for a window: use HOURLY or slower")
    if value not in Freq.__members__:
        raise ValueError(f"FREQ={value} is unknown: use {', '.join(Freq.__members__)}")
    return Freq[value]


def _whole(key: str, low: int, high: int, value: str) -> int:
    """A number in the range; where `low` is negative it may count from the end, and 0 means nothing."""
    number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,6}", value) else None
    if number is None or not low <= number <= high or (number == 0 and low < 0):
        span = f"{low} to {high}" + (", without 0" if low < 0 else "")
        raise ValueError(f"{key}={value} is out of range: use whole numbers from {span}")
    return number


def _number(key: str, low: int, high: int) -> Callable[[str], int]:
    return lambda value: _whole(key, low, high, value)


def _numbers(key: str, low: int, high: int) -> Callable[[str], tuple[int, ...]]:
    return lambda value: tuple(sorted({_whole(key, low, high, one) for one in value.split(",")}))


def _week_days(value: str) -> tuple[WeekDay, ...]:
    return tuple(dict.fromkeys(_week_day(one) for one in value.split(",")))


def _week_day(text: str) -> WeekDay:
    found = re.fullmatch(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", text)
    nth = int(found[1] or 0) if found else 0
    if found is None or abs(nth) > 53 or (found[1] and nth == 0):
        raise ValueError(
            f"BYDAY={text} is not a weekday: use MO TU WE TH FR SA SU, with a number "
            "for the nth such as 2TU, or -1FR for the last"
        )
    return WeekDay(WEEK.index(found[2]), nth)


def _week_start(value: str) -> int:
    if value not in WEEK:
        raise ValueError(f"WKST={value} is not a weekday: use {' '.join(WEEK)}")
    return WEEK.index(value)


def _until(value: str) -> datetime:
    if value.endswith("Z"):
        raise ValueError("UNTIL ends in Z for UTC: write it in the window's own zone, without Z")
    try:
        if not re.fullmatch(r"[0-9]{8}(T[0-9]{6})?", value):
            raise ValueError
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"UNTIL={value} is not a date such as 20261231 or a wall time such as 20261231T180000"
        ) from None
    return moment if "T" in value else datetime.combine(moment, time(23, 59))


_PARTS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "FREQ": ("freq", _freq),
    "INTERVAL": ("interval", _number("INTERVAL", 1, 100_000)),
    "BYMONTH": ("months", _numbers("BYMONTH", 1, 12)),
    "BYMONTHDAY": ("month_days", _numbers("BYMONTHDAY", -31, 31)),
    "BYDAY": ("week_days", _week_days),
    "BYHOUR": ("hours", _numbers("BYHOUR", 0, 23)),
    "BYMINUTE": ("minutes", _numbers("BYMINUTE", 0, 59)),
    "BYSETPOS": ("positions", _numbers("BYSETPOS", -366, 366)),
    "WKST": ("week_start", _week_start),
    "COUNT": ("count", _number("COUNT", 1, 10_000)),
    "UNTIL": ("until", _until),
}
_INSTEAD = {
    "BYSECOND": "windows are kept to the minute",
    "BYWEEKNO": "use FREQ=WEEKLY with INTERVAL, or BYMONTH and BYDAY",
    "BYYEARDAY": "use BYMONTH and BYMONTHDAY",
    "BYEASTER": "make a one-off window or freeze for each year",
    "DTSTART": "it is a field of its own, dtstart",
    "EXDATE": "make a freeze for the days that are left out",
    "DURATION": "it is a field of its own, duration",
}


def _check(rule: Rule) -> None:
    """Refuses combinations that RFC 5545 forbids, and those that would not mean what they seem to."""
    for wrong, sentence in _COMBINATIONS:
        if wrong(rule):
            raise ValueError(sentence)
    if rule.interval > rule.freq.value:
        raise ValueError(
            f"INTERVAL={rule.interval} is longer than ten years: "
            f"with FREQ={rule.freq.name} use at most {rule.freq.value}"
        )


def _by_month(rule: Rule) -> bool:
    return rule.freq is Freq.MONTHLY or bool(rule.months)


def _times_a_day(rule: Rule) -> int:
    hours = len(rule.hours) or (24 if rule.freq is Freq.HOURLY else 1)
    return hours * max(1, len(rule.minutes))


_Wrong = Callable[[Rule], Any]
_COMBINATIONS: tuple[tuple[_Wrong, str], ...] = (
    (
        lambda r: r.count and r.until,
        "COUNT and UNTIL are both given: leave one of them out",
    ),
    (
        lambda r: r.freq not in (Freq.YEARLY, Freq.MONTHLY) and any(d.nth for d in r.week_days),
        "BYDAY with a number needs FREQ=MONTHLY or YEARLY: change FREQ or leave the number out",
    ),
    (
        lambda r: _by_month(r) and any(abs(d.nth) > 5 for d in r.week_days),
        "BYDAY counts within a month, which has no weekday more than five times: use -5 to 5",
    ),
    (
        lambda r: len({bool(d.nth) for d in r.week_days}) > 1,
        "BYDAY mixes weekdays with a number and without: give all of them one, or none",
    ),
    (
        lambda r: r.freq is Freq.WEEKLY and r.month_days,
        "BYMONTHDAY does not go with FREQ=WEEKLY: use FREQ=MONTHLY",
    ),
    (
        lambda r: (
            r.positions and not (r.week_days or r.month_days or r.months or r.hours or r.minutes)
        ),
        "BYSETPOS has nothing to choose from: add BYDAY or BYMONTHDAY",
    ),
    (
        lambda r: _times_a_day(r) > MOST_A_DAY,
        f"BYHOUR and BYMINUTE make more than {MOST_A_DAY} openings a day: use fewer, and longer ones",
    ),
)
