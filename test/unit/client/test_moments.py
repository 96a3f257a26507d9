"""Times as people say them: the next such moment ahead, or a refusal that says what would be clear."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp.client.days import UnclearTime
from pulp.client.moments import describe, parse_moment

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = datetime(2026, 11, 24, 12, 30, tzinfo=BERLIN)


def said(text: str, now: datetime = TUESDAY) -> str:
    return parse_moment(text, now=now, zone=BERLIN).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tuesday 12:00", "2026-12-01T12:00:00+01:00"),
        ("Tuesday 13:00", "2026-11-24T13:00:00+01:00"),
        ("tue 12:30", "2026-12-01T12:30:00+01:00"),  # this very moment is not ahead
        ("tues 12:30:01", "2026-11-24T12:30:01+01:00"),
        ("monday 0:00", "2026-11-30T00:00:00+01:00"),
        ("12:00 thursday", "2026-11-26T12:00:00+01:00"),
        ("on friday at 3:30pm", "2026-11-27T15:30:00+01:00"),
        ("tomorrow 3:30", "2026-11-25T03:30:00+01:00"),
        ("today 23:59", "2026-11-24T23:59:00+01:00"),
        ("12:00", "2026-11-25T12:00:00+01:00"),
        ("12:31", "2026-11-24T12:31:00+01:00"),
        ("noon", "2026-11-25T12:00:00+01:00"),
        ("3 pm", "2026-11-24T15:00:00+01:00"),
        ("3am", "2026-11-25T03:00:00+01:00"),
        ("in 10m", "2026-11-24T12:40:00+01:00"),
        ("in 2 hours", "2026-11-24T14:30:00+01:00"),
        ("in 1 hour 30 minutes", "2026-11-24T14:00:00+01:00"),
        ("in 1h30m", "2026-11-24T14:00:00+01:00"),
        ("2026-12-01 12:00", "2026-12-01T12:00:00+01:00"),
        ("2026-12-01T12:00", "2026-12-01T12:00:00+01:00"),
        ("2026-12-01T12:00:00Z", "2026-12-01T13:00:00+01:00"),
        ("2026-12-01t12:00:00.5-05:00", "2026-12-01T18:00:00+01:00"),
        ("12:00 UTC", "2026-11-24T13:00:00+01:00"),
        ("2026-12-01 12:00 UTC", "2026-12-01T13:00:00+01:00"),
        ("tuesday 11:31 z", "2026-11-24T12:31:00+01:00"),
        ("1 december 12:00", "2026-12-01T12:00:00+01:00"),
        ("Dec 1st, 2027 at 12:00", "2027-12-01T12:00:00+01:00"),
        ("3 march 8:00", "2027-03-03T08:00:00+01:00"),
        ("29 feb 8:00", "2028-02-29T08:00:00+01:00"),
    ],
)
def test_the_next_such_moment(text: str, meant: str) -> None:
    assert said(text) == meant


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "names no time of day"),
        ("tuesday", "add one, as in 'tuesday 12:00'"),
        ("2026-12-01", "add one"),
        ("12", "a day or an hour"),
        ("tuesday 12", "write it as"),
        ("midnight", "write 00:00 with the day"),
        ("tomorrow midnight", "write 00:00 with the day"),
        ("12pm", "write 00:00 or 12:00"),
        ("13pm", "13 pm is no hour"),
        ("next tuesday 12:00", "write 'tuesday' for the next one ahead"),
        ("1/12/2026 12:00", "which number is the month"),
        ("1.12. 12:00", "which number is the month"),
        ("01-12 12:00", "which number is the month"),
        ("today 9:00", "past already; it is 2026-11-24 12:30 CET"),
        ("2026-11-23 9:00", "is past already"),
        ("2026-11-24T11:00:00Z", "past already, by 30m"),
        ("2026-02-30 12:00", "no day of the calendar"),
        ("2026-02-30T12:00:00Z", "no day of the calendar"),
        ("30 feb 12:00", "no day of the calendar"),
        ("24:00", "no time of day"),
        ("12:60", "no time of day"),
        ("12:00 CET", "'cet' names no day"),
        ("12:00 13:00", "names no day"),
        ("in 3 months", "not a duration"),
        ("in -5m", "not a duration"),
        ("in 0s", "longer than zero"),
        ("in 418000w", "beyond the year 9999"),
        ("in 999999w", "any calendar"),
        ("9999-12-31 23:59 UTC", "beyond the year 9999"),
        ("soon", "write it as 'tuesday 12:00'"),
        ("2026-12-01T12:00:00Z; rm", "write it as"),
    ],
)
def test_what_is_unclear_is_refused_with_the_fix(text: str, fix: str) -> None:
    with pytest.raises(UnclearTime, match=fix) as refused:
        said(text)
    assert repr(text) in str(refused.value)


class TestTheNightTheClocksGoForward:
    """2027-03-28 in Berlin: 02:00 CET is 03:00 CEST."""

    EVENING = datetime(2027, 3, 27, 20, 0, tzinfo=BERLIN)

    @pytest.mark.parametrize(
        "text", ["2:30", "2:00", "tomorrow 2:59:59", "sunday 2:30", "2027-03-28 2:30"]
    )
    def test_a_time_that_does_not_exist_is_refused_with_both_neighbours(self, text: str) -> None:
        with pytest.raises(
            UnclearTime, match=r"does not exist.*write 2027-03-28T01.*or 2027-03-28T03"
        ):
            said(text, self.EVENING)

    def test_the_neighbours_offered_are_half_an_hour_from_the_jump(self) -> None:
        with pytest.raises(UnclearTime, match=r"T01:30:00\+01:00 or 2027-03-28T03:30:00\+02:00"):
            said("2:30", self.EVENING)

    @pytest.mark.parametrize(
        ("text", "meant"),
        [("1:59", "2027-03-28T01:59:00+01:00"), ("3:00", "2027-03-28T03:00:00+02:00")],
    )
    def test_the_times_around_it_are_plain(self, text: str, meant: str) -> None:
        assert said(text, self.EVENING) == meant

    def test_in_ten_hours_is_ten_hours_that_pass(self) -> None:
        assert said("in 10h", self.EVENING) == "2027-03-28T07:00:00+02:00"

    def test_once_the_gap_is_behind_the_next_day_is_meant(self) -> None:
        assert said("2:30", self.EVENING + timedelta(hours=8)) == "2027-03-29T02:30:00+02:00"


class TestTheNightTheClocksGoBack:
    """2027-10-31 in Berlin: 03:00 CEST is 02:00 CET; 02:30 comes twice."""

    EVENING = datetime(2027, 10, 30, 20, 0, tzinfo=BERLIN)
    BETWEEN = datetime(2027, 10, 31, 0, 45, tzinfo=UTC)  # 02:45 CEST

    @pytest.mark.parametrize("text", ["2:30", "2:00", "tomorrow 2:30", "sunday 2:59:59"])
    def test_a_time_that_comes_twice_is_refused_with_both(self, text: str) -> None:
        with pytest.raises(UnclearTime, match=r"comes twice.*\+02:00 for the first or .*\+01:00"):
            said(text, self.EVENING)

    def test_what_the_refusal_offers_is_understood(self) -> None:
        assert said("2027-10-31T02:30:00+01:00", self.EVENING) == "2027-10-31T02:30:00+01:00"
        first = parse_moment("2027-10-31T02:30:00+02:00", now=self.EVENING, zone=BERLIN)
        assert first.astimezone(UTC) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)

    def test_between_the_two_only_the_second_is_ahead(self) -> None:
        meant = parse_moment("2:30", now=self.BETWEEN, zone=BERLIN)
        assert meant.astimezone(UTC) == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "meant"),
        [("1:59", "2027-10-31T01:59:00+02:00"), ("3:00", "2027-10-31T03:00:00+01:00")],
    )
    def test_the_times_around_it_are_plain(self, text: str, meant: str) -> None:
        assert said(text, self.EVENING) == meant


def test_a_moment_is_told_in_full_with_its_zone() -> None:
    moment = parse_moment("tuesday 12:00", now=TUESDAY, zone=BERLIN)
    assert describe(moment, BERLIN) == "Tuesday 2026-12-01 12:00:00 CET (2026-12-01T11:00:00Z)"


@given(
    now=st.datetimes(
        min_value=datetime(2024, 1, 1),  # noqa: DTZ001
        max_value=datetime(2030, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_a_time_of_day_is_always_ahead_and_within_a_day(
    now: datetime, hour: int, minute: int, zone: str
) -> None:
    tz = ZoneInfo(zone)
    try:
        meant = parse_moment(f"{hour}:{minute:02}", now=now, zone=tz)
    except UnclearTime as error:
        assert "does not exist" in str(error) or "comes twice" in str(error)
        return
    assert timedelta(0) < meant - now <= timedelta(hours=25)
    assert (meant.astimezone(tz).hour, meant.astimezone(tz).minute) == (hour, minute)


@given(text=st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(UnclearTime):
        assert parse_moment(text, now=TUESDAY, zone=BERLIN) > TUESDAY
