"""Zones: from the host's zone database or else the tzdata package, with the same answers from either."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from calendar_samples import ZONES

from pulp.common.calendar.zones import first_instant, load_zone, wall_time_at
from pulp.common.times import parse_time

OF_THE_SYSTEM = [Path(folder) for folder in zoneinfo.TZPATH if (Path(folder) / "UTC").exists()]
FIRST, LAST = date(1972, 6, 1), date(2024, 12, 31)
"""What is past is no longer changed; later days may differ with the version of the database."""


def _from(root: Path, name: str) -> ZoneInfo:
    with (root / name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@pytest.mark.skipif(not OF_THE_SYSTEM, reason="no zone database on this host")
@pytest.mark.parametrize("name", ZONES)
def test_the_system_and_the_package_agree_on_what_is_past(name: str) -> None:
    system = _from(OF_THE_SYSTEM[0], name)
    package = _from(Path(str(files("tzdata") / "zoneinfo")), name)
    for wall in _walls():
        assert first_instant(wall, system) == first_instant(wall, package), wall


def _walls() -> Iterator[datetime]:
    day = FIRST
    while day <= LAST:
        yield datetime.combine(day, time(day.day % 4, 30))
        day += timedelta(days=3)


@pytest.fixture
def no_zone_database() -> Iterator[None]:
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    load_zone.cache_clear()
    yield
    zoneinfo.reset_tzpath(to=before)
    load_zone.cache_clear()


@pytest.mark.usefixtures("no_zone_database")
def test_a_host_without_a_zone_database_has_all_zones() -> None:
    ZoneInfo.clear_cache()
    zone = load_zone("Europe/Berlin")
    assert first_instant(datetime.fromisoformat("2026-03-29T02:30"), zone) == parse_time(
        "2026-03-29T01:00:00Z"
    )


def test_rules_for_the_far_future_go_on() -> None:
    """Beyond 2037 the files hold a rule instead of dates."""
    zone = load_zone("Europe/Berlin")
    assert first_instant(datetime.fromisoformat("2090-07-01T12:00"), zone) == parse_time(
        "2090-07-01T10:00:00Z"
    )


def test_what_clocks_show() -> None:
    at = parse_time("2026-10-25T01:30:00Z")
    assert wall_time_at(at, load_zone("Europe/Berlin")).isoformat() == "2026-10-25T02:30:00"
