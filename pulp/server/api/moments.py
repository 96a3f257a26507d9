"""Times and spans of a request as numbers. What is bad goes into the faults. Pure."""

from __future__ import annotations

from datetime import datetime

from pulp.common.times import DAY, SECOND, format_time, parse_duration, to_ms
from pulp.common.windows import Window
from pulp.server.api.faults import Faults
from pulp.server.api.types import WindowBody
from pulp.server.tasking.opening import FURTHEST

GRACE = 5 * SECOND
"""A start that was `now` when the request was written is not refused for the time it travelled."""


def span_of(field: str, text: str, least: int, most: int, faults: Faults) -> int:
    """ms."""
    duration = _duration(field, text, faults)
    if duration is None:
        return least
    if not least <= duration <= most:
        faults.add(field, f"is {text}: it must be from 1s to {most // DAY}d")
    return duration


def _duration(field: str, text: str, faults: Faults) -> int | None:
    try:
        return parse_duration(text)
    except ValueError as error:
        faults.add(field, str(error))
        return None


def start_of(start: datetime | None, window: Window | None, now: int, faults: Faults) -> int | None:
    """ms; `window`: outside of which nothing may start."""
    if start is None:
        return None
    ms = to_ms(start)
    if ms < now - GRACE:
        faults.add(
            "not_before", f"is in the past: it is {_now(now)}; leave it out to start at once"
        )
    elif _too_far("not_before", ms, now, faults):
        return None
    if window and ms >= window.end:
        faults.add(
            "not_before",
            "lies at or after the end of the window: nothing could ever start; choose an earlier start or a later window",
        )
    return ms


def window_of(body: WindowBody, now: int, faults: Faults) -> Window | None:
    """None where it is bad."""
    begin = to_ms(body.begin)
    if _too_far("window.begin", begin, now, faults):
        return None
    end = _end(body, begin, faults)
    if end is None or _too_far("window.end", end, now, faults):
        return None
    if end <= begin:
        faults.add("window.end", "must be later than window.begin")
        return None
    if end <= now:
        faults.add("window.end", f"is in the past: it is {_now(now)}, the window is over already")
        return None
    return Window(begin, end)


def _end(body: WindowBody, begin: int, faults: Faults) -> int | None:
    match body.end, body.duration:
        case None, None:
            faults.add("window.end", "is missing: give either end or duration")
        case None, str() as text:
            duration = _duration("window.duration", text, faults)
            return None if duration is None else begin + duration
        case datetime() as end, None:
            return to_ms(end)
        case _:
            faults.add("window.duration", "cannot stand beside end: give one of the two")
    return None


def _too_far(field: str, ms: int, now: int, faults: Faults) -> bool:
    if ms <= now + FURTHEST:
        return False
    faults.add(field, f"lies more than {FURTHEST // DAY} days ahead: it is {_now(now)}")
    return True


def _now(now: int) -> str:
    return f"now {format_time(now)}"
