"""Random rules, zones and walls near the nights when clocks change, for the property tests of pulp.common.calendar."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from calendar_model import ModelRule
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

THOROUGH = "--all" in sys.argv
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",  # midnight is skipped
    "America/Sao_Paulo",  # midnight was skipped, until 2018
    "America/Santiago",
    "America/Caracas",  # half an hour back in 2007 and on in 2016
    "America/Scoresbysund",
    "Antarctica/Troll",  # two hours
    "Africa/Casablanca",  # back for Ramadan
    "Africa/Cairo",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",  # half an hour back in 2015 and on in 2018
    "Australia/Sydney",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # no 30 December 2011
    "Pacific/Kiritimati",  # no 31 December 1994
    "Pacific/Chatham",
)


def some(examples: int, *, times: int = 20) -> Any:
    """A few examples by default, many with --all."""
    return settings(
        max_examples=examples * (times if THOROUGH else 1),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@cache
def changes(zone: str, year: int) -> tuple[datetime, ...]:
    """The hours (UTC) after which clocks in the zone are changed."""
    loaded = ZoneInfo(zone)
    first = datetime(year, 1, 1, tzinfo=UTC)
    hours = [first + timedelta(hours=n) for n in range(365 * 24)]
    offsets = [hour.astimezone(loaded).utcoffset() for hour in hours]
    return tuple(h for h, a, b in zip(hours, offsets, offsets[1:], strict=False) if a != b)


@st.composite
def near_changes(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant, which is near a change of its clocks if there is one in the year."""
    zone = draw(st.sampled_from(ZONES))
    year = draw(st.integers(1990, 2036))
    anywhere = datetime(year, draw(st.integers(1, 12)), 15, tzinfo=UTC)
    return zone, draw(st.sampled_from(changes(zone, year) or (anywhere,)))


def walls_around(instant: datetime, zone: str, *, hours: int) -> st.SearchStrategy[datetime]:
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0)
    return st.integers(-hours * 60, hours * 60).map(lambda n: wall + timedelta(minutes=n))


dtstarts = st.builds(
    datetime.combine,
    st.dates(date(1999, 1, 1), date(2030, 12, 31)),
    st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59])),
)


def some_of(low: int, high: int, *, most: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    numbers = st.integers(low, high)
    if low < 0:
        numbers = numbers.filter(bool)
    return st.lists(numbers, max_size=most, unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn) -> ModelRule:
    """Every combination that is taken; many never occur."""
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]))
    by_date = freq in ("YEARLY", "MONTHLY")
    bymonth = draw(some_of(1, 12))
    most = 53 if freq == "YEARLY" and not bymonth else 5
    nth = st.integers(-most, most).filter(bool) if by_date and draw(st.booleans()) else st.just(0)
    byday = draw(st.lists(st.tuples(nth, st.integers(0, 6)), max_size=3, unique=True))
    bymonthday = draw(some_of(-31, 31)) if freq != "WEEKLY" and draw(st.booleans()) else ()
    byhour = draw(some_of(0, 23))
    byminute = draw(some_of(0, 59, most=2)) if freq != "HOURLY" or byhour else ()
    choosable = byday or bymonthday or bymonth or byhour or byminute
    return ModelRule(
        freq=freq,
        interval=draw(st.integers(1, 4)),
        bymonth=bymonth,
        bymonthday=bymonthday,
        byday=tuple(byday),
        byhour=byhour,
        byminute=byminute,
        bysetpos=draw(some_of(-4, 4, most=2)) if choosable else (),
        wkst=draw(st.sampled_from([0, 0, 6, 2])),
        count=draw(st.none() | st.integers(1, 30)),
    )
