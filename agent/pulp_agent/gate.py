"""The window gate: may a call start now? Pure; the agent's wall clock is the only judge (docs/WIRE.md, rule 8)."""

from __future__ import annotations

from dataclasses import dataclass

from pulp.common.times import format_time
from pulp.rmi.messages import WireWindow


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until` (ms UTC)."""

    until: int


@dataclass(frozen=True, slots=True)
class Open:
    """It may start; from `closes` (ms UTC) on it may not any more."""

    closes: int


@dataclass(frozen=True, slots=True)
class Closed:
    """It never started and never will: the code and sentence of its `failed`."""

    code: str
    message: str


Verdict = Wait | Open | Closed


def judge(*, window: WireWindow | None, expires: int, now: int, spent: bool) -> Verdict:
    """Start only if begin ≤ now < end and now ≤ expires. `spent`: this window has been seen to close before.

    A window that is over gives `window-missed`, whether or not the call has expired too; without a window, or with one that
    would still be open, a call that is past `expires` gives `expired`.
    """
    if window and (spent or now >= window.end):
        return Closed(
            "window-missed",
            f"The window closed at {format_time(window.end)} before the work could start.",
        )
    if now > expires:
        return Closed(
            "expired", f"The call expired at {format_time(expires)} before the work could start."
        )
    if window and now < window.begin:
        return Wait(window.begin) if window.begin <= expires else Wait(expires + 1)
    return Open(min(window.end, expires + 1) if window else expires + 1)
