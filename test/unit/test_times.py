"""Times, durations, ids, windows and errors: the values everybody shares."""

from __future__ import annotations

import contextlib
import re
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp.common.clock import SystemClock
from pulp.common.errors import FieldError, InvalidInput, PulpError
from pulp.common.ids import CONSUMER_ID, LOGIN, is_uuid, new_id
from pulp.common.times import (
    DAY,
    HOUR,
    LAST,
    MINUTE,
    SECOND,
    format_duration,
    format_time,
    parse_duration,
    parse_time,
    to_datetime,
    to_ms,
)
from pulp.common.windows import Window

any_time = st.integers(0, LAST)


@given(any_time)
def test_times_come_back_as_they_were(ms: int) -> None:
    assert parse_time(format_time(ms)) == ms
    assert to_ms(to_datetime(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-12-01T12:00:00Z", 1_796_126_400_000),
        ("2026-12-01T12:00:00.250Z", 1_796_126_400_250),
        ("2026-12-01T13:00:00+01:00", 1_796_126_400_000),
        (" 2026-12-01 12:00:00+00:00 ", 1_796_126_400_000),
        ("9999-12-31T23:59:59.999Z", LAST),
    ],
)
def test_rfc_3339_is_read(text: str, ms: int) -> None:
    assert parse_time(text) == ms


def test_times_are_shown_in_utc_with_milliseconds() -> None:
    assert format_time(1_796_126_400_007) == "2026-12-01T12:00:00.007Z"


def test_datetime_and_milliseconds_agree() -> None:
    assert to_datetime(1_796_126_400_000) == datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("2026-12-01T12:00:00", "zone"),
        ("2026-12-01", "zone"),
        ("tomorrow", "RFC 3339"),
        ("", "RFC 3339"),
        ("2026-13-01T12:00:00Z", "RFC 3339"),
        ("1969-12-31T23:59:59Z", "1970"),
        ("9999-12-31T23:59:59-01:00", "9999"),
    ],
)
def test_what_is_no_time_says_the_fix(text: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        parse_time(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (parse_time, parse_duration):
        with contextlib.suppress(ValueError):
            assert 0 <= read(text) <= LAST


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90 * SECOND),
        ("1h30m", 90 * MINUTE),
        ("2h", 2 * HOUR),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("1.5h", 90 * MINUTE),
        ("1.001s", 1_001),
        (" 5m ", 5 * MINUTE),
    ],
)
def test_durations_are_read(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "5", "h", "-1h", "1x", "1h 30m", "1h,", "0s", "0.0001s", "1e3s", "٣h", "99999999d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


def test_an_endless_number_is_no_duration() -> None:
    with pytest.raises(ValueError, match="calendar"):
        parse_duration("9" * 400 + "d")


@given(st.integers(1, LAST // SECOND))
def test_durations_come_back_as_they_were(seconds: int) -> None:
    assert parse_duration(format_duration(seconds * SECOND)) == seconds * SECOND


def test_a_duration_below_a_second_is_shown_as_none() -> None:
    assert format_duration(999) == "0s"


# --- windows ---


@given(any_time, st.integers(1, DAY), any_time)
def test_a_window_is_before_open_or_over_and_never_two_of_them(
    begin: int, length: int, now: int
) -> None:
    window = Window(begin, begin + length)
    assert [now < begin, window.is_open(now), window.is_over(now)].count(True) == 1


def test_a_window_is_half_open() -> None:
    window = Window(10, 20)
    assert [window.is_open(now) for now in (9, 10, 19, 20)] == [False, True, True, False]
    assert [window.is_over(now) for now in (9, 19, 20)] == [False, False, True]


@pytest.mark.parametrize("end", [9, 10])
def test_a_window_must_end_after_it_begins(end: int) -> None:
    with pytest.raises(ValueError, match="end after it begins"):
        Window(10, end)


# --- ids ---


def test_ids_are_new_and_canonical() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_uuid(text) and str(uuid.UUID(text)) == text for text in ids)


@pytest.mark.parametrize(
    "text", ["", "x", "5F0C8E0A-1F0E-4C57-9F5E-0D6F8A3B2C1D", "5f0c8e0a1f0e4c579f5e0d6f8a3b2c1d"]
)
def test_other_text_is_no_id(text: str) -> None:
    assert not is_uuid(text)


def test_an_id_with_a_line_break_is_none() -> None:
    assert not is_uuid(new_id() + "\n")


@pytest.mark.parametrize("text", ["web1", "WEB-1.example.org", "1", "a" * 128])
def test_consumer_ids(text: str) -> None:
    assert re.search(CONSUMER_ID, text)


@pytest.mark.parametrize(
    "text", ["", "-a", ".a", "a/b", "a b", "a\n", "\na", "ä", "a" * 129, "..", "a:b"]
)
def test_what_is_no_consumer_id(text: str) -> None:
    assert not re.search(CONSUMER_ID, text)


@pytest.mark.parametrize("text", ["Admin", "-a", "a\n", "a" * 65, ""])
def test_what_is_no_login(text: str) -> None:
    assert re.search(LOGIN, "admin.one")
    assert not re.search(LOGIN, text)


# --- clock and errors ---


def test_the_system_clock_counts_milliseconds_of_today() -> None:
    clock = SystemClock()
    year = to_datetime(clock.now()).year
    assert 2024 <= year < 2200
    assert clock.monotonic() <= clock.monotonic()


def test_bad_input_lists_every_field() -> None:
    error = InvalidInput([FieldError("a", "is missing"), FieldError("b[0]", "must be a number")])
    assert str(error) == "a: is missing; b[0]: must be a number"
    assert isinstance(error, PulpError)
    assert error.code == "invalid"
