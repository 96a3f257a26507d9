"""The days that people name: today, tuesday, 1 december, 2026-12-01. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from pulp.client.errors import BadUsage

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NUMERIC_DATE = re.compile(r"\d{1,4}[/.]\d{1,2}([/.]\d{1,4})?\.?|\d{1,2}-\d{1,2}(-\d{2,4})?")
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)? ([a-z]{3,9})\.?(?: (\d{4}))?")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?(?: (\d{4}))?")

FORMS = (
    "write it as 'tuesday 12:00', 'tomorrow 3:30', '12:00', 'in 10m', "
    "'2026-12-01 12:00' or 2026-12-01T12:00:00Z"
)


class UnclearTime(BadUsage):
    """`text` means no moment, or more than one; the sentence says what would be clear."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"time {text!r}: {why}")


def named_days(text: str, day: str, today: date) -> Iterator[date]:
    """The days that `day` can mean, the nearest first."""
    one = timedelta(days=1)
    if day == "":
        return iter((today, today + one))
    if day == "today":
        return iter((today,))
    if day == "tomorrow":
        return iter((today + one,))
    if (number := _weekday(day)) is not None:
        first = today + timedelta(days=(number - today.weekday()) % 7)
        return iter((first, first + 7 * one))
    if _ISO_DATE.fullmatch(day):
        return iter((_date(text, int(day[:4]), int(day[5:7]), int(day[8:])),))
    return _named_month(text, day, today)


def _named_month(text: str, day: str, today: date) -> Iterator[date]:
    if found := _DAY_FIRST.fullmatch(day):
        number, name, year = found.groups()
    elif found := _MONTH_FIRST.fullmatch(day):
        name, number, year = found.groups()
    else:
        raise UnclearTime(text, _unclear_day(day))
    month = next((i for i, m in enumerate(_MONTHS, 1) if _names(name, m)), None)
    if month is None:
        raise UnclearTime(text, _unclear_day(day))
    years = [int(year)] if year else range(today.year, today.year + 9)  # 29 february comes by then
    days = [d for y in years if (d := _possible(y, month, int(number))) is not None]
    if not days:
        raise UnclearTime(text, f"{day} is no day of the calendar")
    return iter(days)


def _unclear_day(day: str) -> str:
    if _NUMERIC_DATE.fullmatch(day):
        return f"{day} does not say which number is the month: write 2026-12-01 or '1 december'"
    first, _, rest = day.partition(" ")
    if first in ("next", "this", "coming") and _weekday(rest) is not None:
        return f"{day!r} is read in two ways: write {rest!r} for the next one ahead, or its date"
    return f"{day!r} names no day: {FORMS}"


def _weekday(day: str) -> int | None:
    return next((i for i, name in enumerate(WEEKDAYS) if _names(day, name.lower())), None)


def _names(word: str, name: str) -> bool:
    """`tue`, `tues`, `tuesday`: at least three letters of the name."""
    return len(word) >= 3 and name.startswith(word)


def _date(text: str, year: int, month: int, day: int) -> date:
    found = _possible(year, month, day)
    if found is None:
        raise UnclearTime(text, f"{year:04}-{month:02}-{day:02} is no day of the calendar")
    return found


def _possible(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
