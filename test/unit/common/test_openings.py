"""Openings by example: joining, cutting, cutoffs, reasons, and what an evaluation costs."""

from __future__ import annotations

import time
from itertools import islice, pairwise

import msgspec
import pytest

from pulp.common.calendar import (
    Calendar,
    OneOff,
    Opening,
    Recurring,
    Span,
    Why,
    is_open,
    next_opening,
    openings,
)
from pulp.common.calendar.openings import CHAIN
from pulp.common.times import DAY, HOUR, MINUTE, format_time, parse_time


def utc(text: str) -> int:
    return parse_time(text + "Z")


def once(name: str, begin: str, end: str, cutoff: str | None = None) -> OneOff:
    return OneOff(name=name, begin=utc(begin), end=utc(end), cutoff=cutoff)


def recurring(
    name: str, rrule: str, dtstart: str, duration: str, zone: str = "UTC", cutoff: str | None = None
) -> Recurring:
    return Recurring(
        name=name, rrule=rrule, dtstart=dtstart, zone=zone, duration=duration, cutoff=cutoff
    )


NIGHTS = recurring("nights", "FREQ=DAILY", "2026-01-01T22:00", "4h", cutoff="30m")
CHRISTMAS = once("christmas", "2026-12-20T00:00", "2027-01-07T00:00")
MONDAY = utc("2026-06-01T12:00")


def told(found: list[Opening]) -> list[str]:
    """`day HH:MM-HH:MM(cutoff) names`, in June 2026."""
    return [
        f"{format_time(o.begin)[8:16]}-{format_time(o.end)[8:16]}"
        f"({format_time(o.cutoff_at)[11:16]}) {'+'.join(o.sources)}".replace("T", " ")
        for o in found
    ]


def in_june(*windows: Span, freezes: tuple[Span, ...] = (), days: int = 2) -> list[str]:
    calendar = Calendar(windows=windows, freezes=freezes)
    return told(
        list(openings(calendar, begin=MONDAY, end=MONDAY + days * DAY, host_zone="Europe/Berlin"))
    )


def test_a_window_across_midnight() -> None:
    assert in_june(NIGHTS) == ["01 22:00-02 02:00(01:30) nights", "02 22:00-03 02:00(01:30) nights"]


def test_an_opening_that_has_begun_or_goes_on_is_told_whole() -> None:
    calendar = Calendar(windows=(NIGHTS,))
    at = utc("2026-06-02T00:00")
    found = openings(calendar, begin=at, end=at + 1, host_zone="UTC")
    assert told(list(found)) == ["01 22:00-02 02:00(01:30) nights"]


def test_an_opening_that_ends_at_the_question_or_begins_at_its_end_has_no_part_in_it() -> None:
    calendar = Calendar(windows=(NIGHTS,))
    begin, end = utc("2026-06-02T02:00"), utc("2026-06-02T22:00")
    assert list(openings(calendar, begin=begin, end=end, host_zone="UTC")) == []


def test_the_zone_of_the_host_decides_where_the_rule_says_so() -> None:
    nights = msgspec.structs.replace(NIGHTS, zone="host")
    found = {
        zone: next_opening(Calendar(windows=(nights,)), at=MONDAY, host_zone=zone)
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
    }
    begins = {zone: format_time(o.begin)[11:16] for zone, o in found.items() if o}
    assert begins == {
        "Europe/Berlin": "20:00",
        "America/New_York": "02:00",
        "Asia/Kathmandu": "16:15",
    }


def test_windows_that_touch_or_overlap_are_one_opening_with_the_cutoff_of_its_end() -> None:
    late = recurring("late", "FREQ=DAILY", "2026-01-01T02:00", "2h", cutoff="10m")
    early = recurring("early", "FREQ=DAILY", "2026-01-01T21:00", "90m")
    assert in_june(NIGHTS, late, early, days=1) == ["01 21:00-02 04:00(03:50) nights+late+early"]


def test_a_joined_opening_is_told_whole_also_in_its_last_part() -> None:
    late = recurring("late", "FREQ=DAILY", "2026-01-01T02:00", "2h")
    later = recurring("later", "FREQ=DAILY", "2026-01-01T03:30", "2h")
    calendar = Calendar(windows=(later, late, NIGHTS))
    at = utc("2026-06-02T05:00")
    found = openings(calendar, begin=at, end=at + 1, host_zone="UTC")
    assert told(list(found)) == ["01 22:00-02 05:30(05:30) later+late+nights"]


def test_of_two_windows_that_end_together_the_shorter_cutoff_counts() -> None:
    other = recurring("other", "FREQ=DAILY", "2026-01-02T01:00", "1h", cutoff="5m")
    assert in_june(NIGHTS, other, days=1) == ["01 22:00-02 02:00(01:55) nights+other"]


def test_a_weekend_of_two_days_is_one_opening() -> None:
    weekend = recurring("weekend", "FREQ=WEEKLY;BYDAY=SA,SU", "2026-01-03T00:00", "24h")
    assert in_june(weekend, days=7) == ["06 00:00-08 00:00(00:00) weekend"]


def test_a_freeze_cuts_a_window_in_two_and_the_cutoff_holds_before_it() -> None:
    freeze = once("audit", "2026-06-01T23:00", "2026-06-02T00:00")
    assert in_june(NIGHTS, freezes=(freeze,), days=1) == [
        "01 22:00-01 23:00(22:30) nights",
        "02 00:00-02 02:00(01:30) nights",
    ]


def test_what_a_freeze_leaves_may_be_too_short_to_start_in() -> None:
    freeze = once("audit", "2026-06-01T22:30", "2026-06-02T01:29")
    assert in_june(NIGHTS, freezes=(freeze,), days=1) == ["02 01:29-02 02:00(01:30) nights"]
    assert in_june(NIGHTS, freezes=(freeze, once("b", "2026-06-02T01:00", "2026-06-02T01:30"))) == [
        "02 22:00-03 02:00(01:30) nights"
    ]


def test_freezes_may_recur_and_overlap_one_another() -> None:
    mondays = recurring("mondays", "FREQ=WEEKLY;BYDAY=MO", "2026-01-05T00:00", "24h")
    half = once("half", "2026-06-01T23:30", "2026-06-02T01:00")
    assert in_june(NIGHTS, freezes=(mondays, half), days=1) == ["02 01:00-02 02:00(01:30) nights"]


def test_without_a_window_nothing_is_open() -> None:
    assert in_june() == []
    assert in_june(freezes=(CHRISTMAS,)) == []


def whole_days(duration: str, begin: str, end: str) -> list[str]:
    days = recurring("days", "FREQ=DAILY", "2026-03-01T00:00", duration, zone="Europe/Berlin")
    calendar = Calendar(windows=(days,))
    found = openings(calendar, begin=utc(begin), end=utc(end), host_zone="UTC")
    return [f"{format_time(o.begin)[:16]} {format_time(o.end)[:16]}" for o in found]


def test_days_of_24_hours_overlap_on_the_short_day_and_leave_an_hour_on_the_long_one() -> None:
    assert len(whole_days("24h", "2026-03-28T12:00", "2026-03-31T12:00")) == 1
    before, after = whole_days("24h", "2026-10-24T12:00", "2026-10-26T12:00")
    assert before.endswith("2026-10-25T22:00")
    assert after.startswith("2026-10-25T23:00")


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_days_of_the_calendar_meet_whatever_the_clocks_do(day: str) -> None:
    assert len(whole_days("1d", f"{day}T00:00", f"{day}T23:59")) == 1


def test_a_freeze_of_whole_days_leaves_nothing_of_the_long_day() -> None:
    late = recurring("late", "FREQ=DAILY", "2026-10-01T22:00", "2h", zone="Europe/Berlin")
    found = {
        duration: next_opening(
            Calendar(
                windows=(late,),
                freezes=(
                    recurring(
                        "weekend",
                        "FREQ=WEEKLY;BYDAY=SA,SU",
                        "2026-10-03T00:00",
                        duration,
                        zone="Europe/Berlin",
                    ),
                ),
            ),
            at=utc("2026-10-24T12:00"),
            host_zone="UTC",
        )
        for duration in ("24h", "1d")
    }
    begins = {duration: format_time(o.begin)[:16] for duration, o in found.items() if o}
    assert begins == {"24h": "2026-10-25T22:00", "1d": "2026-10-26T21:00"}


def test_windows_without_end_are_told_in_pieces_that_touch() -> None:
    always = recurring("always", "FREQ=DAILY", "2020-01-01T00:00", "24h", cutoff="1h")
    found = list(
        islice(
            openings(
                Calendar(windows=(always,)), begin=MONDAY, end=MONDAY + 99 * DAY, host_zone="UTC"
            ),
            5,
        )
    )
    assert found[0].begin <= MONDAY
    assert found[0].end >= MONDAY + CHAIN
    assert found[-1].end >= MONDAY + 99 * DAY
    assert all(a.end == b.begin for a, b in pairwise(found))
    assert all(o.cutoff_at == o.end for o in found)


def test_a_window_for_ever_is_one_opening() -> None:
    ever = OneOff(name="ever", begin=0, end=utc("9999-12-31T23:59"))
    verdict = is_open(Calendar(windows=(ever,)), at=MONDAY, host_zone="UTC")
    assert verdict.opening == Opening(begin=0, end=ever.end, cutoff_at=ever.end, sources=("ever",))


def why(at: str, *, windows: tuple[Span, ...] = (NIGHTS,), freezes: tuple[Span, ...] = ()) -> str:
    calendar = Calendar(windows=windows, freezes=freezes)
    verdict = is_open(calendar, at=utc(at), host_zone="UTC")
    return f"{verdict.why.value}: {verdict.sentence()}"


def test_why() -> None:
    assert why("2026-06-01T22:00") == "open: Work may start until 2026-06-02T01:30:00.000Z."
    assert why("2026-06-01T12:00") == (
        "window-closed: No window is open; the next opens at 2026-06-01T22:00:00.000Z."
    )
    assert why("2026-06-02T01:30") == (
        "window-cutoff: Too late for nights, which starts nothing in its last minutes; "
        "the next opens at 2026-06-02T22:00:00.000Z."
    )
    assert why("2026-12-24T22:30", freezes=(CHRISTMAS,)) == (
        "frozen: Frozen until 2027-01-07T00:00:00.000Z by christmas; "
        "the next opens at 2027-01-07T00:00:00.000Z."
    )
    assert why("2026-06-01T22:00", windows=()) == "no-window: There is no window."
    past = once("past", "2020-01-01T00:00", "2020-01-02T00:00")
    assert why("2026-06-01T22:00", windows=(past,)) == (
        "no-opening: No window is open; none opens within ten years."
    )


def test_freezes_that_follow_one_another_are_one_reason() -> None:
    inventory = once("inventory", "2027-01-07T00:00", "2027-01-10T12:00")
    verdict = is_open(
        Calendar(windows=(NIGHTS,), freezes=(inventory, CHRISTMAS)),
        at=utc("2026-12-24T12:00"),
        host_zone="UTC",
    )
    assert verdict.why is Why.FROZEN
    assert verdict.by == ("christmas", "inventory")
    assert verdict.frozen_until == inventory.end
    assert verdict.opening is not None
    assert verdict.opening.begin == utc("2027-01-10T22:00")


def test_the_next_opening_is_the_present_one_until_its_cutoff() -> None:
    calendar = Calendar(windows=(NIGHTS,))
    for text, day in (("01T21:59", 1), ("01T22:00", 1), ("02T01:29", 1), ("02T01:30", 2)):
        found = next_opening(calendar, at=utc(f"2026-06-{text}"), host_zone="UTC")
        assert found is not None
        assert format_time(found.begin)[8:10] == f"{day:02d}", text


def test_a_calendar_and_its_openings_go_over_the_wire() -> None:
    calendar = Calendar(windows=(NIGHTS, CHRISTMAS), freezes=(CHRISTMAS,))
    text = msgspec.json.encode(calendar)
    assert msgspec.json.decode(text, type=Calendar) == calendar
    opening = next_opening(Calendar(windows=(NIGHTS,)), at=MONDAY, host_zone="UTC")
    assert msgspec.json.decode(msgspec.json.encode(opening), type=Opening) == opening
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"windows":[],"blackouts":[]}', type=Calendar)


def test_a_plan_of_a_week_for_a_thousand_hosts_takes_a_fraction_of_a_second() -> None:
    """bench/windows.py has the figures; this fails only if what a rule means is worked out again for each host."""
    nights = msgspec.structs.replace(NIGHTS, zone="host")
    calendar = Calendar(windows=(nights,), freezes=(CHRISTMAS,))
    zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
    list(openings(calendar, begin=MONDAY, end=MONDAY + 1, host_zone=zones[0]))
    began = time.process_time()
    for number in range(1000):
        begin = MONDAY + number * MINUTE
        plan = openings(calendar, begin=begin, end=begin + 7 * DAY, host_zone=zones[number % 4])
        assert len(list(plan)) >= 7
    assert time.process_time() - began < 1


def test_nothing_is_worked_out_further_than_asked() -> None:
    hourly = recurring("hourly", "FREQ=HOURLY", "2000-01-01T00:00", "30m")
    began = time.process_time()
    found = next_opening(Calendar(windows=(hourly,)), at=MONDAY + HOUR // 2, host_zone="UTC")
    assert found is not None
    assert found.begin == MONDAY + HOUR
    assert time.process_time() - began < 0.5
