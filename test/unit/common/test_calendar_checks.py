"""Windows that make no sense are refused with a sentence that names the field and the fix."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pulp.common.calendar import (
    Calendar,
    OneOff,
    Recurrence,
    Recurring,
    Span,
    Why,
    calendar_problems,
    recurrence_problems,
    window_problems,
)
from pulp.common.calendar.occurrences import explicit
from pulp.common.calendar.rrule import Freq, Rule, WeekDay, parse_rrule
from pulp.common.times import DAY, LAST, parse_time

NOW = parse_time("2026-06-01T12:00:00Z")
GOOD = Recurring(
    name="w", rrule="FREQ=DAILY", dtstart="2026-01-01T22:00", zone="Europe/Berlin", duration="4h"
)


def with_(**changes: Any) -> Recurring:
    return msgspec.structs.replace(GOOD, **changes)


def said(span: Span, *, now: int = NOW, host_zone: str = "UTC") -> list[str]:
    return [f"{e.field}: {e.message}" for e in window_problems(span, now=now, host_zone=host_zone)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"duration": "24h"},
        {"duration": "1m"},
        {"cutoff": "3h59m"},
        {"zone": "host"},
        {"zone": "America/Argentina/Buenos_Aires"},
        {"zone": "Etc/GMT+5"},
        {"rrule": "FREQ=WEEKLY;BYDAY=SA,SU", "duration": "24h"},
        {"rrule": "FREQ=YEARLY", "dtstart": "2025-12-15T00:00", "duration": "24d"},
        {"rrule": "FREQ=YEARLY", "dtstart": "2024-01-01T00:00", "duration": "365d"},
        {"rrule": "FREQ=HOURLY;INTERVAL=2", "duration": "2h"},
        {"rrule": "FREQ=DAILY;UNTIL=20260601", "duration": "4h"},
        {"offset_days": -31},
        {"dtstart": "2030-01-01T22:00"},
    ],
)
def test_what_makes_sense(changes: dict[str, Any]) -> None:
    assert said(with_(**changes)) == []


@pytest.mark.parametrize(
    ("rrule", "sentence"),
    [
        ("", "an empty part is not taken: the parts are FREQ, INTERVAL, BYMONTH"),
        ("INTERVAL=2", "FREQ is missing: begin with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=", "FREQ has no value: write FREQ=..., or leave it out"),
        ("FREQ=MINUTELY", "FREQ=MINUTELY is too fast for a window: use HOURLY or slower"),
        ("FREQ=SECONDLY", "FREQ=SECONDLY is too fast for a window: use HOURLY or slower"),
        ("FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY is unknown: use YEARLY, MONTHLY, WEEKLY, DAILY"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands there twice: join its values with commas"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20261231", "COUNT and UNTIL are both given: leave one"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0 is out of range: use whole numbers from 1 to 10000"),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL=1.5 is out of range: use whole numbers from 1"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1 is out of range"),
        ("FREQ=WEEKLY;INTERVAL=600", "INTERVAL=600 is longer than ten years: with FREQ=WEEKLY"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is out of range: use whole numbers from 0 to 23"),
        ("FREQ=DAILY;BYHOUR=2a", "BYHOUR=2A is out of range"),
        ("FREQ=DAILY;BYHOUR=", "BYHOUR has no value"),
        ("FREQ=DAILY;BYHOUR=1,", "BYHOUR= is out of range"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0 is out of range: use whole numbers from -31"),
        ("FREQ=DAILY;BYSECOND=30", "BYSECOND is not taken: windows are kept to the minute"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not taken: use FREQ=WEEKLY with INTERVAL"),
        ("FREQ=DAILY;EXDATE=20260101", "EXDATE is not taken: make a freeze for the days"),
        ("FREQ=DAILY;BYNIGHT=1", "BYNIGHT is not taken: the parts are FREQ, INTERVAL"),
        ("FREQ=MONTHLY;BYDAY=TUE", "BYDAY=TUE is not a weekday: use MO TU WE TH FR SA SU"),
        ("FREQ=MONTHLY;BYDAY=0TU", "BYDAY=0TU is not a weekday"),
        ("FREQ=MONTHLY;BYDAY=6TU", "BYDAY counts within a month"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=9TU", "BYDAY counts within a month"),
        ("FREQ=WEEKLY;BYDAY=2TU", "BYDAY with a number needs FREQ=MONTHLY or YEARLY"),
        ("FREQ=MONTHLY;BYDAY=MO,2TU", "BYDAY mixes weekdays with a number and without"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY does not go with FREQ=WEEKLY: use FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS has nothing to choose from: add BYDAY"),
        ("FREQ=WEEKLY;WKST=SUN", "WKST=SUN is not a weekday"),
        ("FREQ=DAILY;UNTIL=20261231T230000Z", "UNTIL ends in Z for UTC: write it in the window's"),
        ("FREQ=DAILY;UNTIL=2026-12-31", "UNTIL=2026-12-31 is not a date such as 20261231 or"),
        ("FREQ=DAILY;UNTIL=20260231", "UNTIL=20260231 is not a date"),
        ("FREQ=DAILY;UNTIL=20251231", "UNTIL is before dtstart: move one of them"),
        ("FREQ=DAILY;UNTIL=20260530", "it is over: move UNTIL to a later day"),
        ("FREQ=DAILY;COUNT=3", "it is over: raise COUNT, or move dtstart"),
        ("FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,5,10,15,20,25,30,35,40", "BYHOUR and BYMINUTE make"),
        ("FREQ=HOURLY;BYMINUTE=0,30", "BYHOUR and BYMINUTE make more than 24 openings a day"),
    ],
)
def test_rules_that_are_refused(rrule: str, sentence: str) -> None:
    (found,) = said(with_(rrule=rrule))
    assert found.startswith(f"rrule: {sentence}")


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    ],
)
def test_a_rule_that_never_occurs_is_refused_at_once(rrule: str) -> None:
    began = time.process_time()
    (found,) = said(with_(rrule=rrule))
    assert found.startswith("rrule: it names no day within ten years of dtstart: check INTERVAL")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dtstart": "2026-01-01T22:00:30"}, "dtstart: '2026-01-01T22:00:30' has seconds: write"),
        ({"dtstart": "2026-01-01T22:00Z"}, "dtstart: '2026-01-01T22:00Z' has an offset, but the"),
        ({"dtstart": "2026-01-01T22:00+01:00"}, "dtstart: '2026-01-01T22:00+01:00' has an offset"),
        ({"dtstart": "2026-01-01"}, "dtstart: '2026-01-01' is not a date and time such as 2026-"),
        ({"dtstart": "2026-02-30T22:00"}, "dtstart: '2026-02-30T22:00' is not in the calendar"),
        ({"dtstart": "2026-01-01T24:00"}, "dtstart: '2026-01-01T24:00' is not in the calendar"),
        ({"dtstart": "1969-12-31T22:00"}, "dtstart: '1969-12-31T22:00' is not between the years"),
        ({"dtstart": "2199-01-01T22:00"}, "dtstart: nothing follows within ten years from now"),
        (
            {"zone": "Europe/Berln"},
            "zone: 'Europe/Berln' is not a time zone; did you mean Europe/Be",
        ),
        (
            {"zone": "europe/berlin"},
            "zone: 'europe/berlin' is not a time zone; did you mean Europe/",
        ),
        ({"zone": "CEST"}, "zone: 'CEST' is not a time zone: write an IANA name"),
        ({"zone": "utc"}, "zone: 'utc' is not a time zone; did you mean UTC?"),
        ({"zone": "Europe"}, "zone: 'Europe' is not a time zone"),
        ({"zone": ""}, "zone: '' is not a time zone: write an IANA name such as Europe/Berlin"),
        ({"zone": "../../etc/passwd"}, "zone: '../../etc/passwd' is not a time zone"),
        ({"zone": "/etc/localtime"}, "zone: '/etc/localtime' is not a time zone"),
        ({"zone": "localtime"}, "zone: 'localtime' is not a time zone"),
        ({"zone": "right/Europe/Berlin"}, "zone: 'right/Europe/Berlin' is not a time zone"),
        ({"zone": "zone.tab"}, "zone: 'zone.tab' is not a time zone"),
        ({"zone": "Europe/Berlin\n"}, "zone: 'Europe/Berlin\\n' is not a time zone"),
        ({"zone": "Europe/\x00"}, "zone: 'Europe/\\x00' is not a time zone"),
        (
            {"duration": "4"},
            "duration: '4' is not a whole number of minutes, such as 90m, 4h, 1d or 2d12h",
        ),
        ({"duration": "0h"}, "duration: it must be longer than zero, such as 90m, 4h or 1d"),
        ({"duration": "90s"}, "duration: '90s' is not a whole number of minutes, such as"),
        ({"duration": "1.5h"}, "duration: '1.5h' is not a whole number of minutes"),
        ({"duration": "4h\n"}, "duration: '4h\\n' is not a whole number of minutes"),
        ({"duration": "30m4h"}, "duration: '30m4h' is not a whole number of minutes"),
        ({"duration": "400d"}, "duration: it is longer than a year: use at most 366d"),
        ({"cutoff": "30s"}, "cutoff: '30s' is not a whole number of minutes"),
        ({"cutoff": "4h"}, "cutoff: it leaves no time to start in: make it shorter than 4h"),
        ({"cutoff": ""}, "cutoff: '' is not a whole number of minutes"),
        ({"offset_days": 32}, "offset_days: use -31 to 31"),
        (
            {"duration": "25h"},
            "duration: the opening of 2026-01-01T22:00 is not over when the next begins at "
            "2026-01-02T22:00: make it 1d at most, or the rule slower",
        ),
        (
            {"rrule": "FREQ=MONTHLY;BYMONTHDAY=1,15,16", "duration": "2d"},
            "duration: the opening of 2026-01-15T22:00 is not over when the next begins at "
            "2026-01-16T22:00: make it 1d at most",
        ),
        (
            {"rrule": "FREQ=DAILY;BYMONTHDAY=1,-1", "duration": "25h"},
            "duration: the opening of 2026-01-31T22:00 is not over",
        ),
    ],
)
def test_windows_that_are_refused(changes: dict[str, Any], sentence: str) -> None:
    (found,) = said(with_(**changes))
    assert found.startswith(sentence)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    span = with_(rrule="FREQ=X", dtstart="x", zone="x", duration="x", offset_days=99)
    fields = [line.partition(":")[0] for line in said(span)]
    assert fields == ["rrule", "dtstart", "zone", "offset_days", "duration"]


def test_an_opening_that_is_on_now_counts_as_not_over() -> None:
    span = with_(rrule="FREQ=DAILY;COUNT=1", dtstart="2026-06-01T12:00", zone="UTC")
    assert said(span, now=NOW + DAY // 6 - 1) == []
    assert said(span, now=NOW + DAY // 6) == ["rrule: it is over: raise COUNT, or move dtstart"]


@pytest.mark.parametrize(
    ("begin", "end", "cutoff", "sentence"),
    [
        (NOW + 2, NOW + 1, None, "end: it must come after begin"),
        (NOW + 1, NOW + 1, None, "end: it must come after begin"),
        (-1, NOW + 1, None, "end: it must come after begin, and both between the years 1970 and"),
        (NOW, LAST + 1, None, "end: it must come after begin"),
        (NOW - DAY, NOW, None, "end: it is past, since 2026-06-01T12:00:00.000Z: give a later"),
        (NOW, NOW + DAY, "1d", "cutoff: it leaves no time to start in: make it shorter than 1d"),
    ],
)
def test_one_offs_that_are_refused(begin: int, end: int, cutoff: str | None, sentence: str) -> None:
    (found,) = said(OneOff(name="w", begin=begin, end=end, cutoff=cutoff))
    assert found.startswith(sentence)


def test_a_one_off_that_has_begun_is_taken() -> None:
    assert said(OneOff(name="w", begin=NOW - 1, end=NOW + 1)) == []


def test_a_recurrence_without_a_length() -> None:
    made = Recurrence(rrule="FREQ=DAILY;UNTIL=20260601", dtstart="2026-01-01T12:00", zone="UTC")
    assert recurrence_problems(made, now=NOW) == []
    (found,) = recurrence_problems(made, now=NOW + 1)
    assert found.message == "it is over: move UNTIL to a later day"
    (found,) = recurrence_problems(msgspec.structs.replace(made, rrule="FREQ=X"), now=NOW)
    assert found.field == "rrule"


def whole(windows: tuple[Span, ...], freezes: tuple[Span, ...], zone: str = "UTC") -> list[str]:
    calendar = Calendar(windows=windows, freezes=freezes)
    return [f"{e.field}: {e.message}" for e in calendar_problems(calendar, now=NOW, host_zone=zone)]


def test_a_calendar_must_leave_something() -> None:
    once = OneOff(name="move", begin=NOW + DAY, end=NOW + 2 * DAY)
    freeze = OneOff(name="audit", begin=NOW, end=NOW + 3 * DAY)
    every_night = with_(name="quiet", dtstart="2026-01-01T00:00", duration="1d")
    assert whole((GOOD,), (freeze,)) == []
    assert whole((once,), (freeze,)) == [
        "freezes: audit leave nothing of the windows: shorten a freeze, or add a window"
    ]
    assert whole((GOOD,), (every_night, freeze)) == [
        "freezes: quiet, audit leave nothing of the windows: shorten a freeze, or add a window"
    ]
    past = OneOff(name="past", begin=1, end=2)
    assert whole((past,), (freeze,)) == [
        "windows: none opens within ten years: add a window that does"
    ]


def test_a_freeze_has_no_cutoff_and_a_host_has_a_zone() -> None:
    freeze = OneOff(name="audit", begin=NOW, end=NOW + DAY, cutoff="1h")
    assert whole((GOOD,), (GOOD, freeze), zone="Mars/Base") == [
        "host_zone: 'Mars/Base' is not a time zone: write an IANA name such as Europe/Berlin or UTC",
        "freezes[1].cutoff: a freeze has none: leave it out",
    ]


def test_what_an_rrule_says() -> None:
    rule = parse_rrule("FREQ=MONTHLY;BYDAY=-1FR,2TU;BYHOUR=22,3,22;INTERVAL=2;WKST=SU;COUNT=4")
    assert rule == Rule(
        freq=Freq.MONTHLY,
        interval=2,
        week_days=(WeekDay(4, -1), WeekDay(1, 2)),
        hours=(3, 22),
        week_start=6,
        count=4,
    )


def test_what_dtstart_adds() -> None:
    dtstart = datetime.fromisoformat("2026-06-03T22:15")
    weekly = explicit(parse_rrule("FREQ=WEEKLY"), dtstart)
    assert (weekly.week_days, weekly.hours, weekly.minutes) == ((WeekDay(2),), (22,), (15,))
    yearly = explicit(parse_rrule("FREQ=YEARLY"), dtstart)
    assert (yearly.months, yearly.month_days) == ((6,), (3,))


def test_what_the_page_for_people_says_is_true() -> None:
    page = (Path(__file__).parents[3] / "docs" / "windows.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    fields = msgspec.json.decode(example)
    assert fields.pop("role") == "window"
    assert said(msgspec.convert(fields, Recurring), host_zone="Asia/Kathmandu") == []
    rules = re.findall(r"^\|[^|]+\| `(FREQ=[^`]+)` \|", page, re.MULTILINE)
    assert len(rules) >= 12
    for rule in rules:
        parse_rrule(rule)
    assert {why.value for why in Why} == set(
        re.findall(r"^\| `([a-z-]+)` \| (?:it|no|a|there)\b", page, re.MULTILINE)
    )
