"""The window gate: may a call start now? Pure; the agent's wall clock is the only judge (docs/WIRE.md, rules 8 to 10)."""

from __future__ import annotations

from dataclasses import dataclass

from pulp.common.times import format_duration, format_time
from pulp.rmi.messages import WireWindow


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `opens` (ms UTC); look again at `until`, as it may have become too late by then."""

    until: int
    opens: int


@dataclass(frozen=True, slots=True)
class Open:
    """It may start; from `closes` (ms UTC) on it may not any more."""

    closes: int


@dataclass(frozen=True, slots=True)
class Closed:
    """It never started and will not start in this opening: the code and sentence of its `failed`."""

    code: str
    message: str


Verdict = Wait | Open | Closed


@dataclass(frozen=True, slots=True)
class Allowed:
    """The opening of the host's own calendar that is on or comes next: `begin` ≤ t < `closes` (ms UTC)."""

    begin: int
    closes: int


def latest_end(window: WireWindow) -> int:
    """Where the opening is over for good, its grace too."""
    return window.end + window.grace if window.missed == "grace" else window.end


def commit_before(window: WireWindow) -> int:
    """From here on nothing that has not changed anything yet may begin to."""
    if window.missed == "grace":
        return latest_end(window)
    return window.end if window.cutoff_at is None else window.cutoff_at


def last_start(window: WireWindow, expected: int) -> int:
    """From here on the work may not start: it is too late, or would not be done in time. Who has a grace may run over."""
    closes = commit_before(window)
    return closes if window.missed == "grace" else fitting(closes, expected)


def fitting(closes: int, expected: int) -> int:
    """From here on work of this length (ms) that may start before `closes` would not be done by then."""
    return closes - expected + 1 if expected else closes


def judge(
    *,
    window: WireWindow | None,
    expires: int,
    now: int,
    spent: bool,
    expected: int = 0,
    allowed: Allowed | None = None,
) -> Verdict:
    """Start only inside the window, before its cutoff, not after `expires`, and where `allowed` says so too, if it is given.

    `spent`: this window has been seen to close before. A window that is over gives `window-missed`, whether or not the call has
    expired too; without a window, or with one that would still be open, a call that is past `expires` gives `expired`.
    """
    closes = expires + 1
    if window:
        last = last_start(window, expected)
        if spent or now >= last:
            return Closed("window-missed", _missed(window, now, expected))
        closes = min(closes, last)
    if now > expires:
        return Closed(
            "expired", f"The call expired at {format_time(expires)} before the work could start."
        )
    if window and now < window.begin:
        return Wait(min(window.begin, closes), window.begin)
    if allowed and now < allowed.begin:
        return Wait(min(allowed.begin, closes), allowed.begin)
    return Open(min(closes, allowed.closes) if allowed else closes)


def _missed(window: WireWindow, now: int, expected: int) -> str:
    if now >= commit_before(window) or not expected:
        closed = format_time(min(commit_before(window), latest_end(window)))
        return f"The window closed at {closed} before the work could start."
    takes, cutoff = format_duration(expected), format_time(commit_before(window))
    return f"The work takes {takes} here and would not be done before {cutoff}."
