"""Recurrences by example: the rules that people ask for, and the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import msgspec
import pytest

from pulp.common.calendar import OneOff, Recurrence, Recurring, begins
from pulp.common.calendar.spans import spans
from pulp.common.errors import InvalidInput
from pulp.common.times import HOUR, LAST, format_time, parse_time

FAR = 2**42
"""In the year 2109."""


def utc(text: str) -> int:
    return parse_time(text + "Z")


def recurrence(rrule: str, dtstart: str, zone: str = "UTC", offset_days: int = 0) -> Recurrence:
    return Recurrence(rrule=rrule, dtstart=dtstart, zone=zone, offset_days=offset_days)


def first_days(made: Recurrence, number: int, since: str = "1970-01-01T00:00") -> list[str]:
    found = begins(made, since=utc(since), before=utc("2100-01-01T00:00"), host_zone="UTC")
    return [format_time(ms)[:10] for ms in islice(found, number)]


@pytest.mark.parametrize(
    ("rrule", "dtstart", "offset_days", "days"),
    [
        pytest.param(
            "FREQ=MONTHLY;BYDAY=3TU",
            "2026-01-01T22:00",
            0,
            ["2026-01-20", "2026-02-17", "2026-03-17", "2026-04-21"],
            id="third Tuesday",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "2026-01-01T22:00",
            0,
            ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30", "2026-05-29"],
            id="last weekday",
        ),
        pytest.param(
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
            "2026-01-03T22:00",
            0,
            ["2026-01-03", "2026-01-17", "2026-01-31", "2026-02-14"],
            id="every second week",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=2TU",
            "2026-01-01T22:00",
            10,
            ["2026-01-23", "2026-02-20", "2026-03-20", "2026-04-24"],
            id="Patch Tuesday + 10 days",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=1",
            "2026-01-01T22:00",
            -3,
            ["2025-12-29", "2026-01-29", "2026-02-26", "2026-03-29"],
            id="three days before the first, also before dtstart",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=31",
            "2026-01-01T22:00",
            0,
            ["2026-01-31", "2026-03-31", "2026-05-31"],
            id="the 31st: shorter months are left out",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "2028-01-01T22:00",
            0,
            ["2028-01-31", "2028-02-29", "2028-03-31"],
            id="the last day",
        ),
        pytest.param(
            "FREQ=YEARLY;BYMONTH=3,9;BYDAY=1SU",
            "2026-01-01T22:00",
            0,
            ["2026-03-01", "2026-09-06", "2027-03-07"],
            id="first Sunday of March and September",
        ),
        pytest.param(
            "FREQ=YEARLY",
            "2024-02-29T22:00",
            0,
            ["2024-02-29", "2028-02-29", "2032-02-29"],
            id="a leap day",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "2026-01-01T22:00",
            0,
            ["2026-02-13", "2026-03-13", "2026-11-13"],
            id="Friday the 13th",
        ),
        pytest.param(
            "FREQ=WEEKLY;COUNT=2",
            "2026-01-07T22:00",
            0,
            ["2026-01-07", "2026-01-14"],
            id="COUNT counts from dtstart",
        ),
        pytest.param(
            "FREQ=DAILY;UNTIL=20260103",
            "2026-01-01T22:00",
            10,
            ["2026-01-11", "2026-01-12", "2026-01-13"],
            id="UNTIL is included, and is read before the offset",
        ),
        pytest.param(
            "rrule:freq=daily;count=1;",
            "2026-01-01T22:00",
            0,
            ["2026-01-01"],
            id="as calendars write it",
        ),
    ],
)
def test_the_rules_that_people_ask_for(
    rrule: str, dtstart: str, offset_days: int, days: list[str]
) -> None:
    made = recurrence(rrule, dtstart, offset_days=offset_days)
    assert first_days(made, len(days)) == days
    if "COUNT" in rrule.upper() or "UNTIL" in rrule:
        assert first_days(made, len(days) + 1) == days


def test_count_is_the_same_however_late_one_asks() -> None:
    made = recurrence("FREQ=MONTHLY;COUNT=26", "2024-01-05T22:00")
    assert first_days(made, 9, since="2026-01-01T00:00") == ["2026-01-05", "2026-02-05"]


def test_an_interval_keeps_step_over_new_year_and_over_decades() -> None:
    made = recurrence("FREQ=WEEKLY;INTERVAL=2", "2000-01-01T12:00")
    assert first_days(made, 2, since="2025-12-20T00:00") == ["2025-12-27", "2026-01-10"]


@pytest.mark.parametrize(("until", "last"), [("220000", "2026-01-03"), ("215959", "2026-01-02")])
def test_until_is_included_to_the_second(until: str, last: str) -> None:
    made = recurrence(f"FREQ=DAILY;UNTIL=20260103T{until}", "2026-01-01T22:00")
    assert first_days(made, 9)[-1] == last


def test_the_last_of_a_week_that_reaches_into_the_next_year() -> None:
    made = recurrence("FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=-1", "2025-12-22T22:00")
    assert first_days(made, 3) == ["2025-12-28", "2026-01-04", "2026-01-11"]


@pytest.mark.parametrize(
    ("offset_days", "day"), [(-31, "2025-12-01"), (-1, "2025-12-31"), (31, "2026-02-01")]
)
def test_an_offset_across_new_year_is_found_from_either_side(offset_days: int, day: str) -> None:
    made = recurrence("FREQ=YEARLY", "2026-01-01T22:00", offset_days=offset_days)
    at = utc(f"{day}T22:00")
    assert list(begins(made, since=at, before=at + 1, host_zone="UTC")) == [at]


def opening(zone: str, dtstart: str, hours: int, *, host: str = "UTC") -> tuple[str, str]:
    """The one span of a daily rule that begins at or after a wall time, as UTC texts to the second."""
    made = Recurring(
        name="w", rrule="FREQ=DAILY;COUNT=1", dtstart=dtstart, zone=zone, duration=f"{hours}h"
    )
    (found,) = spans(made, after=0, before=FAR, host_zone=host)
    begin, end = (format_time(ms)[:19] for ms in found)
    return begin, end


@pytest.mark.parametrize(
    ("zone", "dtstart", "begin", "end"),
    [
        # The night when clocks go forward: a time that does not exist moves to the first that does.
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00", "2026-03-29T05:00:00"),
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00", "2026-03-29T05:00:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00", "2026-03-29T05:00:00"),
        ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59:00", "2026-03-29T04:59:00"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00:00", "2026-03-08T11:00:00"),
        ("Australia/Sydney", "2026-10-04T02:30", "2026-10-03T16:00:00", "2026-10-03T20:00:00"),
        ("America/Santiago", "2026-09-06T00:15", "2026-09-06T04:00:00", "2026-09-06T08:00:00"),
        # The night when they go back: a time that exists twice is taken at its first.
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00", "2026-10-25T04:30:00"),
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00", "2026-10-25T04:00:00"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00", "2026-10-25T06:00:00"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00", "2026-11-01T09:30:00"),
        ("Australia/Sydney", "2026-04-05T02:30", "2026-04-04T15:30:00", "2026-04-04T19:30:00"),
        ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30:00", "2026-04-05T06:30:00"),
        # Half an hour.
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30:00", "2026-10-03T19:30:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00", "2026-04-04T18:45:00"),
        # Two hours.
        ("Antarctica/Troll", "2026-03-29T02:59", "2026-03-29T01:00:00", "2026-03-29T05:00:00"),
        # Midnight does not exist.
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00:00", "2018-11-04T07:00:00"),
        ("America/Havana", "2026-03-08T00:30", "2026-03-08T05:00:00", "2026-03-08T09:00:00"),
        # The whole day does not exist: across the date line.
        ("Pacific/Apia", "2011-12-30T22:00", "2011-12-30T10:00:00", "2011-12-30T14:00:00"),
        ("Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00:00", "2011-12-30T14:00:00"),
        ("Pacific/Apia", "2011-12-29T23:59", "2011-12-30T09:59:00", "2011-12-30T13:59:00"),
        ("Pacific/Kwajalein", "1993-08-21T12:00", "1993-08-21T12:00:00", "1993-08-21T16:00:00"),
        ("Pacific/Kiritimati", "1994-12-31T12:00", "1994-12-31T10:00:00", "1994-12-31T14:00:00"),
        # No summer time, but a new offset.
        ("Asia/Pyongyang", "2015-08-14T23:45", "2015-08-14T14:45:00", "2015-08-14T18:45:00"),
        ("Asia/Pyongyang", "2018-05-04T23:45", "2018-05-04T15:00:00", "2018-05-04T19:00:00"),
        ("America/Caracas", "2016-05-01T02:45", "2016-05-01T07:00:00", "2016-05-01T11:00:00"),
        # A gap that does not end on a minute.
        ("Africa/Monrovia", "1972-01-07T00:10", "1972-01-07T00:44:30", "1972-01-07T04:44:30"),
    ],
)
def test_an_opening_begins_once_and_lasts_its_elapsed_duration(
    zone: str, dtstart: str, begin: str, end: str
) -> None:
    assert opening(zone, dtstart, 4) == (begin, end)
    assert opening("host", dtstart, 4, host=zone) == (begin, end)


@pytest.mark.parametrize(
    ("dtstart", "hours"),
    [("2026-03-28T22:00", 8), ("2026-10-24T22:00", 8), ("2026-03-28T12:00", 48)],
)
def test_eight_hours_are_eight_hours_on_either_night(dtstart: str, hours: int) -> None:
    begin, end = opening("Europe/Berlin", dtstart, hours)
    assert utc(end) - utc(begin) == hours * HOUR


@pytest.mark.parametrize("night", ["2026-03-27", "2026-10-23"])
def test_each_day_has_one_opening_also_when_clocks_change(night: str) -> None:
    made = recurrence("FREQ=DAILY;COUNT=5", f"{night}T02:30", "Europe/Berlin")
    assert len(first_days(made, 9)) == 5


def test_two_times_in_one_gap_are_one_instant() -> None:
    made = recurrence(
        "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,15;COUNT=4", "2026-03-29T00:00", "Europe/Berlin"
    )
    found = begins(made, since=0, before=FAR, host_zone="UTC")
    assert [format_time(ms)[11:16] for ms in found] == ["01:00", "01:15"]


def test_a_day_that_does_not_exist_joins_the_next_also_over_new_year() -> None:
    made = recurrence("FREQ=DAILY;BYHOUR=0,22;COUNT=6", "1994-12-30T00:00", "Pacific/Kiritimati")
    found = [format_time(ms)[:16] for ms in begins(made, since=0, before=FAR, host_zone="UTC")]
    assert found == [
        "1994-12-30T10:00",
        "1994-12-31T08:00",
        "1994-12-31T10:00",
        "1995-01-01T08:00",
    ]


@pytest.mark.parametrize(
    ("zone", "dtstart", "duration", "end"),
    [
        ("Europe/Berlin", "2026-03-28T12:00", "1d", "2026-03-29T10:00"),
        ("Europe/Berlin", "2026-03-28T12:00", "24h", "2026-03-29T11:00"),
        ("Europe/Berlin", "2026-10-24T12:00", "1d", "2026-10-25T11:00"),
        ("Europe/Berlin", "2026-10-24T12:00", "24h", "2026-10-25T10:00"),
        ("Europe/Berlin", "2026-03-28T02:30", "1d", "2026-03-29T01:00"),  # ends in the gap
        ("Europe/Berlin", "2026-10-24T02:30", "1d", "2026-10-25T00:30"),  # at the first 02:30
        ("Europe/Berlin", "2026-03-28T02:30", "1d30m", "2026-03-29T01:30"),
        ("Europe/Berlin", "2026-03-29T02:30", "1w", "2026-04-05T00:30"),  # begins in the gap
        ("Australia/Lord_Howe", "2026-10-03T12:00", "1d", "2026-10-04T01:00"),
        ("Pacific/Apia", "2011-12-29T22:00", "1d", "2011-12-30T10:00"),  # two hours
    ],
)
def test_days_lead_to_the_same_wall_time_and_hours_are_elapsed_time(
    zone: str, dtstart: str, duration: str, end: str
) -> None:
    made = Recurring(
        name="w", rrule="FREQ=DAILY;COUNT=1", dtstart=dtstart, zone=zone, duration=duration
    )
    (found,) = spans(made, after=0, before=FAR, host_zone="UTC")
    assert format_time(found[1])[:16] == end
    last = found[1] - 1
    assert list(spans(made, after=last, before=FAR, host_zone="UTC")) == [found]
    assert list(spans(made, after=last + 1, before=FAR, host_zone="UTC")) == []


def test_a_day_that_is_skipped_has_no_whole_day() -> None:
    made = Recurring(
        name="w",
        rrule="FREQ=DAILY;COUNT=3",
        dtstart="2011-12-29T00:00",
        zone="Pacific/Apia",
        duration="1d",
    )
    found = [
        format_time(begin)[:16] for begin, _ in spans(made, after=0, before=FAR, host_zone="UTC")
    ]
    assert found == ["2011-12-29T10:00", "2011-12-30T10:00"]


def test_begins_keeps_to_its_bounds() -> None:
    made = recurrence("FREQ=DAILY", "2026-01-01T00:00")
    day = [utc(f"2026-01-0{n}T00:00") for n in range(1, 6)]
    assert list(begins(made, since=day[1], before=day[3], host_zone="UTC")) == day[1:3]
    assert list(begins(made, since=day[1] + 1, before=day[3] + 1, host_zone="UTC")) == day[2:4]
    assert list(begins(made, since=-5, before=day[0], host_zone="UTC")) == []


def test_the_ends_of_the_calendar_are_no_trouble() -> None:
    made = recurrence("FREQ=DAILY", "1970-01-01T00:00", "Pacific/Auckland")
    first = next(begins(made, since=-LAST, before=LAST, host_zone="UTC"))
    assert first == -12 * HOUR
    last = list(begins(made, since=LAST - 900 * 24 * HOUR, before=2 * LAST, host_zone="UTC"))[-1]
    assert datetime.fromtimestamp(last / 1000, tz=UTC).year == 9997


def test_a_span_that_is_on_is_found_however_long_ago_it_began() -> None:
    made = Recurring(
        name="w", rrule="FREQ=YEARLY", dtstart="2020-12-01T00:00", zone="UTC", duration="60d"
    )
    late, after = utc("2026-01-29T23:59"), utc("2026-01-30T00:00")
    assert list(spans(made, after=late, before=late + 1, host_zone="UTC")) == [
        (utc("2025-12-01T00:00"), after)
    ]
    assert list(spans(made, after=after, before=after + 1, host_zone="UTC")) == []


def test_a_one_off_is_half_open() -> None:
    once = OneOff(name="w", begin=100, end=200)
    assert list(spans(once, after=199, before=200, host_zone="UTC")) == [(100, 200)]
    assert list(spans(once, after=200, before=300, host_zone="UTC")) == []
    assert list(spans(once, after=0, before=100, host_zone="UTC")) == []


def test_as_json_and_back() -> None:
    made = Recurring(
        name="nights",
        rrule="FREQ=DAILY",
        dtstart="2026-01-01T22:00",
        zone="host",
        duration="6h",
        cutoff="30m",
        offset_days=1,
    )
    text = msgspec.json.encode(made)
    assert text == (
        b'{"kind":"recurring","rrule":"FREQ=DAILY","dtstart":"2026-01-01T22:00","zone":"host",'
        b'"offset_days":1,"name":"nights","duration":"6h","cutoff":"30m"}'
    )
    assert msgspec.json.decode(text, type=OneOff | Recurring) == made


@pytest.mark.parametrize(
    "text",
    [
        b'{"kind":"once","name":"w","begin":1,"end":2,"zone":"UTC"}',
        b'{"kind":"recurring","name":"w","rrule":"FREQ=DAILY","dtstart":"2026-01-01T22:00","zone":"UTC","duration":"4h","until":5}',
        b'{"kind":"other","name":"w","begin":1,"end":2}',
        b'{"name":"w","begin":1,"end":2}',
        b'{"kind":"once","name":"w","begin":1.5,"end":2}',
    ],
)
def test_what_is_not_known_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=OneOff | Recurring)


def test_what_cannot_be_read_is_refused_when_it_is_evaluated() -> None:
    bad = recurrence("FREQ=DAYLY", "2026-01-01", "Europe/Berln")
    with pytest.raises(InvalidInput) as caught:
        next(begins(bad, since=0, before=FAR, host_zone="UTC"))
    assert [error.field for error in caught.value.errors] == ["rrule", "dtstart", "zone"]
    for duration in ("4 h", "9999w", "0m"):
        endless = Recurring(
            name="w", rrule="FREQ=DAILY", dtstart="2026-01-01T00:00", zone="UTC", duration=duration
        )
        with pytest.raises(InvalidInput, match=r"^duration: "):
            list(spans(endless, after=0, before=FAR, host_zone="UTC"))
    good = recurrence("FREQ=DAILY", "2026-01-01T00:00", "host")
    with pytest.raises(InvalidInput, match="'Nowhere/Land' is not a time zone"):
        next(begins(good, since=0, before=FAR, host_zone="Nowhere/Land"))
