"""Windows and past times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pulp.client.errors import BadUsage
from pulp.client.spans import describe_window, parse_past, parse_window
from pulp.common.times import HOUR, format_time, to_ms

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 12, 30, tzinfo=BERLIN)


def window(text: str, now: datetime = NOW) -> str:
    found = parse_window(text, now=now, zone=BERLIN)
    return f"{format_time(found.begin)[:16]}/{format_time(found.end)[:16]}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tuesday 12:00/2h", "2026-12-01T11:00/2026-12-01T13:00"),
        ("22:00/4:00", "2026-11-24T21:00/2026-11-25T03:00"),
        ("tuesday 22:00 / wednesday 4:00", "2026-11-24T21:00/2026-11-25T03:00"),
        ("now/30m", "2026-11-24T11:30/2026-11-24T12:00"),
        ("in 10m/1h30m", "2026-11-24T11:40/2026-11-24T13:10"),
        ("2026-12-01 12:00/2026-12-01 14:00", "2026-12-01T11:00/2026-12-01T13:00"),
        ("2026-12-01T12:00:00Z/2h", "2026-12-01T12:00/2026-12-01T14:00"),
        ("2026-11-24T00:00:00Z/2026-11-25T00:00:00Z", "2026-11-24T00:00/2026-11-25T00:00"),
    ],
)
def test_windows(text: str, meant: str) -> None:
    assert window(text) == meant


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("tuesday 12:00", "write BEGIN/END or BEGIN/DURATION"),
        ("/2h", "write BEGIN/END"),
        ("1/12/2026 12:00/2h", "dates as 2026-12-01"),
        ("12:00/in 2h", "write the length as '2h'"),
        ("12:00/0h", "longer than zero"),
        ("2026-11-24T00:00:00Z/1h", "over already"),
        ("2026-12-01T12:00:00Z/2026-12-01T12:00:00Z", "ends before it begins"),
        ("2026-12-01T12:00:00Z/2026-12-01T11:00:00Z", "ends before it begins"),
        ("2026-12-01 12:00/2026-11-30 12:00", "ends before it begins"),
        ("2026-12-01 12:00/2026-11-20 12:00", "over already"),
        ("2026-12-01 12:00/2026-12-41 12:00", "2026-12-41"),
        ("2027-10-31 01:00/2027-10-31 02:30", "comes twice"),
        ("tuesday/2h", "names no time of day"),
        ("now/418000w", "beyond the year 9999"),
        ("now/999999w", "any calendar"),
    ],
)
def test_what_is_no_window_is_refused(text: str, fix: str) -> None:
    with pytest.raises(BadUsage, match=fix):
        window(text)


def test_a_window_over_the_night_the_clocks_go_back_has_its_real_length() -> None:
    evening = datetime(2027, 10, 30, 20, 0, tzinfo=BERLIN)
    found = parse_window("22:00/6:00", now=evening, zone=BERLIN)
    assert found.end - found.begin == 9 * HOUR


def test_a_window_is_told_in_full() -> None:
    found = parse_window("tuesday 12:00/2h", now=NOW, zone=BERLIN)
    assert describe_window(found, BERLIN) == (
        "Tuesday 2026-12-01 12:00:00 CET to Tuesday 2026-12-01 14:00:00 CET "
        "(2026-12-01T11:00:00Z to 2026-12-01T13:00:00Z, 2h)"
    )


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-20", "2026-11-19T23:00:00.000Z", "2026-11-20T22:59:59.999Z"),
        ("today", "2026-11-23T23:00:00.000Z", "2026-11-24T22:59:59.999Z"),
        ("yesterday", "2026-11-22T23:00:00.000Z", "2026-11-23T22:59:59.999Z"),
        ("2026-11-20 12:00", "2026-11-20T11:00:00.000Z", "2026-11-20T11:00:00.000Z"),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.000Z", "2026-11-20T12:00:00.000Z"),
        ("2h ago", "2026-11-24T09:30:00.000Z", "2026-11-24T09:30:00.000Z"),
        ("now", "2026-11-24T11:30:00.000Z", "2026-11-24T11:30:00.000Z"),
        # passed twice: a look back takes in both
        ("2026-10-25 2:30", "2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"),
        # jumped over
        ("2026-03-29 2:30", "2026-03-29T01:30:00.000Z", "2026-03-29T01:30:00.000Z"),
    ],
)
def test_past_times(text: str, first: str, last: str) -> None:
    ends = [parse_past(text, now=NOW, zone=BERLIN, latest=latest) for latest in (False, True)]
    assert [format_time(to_ms(m.astimezone(UTC))) for m in ends] == [first, last]


@pytest.mark.parametrize(
    "text", ["", "tuesday", "1/12/2026", "2026-02-30", "long ago", "999999w ago", "200000w ago"]
)
def test_an_unclear_past_is_refused(text: str) -> None:
    with pytest.raises(BadUsage):
        parse_past(text, now=NOW, zone=BERLIN)
