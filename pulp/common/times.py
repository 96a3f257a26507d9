"""Points in time (integer milliseconds since 1970 UTC) and durations, to and from text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LAST = 253_402_300_799_999
"""The last millisecond of the year 9999, where the calendar of `datetime` ends."""


def parse_time(text: str) -> int:
    """RFC 3339 with a zone → ms UTC. ValueError says what is missing."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not an RFC 3339 time such as 2026-12-01T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone: add Z for UTC or an offset such as +01:00")
    ms = to_ms(moment)
    if not 0 <= ms <= LAST:
        raise ValueError(f"{text!r} is not between the years 1970 and 9999")
    return ms


def to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def format_time(ms: int) -> str:
    """ms UTC → `2026-12-01T12:00:00.000Z`."""
    moment = to_datetime(ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


def parse_duration(text: str) -> int:
    """`90s`, `2h`, `1h30m`, `7d`, `2w` → ms, above zero. ValueError says the form."""
    parts = _DURATION.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text.strip():
        raise ValueError(f"{text!r} is not a duration such as 90s, 30m, 2h, 1h30m or 7d")
    total = sum(float(n) * _UNITS[u] for n, u in parts)
    if total > LAST:
        raise ValueError(f"{text!r} is longer than any calendar")
    if round(total) == 0:
        raise ValueError("a duration must be longer than zero")
    return round(total)


def format_duration(ms: int) -> str:
    """ms → the shortest exact text, such as `1h30m`; below a second it rounds to `0s`."""
    seconds, out = ms // SECOND, ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        n, seconds = divmod(seconds, size)
        if n:
            out += f"{n}{unit}"
    return out or "0s"
