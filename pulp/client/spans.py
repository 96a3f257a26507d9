"""Windows and past times as people say them. Pure, like pulp.client.moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from pulp.client.days import UnclearTime
from pulp.client.errors import BadUsage
from pulp.client.moments import (
    describe,
    in_utc,
    local_readings,
    parse_moment,
    span,
)
from pulp.common.times import format_duration, parse_duration, parse_time, to_datetime, to_ms
from pulp.common.windows import Window

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SHORT_HOUR = re.compile(r" (?=\d:)")
_HAS_DATE = re.compile(r"^\d{4}-\d\d-\d\d[Tt ]")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"[\d.]+[smhdw]([\d.]+[smhdw])*")


def parse_window(text: str, *, now: datetime, zone: tzinfo, option: str = "--window") -> Window:
    """`BEGIN/END` or `BEGIN/DURATION`: "tuesday 12:00/2h", "22:00/4:00", "now/30m", RFC 3339.

    The end is the next such moment after the begin. BadUsage says what is wrong with the option."""
    try:
        return _window(option, text, now, zone)
    except OverflowError:
        raise BadUsage(f"{option} {text!r}: it is beyond the year 9999") from None


def _window(option: str, text: str, now: datetime, zone: tzinfo) -> Window:
    begin_text, slash, end_text = (part.strip() for part in text.partition("/"))
    if not (slash and begin_text and end_text) or "/" in end_text:
        raise BadUsage(
            f"{option} {text!r}: write BEGIN/END or BEGIN/DURATION, such as "
            "'tuesday 12:00/2h' or '22:00/4:00' (dates as 2026-12-01)"
        )
    now = now.astimezone(UTC)
    begin = _begin(begin_text, now, zone).astimezone(UTC)
    end = _end(option, end_text, begin, zone).astimezone(UTC)
    if end <= now:
        raise BadUsage(f"{option} {text!r}: it is over already, since {describe(end, zone)}")
    if end <= begin:
        raise BadUsage(f"{option} {text!r}: it ends before it begins")
    return Window(to_ms(begin), to_ms(end))


def describe_window(window: Window, zone: tzinfo) -> str:
    """`Tuesday … CET to Tuesday … CET (… to …, 2h)`."""
    begin, end = to_datetime(window.begin), to_datetime(window.end)
    local = [describe(m, zone).partition(" (")[0] for m in (begin, end)]
    length = format_duration(window.end - window.begin)
    return f"{local[0]} to {local[1]} ({in_utc(begin)} to {in_utc(end)}, {length})"


def parse_past(text: str, *, now: datetime, zone: tzinfo, latest: bool = False) -> datetime:
    """RFC 3339, `2026-12-01 12:00`, `2h ago`, `today`, `yesterday` or a date; a day alone is its first instant, or with
    `latest` its last. UnclearTime otherwise."""
    said = " ".join(text.lower().split())
    today = now.astimezone(zone).date()
    if said == "now":
        return now
    if said.endswith(" ago"):
        return _ago(text, said.removesuffix(" ago"), now)
    if said in ("today", "yesterday"):
        said = (today if said == "today" else today - timedelta(days=1)).isoformat()
    try:
        if _DAY.fullmatch(said):
            clock = time.max.replace(microsecond=999_000) if latest else time.min
            naive = datetime.combine(datetime.fromisoformat(said), clock)
            return _reading(naive, zone, latest=latest)
        naive = datetime.fromisoformat(_SHORT_HOUR.sub(" 0", said).upper())
    except ValueError:
        raise UnclearTime(
            text, "write it as 2026-12-01, '2026-12-01 12:00', 'yesterday', '2h ago' or RFC 3339"
        ) from None
    return naive if naive.tzinfo else _reading(naive, zone, latest=latest)


def _ago(text: str, said: str, now: datetime) -> datetime:
    try:
        return now.astimezone(UTC) - timedelta(milliseconds=span(text, said))
    except OverflowError:
        raise UnclearTime(text, "it is before any calendar") from None


def _begin(text: str, now: datetime, zone: tzinfo) -> datetime:
    """A window may have begun already when that is said outright: `now`, or RFC 3339."""
    if text.lower() == "now":
        return now
    try:
        return to_datetime(parse_time(text))
    except ValueError:
        return parse_moment(text, now=now, zone=zone)


def _end(option: str, text: str, begin: datetime, zone: tzinfo) -> datetime:
    if _DURATION.fullmatch(text):
        try:
            return begin + timedelta(milliseconds=parse_duration(text))
        except ValueError as error:
            raise BadUsage(f"{option}: {error}") from None
    if text.lower().startswith("in "):
        raise BadUsage(f"{option}: write the length as {text[3:].replace(' ', '')!r}, without 'in'")
    if _HAS_DATE.match(text):
        try:
            return to_datetime(parse_time(text))
        except ValueError:
            return _dated(text, begin, zone)
    return parse_moment(text, now=begin, zone=zone)


def _dated(text: str, begin: datetime, zone: tzinfo) -> datetime:
    """A date and time in the local zone, which may be before the begin: that is told of the window, not of the date."""
    try:
        return parse_moment(text, now=begin, zone=zone)
    except UnclearTime:
        early = parse_moment(text, now=_LONG_AGO, zone=zone)
        if early > begin:
            raise
        return early


def _reading(naive: datetime, zone: tzinfo, *, latest: bool) -> datetime:
    """A look back takes in what the clocks passed twice; a time they jumped over stands for the jump."""
    readings = local_readings(naive, zone)
    if readings:
        return readings[-1 if latest else 0]
    return naive.replace(tzinfo=zone).astimezone(UTC)
