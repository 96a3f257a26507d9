"""Rules of windows for requests that have only an opening, and calendars for hosts; always the same for one call. With the
obvious way to tell whether a moment is allowed, for the checks."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from pulp.common.calendar import Calendar, OneOff
from pulp.rmi.messages import Keep, Request, WireWindow
from pulp.rmi.versions import needs_of

SECOND, HOUR = 1000, 3_600_000
LONGEST = 10 * HOUR
"""A call is not carried over further than this, so that the server does not take it for lost."""


def ruled(**fields: Any) -> Request:
    """In place of the request's class at the server."""
    request = Request(**fields)
    window, rng = request.window, Random(request.id)
    if window is None:
        return request
    if window.ruled or rng.random() < 0.4:
        return msgspec.structs.replace(request, window=_ahead(window, rng))
    made, last = _rule(window, rng)
    expires = max(request.expires, last) if made.missed == "next" else request.expires
    return msgspec.structs.replace(
        request, window=made, needs=needs_of(window=made), expires=max(expires, _grace_end(made))
    )


def _rule(window: WireWindow, rng: Random) -> tuple[WireWindow, int]:
    """The window with a rule, and the last moment of its calendar."""
    length = window.end - window.begin
    calendar = _calendar(window, rng)
    made = msgspec.structs.replace(
        window,
        missed=rng.choice(("next", "next", "next", "miss", "grace")),
        calendar=calendar,
        cutoff_at=rng.choice((None, window.end - length // 4)),
        grace=min(length, LONGEST),
        expected=rng.choice((0, 0, length // 3)),
    )
    made = _ahead(made, rng)
    return made, max(one.end for one in calendar.windows)  # type: ignore[union-attr]


def _ahead(window: WireWindow, rng: Random) -> WireWindow:
    """Most of them wish that packages are fetched before the opening."""
    return msgspec.structs.replace(window, predownload=rng.random() < 0.8)


def _grace_end(window: WireWindow) -> int:
    return window.end + window.grace if window.missed == "grace" else 0


def _calendar(window: WireWindow, rng: Random) -> Calendar:
    """The window and a few that follow it; at times a part of one is frozen."""
    length = min(window.end - window.begin, HOUR)
    spans = [(window.begin, window.end)]
    while len(spans) < 5 and spans[-1][1] + 3 * length < window.end + LONGEST:
        begin = spans[-1][1] + rng.randint(SECOND, 2 * length)
        spans.append((begin, begin + length))
    begin, end = rng.choice(spans[1:] or spans)
    frozen = [(begin + length // 4, end - length // 4)] if rng.random() < 0.4 else []
    frozen = [span for span in frozen if span[0] < span[1] and span[0] >= window.end]
    return Calendar(windows=_named(spans), freezes=_named(frozen))


def _named(spans: list[tuple[int, int]]) -> tuple[OneOff, ...]:
    return tuple(OneOff(name=f"n{n}", begin=b, end=e) for n, (b, e) in enumerate(spans))


def own(rng: Random, *, plan: int, now: int, scale: int) -> Keep:
    """A host's own calendar; the next one may let it free again."""
    spans, at = [], now - scale
    for _ in range(4):
        begin = at + rng.randint(SECOND, 2 * scale)
        at = begin + rng.randint(SECOND, 2 * scale)
        spans.append((begin, at))
    calendar = Calendar(windows=_named(spans)) if rng.random() < 0.9 else None
    return Keep(plan=plan, enforced=rng.random() < 0.6, calendar=calendar)


def allows(calendar: Calendar | None, at: int) -> bool:
    """Of one-off spans: inside a window and in no freeze."""
    if calendar is None:
        return False
    inside = [one.begin <= at < one.end for one in calendar.windows]  # type: ignore[union-attr]
    frozen = [one.begin <= at < one.end for one in calendar.freezes]  # type: ignore[union-attr]
    return any(inside) and not any(frozen)
