"""Recurrences agree with the model that walks through every day and every minute, and with dateutil's own long walk."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from calendar_model import ModelRule, first_minute, walls
from calendar_samples import dtstarts, near_changes, rules, some, walls_around
from dateutil.rrule import rrulestr
from hypothesis import assume, given
from hypothesis import strategies as st

from pulp.common.calendar.recurrence import Recurrence, series
from pulp.common.calendar.zones import first_instant, load_zone
from pulp.common.times import to_datetime

YEARS = 2
"""After DTSTART's own."""


def product_walls(rule: ModelRule, dtstart: datetime) -> list[datetime]:
    made = Recurrence(rrule=rule.text(), dtstart=f"{dtstart:%Y-%m-%dT%H:%M}", zone="UTC")
    years = range(dtstart.year, dtstart.year + YEARS + 1)
    return [wall for year in years for wall in series(made).walls(year)]


def last_day(dtstart: datetime) -> date:
    return date(dtstart.year + YEARS, 12, 31)


@given(rules(), dtstarts, st.none() | st.integers(0, 900))
@some(30)
def test_a_rule_names_the_days_that_walking_through_all_days_finds(
    rule: ModelRule, dtstart: datetime, days: int | None
) -> None:
    if days is not None:
        rule = replace(rule, count=None, until=dtstart + timedelta(days=days))
    expected = list(walls(rule, dtstart, last_day(dtstart)))
    assert product_walls(rule, dtstart) == expected


@given(rules(), dtstarts)
@some(30)
def test_a_rule_names_the_days_that_dateutil_finds_from_dtstart_on(
    rule: ModelRule, dtstart: datetime
) -> None:
    """dateutil takes only the rest of DTSTART's week for BYSETPOS, and walks to the year 9999 for what never occurs."""
    found = product_walls(rule, dtstart)
    assume(found and not (rule.freq == "WEEKLY" and rule.bysetpos))
    bounded = rule if rule.count else replace(rule, until=found[-1])
    assert list(rrulestr(bounded.text(), dtstart=dtstart))[: len(found)] == found


@given(near_changes(), st.data())
@some(40)
def test_a_wall_time_is_the_first_minute_that_shows_it_or_a_later_one(
    place: tuple[str, datetime], data: st.DataObject
) -> None:
    """Mostly in the very hours of the change: few of a whole day's times come twice or never."""
    zone, instant = place
    hours = data.draw(st.sampled_from((2, 2, 30)))
    wall = data.draw(walls_around(instant, zone, hours=hours))
    assert to_datetime(first_instant(wall, load_zone(zone))) == first_minute(wall, ZoneInfo(zone))


@given(near_changes(), st.data())
@some(40)
def test_later_on_the_wall_is_never_earlier_in_time(
    place: tuple[str, datetime], data: st.DataObject
) -> None:
    zone, instant = place
    around = walls_around(instant, zone, hours=5)
    earlier, later = sorted((data.draw(around), data.draw(around)))
    loaded = load_zone(zone)
    assert first_instant(earlier, loaded) <= first_instant(later, loaded)
