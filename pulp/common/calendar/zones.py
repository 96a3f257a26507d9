"""Time zones by IANA name, and the one rule that turns a zone's wall time into an instant (docs/windows.md)."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from pulp.common.times import to_datetime, to_ms

HOST = "host"
"""In place of a zone's name: the zone of the host that the window is evaluated for."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]*")
_NOT_A_ZONE = re.compile(r"(right|posix)/.*|localtime|posixrules|Factory", re.IGNORECASE)
"""Files of the zone database that are no zones of their own: leap-second copies, links that differ from host to host."""
_SECOND = timedelta(seconds=1)


@cache
def load_zone(name: str) -> ZoneInfo:
    """The zone, from the host's zone database or else from the tzdata package. ValueError names what is close."""
    if _NAME.fullmatch(name) and not _NOT_A_ZONE.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (OSError, LookupError, ValueError):
            pass  # no such file, a folder such as Europe, or a file that is no zone
    raise ValueError(f"{name!r} is not a time zone{_meant(name)}")


def _meant(name: str) -> str:
    known = {zone.lower(): zone for zone in available_timezones()}
    close = get_close_matches(name.lower(), known, n=1)
    # Abbreviations that look alike are hours apart: CEST is not EST.
    if close and ("/" in close[0] or close[0] == name.lower()):
        return f"; did you mean {known[close[0]]}?"
    return ": write an IANA name such as Europe/Berlin or UTC"


def wall_time(instant: datetime, zone: ZoneInfo) -> datetime:
    """What clocks in the zone show at an instant, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None)


def wall_time_at(ms: int, zone: ZoneInfo) -> datetime:
    return wall_time(to_datetime(ms), zone)


def first_instant(wall: datetime, zone: ZoneInfo) -> int:
    """ms UTC of the first instant at which clocks in the zone show `wall` or a later time; `wall` is in whole seconds.

    So a time that comes twice is taken at its first, and one that is skipped moves to the end of the gap.
    """
    guess = _read(wall, zone, fold=0)
    if wall_time(guess, zone) == wall:
        return to_ms(guess)
    return _end_of_gap(wall, zone, after=_read(wall, zone, fold=1), before=guess)


def _read(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """In a gap fold 0 counts with the offset before it, which leads past its end, and fold 1 the other way round."""
    offset = wall.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None  # noqa: S101  # a ZoneInfo always knows it
    return wall.replace(tzinfo=UTC) - offset


def _end_of_gap(wall: datetime, zone: ZoneInfo, *, after: datetime, before: datetime) -> int:
    seconds = range((before - after) // _SECOND)
    jump = bisect_left(seconds, wall, key=lambda s: wall_time(after + s * _SECOND, zone))
    return to_ms(after + jump * _SECOND)
