"""What was asked of a maintenance window, and how a stored task tells it again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pulp.common.calendar import OneOff
from pulp.common.windows import Window
from pulp.rmi.messages import Missed
from pulp.server.domain.task import TaskRecord, WindowRule

NEXT: Final = "next"
"""Asked for in place of a window's name: the host's next opening, of all its windows together. No window has this name."""
ONCE = "window"
"""What the span of a window given by its times is called in a calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """asked: a window's name, NEXT, or "" where `window` gives the times. missed None: `next` where it recurs, else `miss`.

    grace: ms, with `missed` grace. expected: ms that the work takes; 0: not to be looked at. unfrozen_until: ms UTC, the end
    of an override: till then freezes do not cut its window, and later the work does not start.
    """

    asked: str = ""
    window: Window | None = None
    missed: Missed | None = None
    grace: int = 0
    expected: int = 0
    predownload: bool = False
    unfrozen_until: int | None = None


def wanted_of(record: TaskRecord) -> Wanted | None:
    """What was asked when the task was planned; None: it was asked for outside of any window."""
    window, rule = record.window, record.rule
    if window is None:
        return None
    if rule is None:
        return Wanted(window=window)
    whole = _whole(rule)
    return Wanted(
        asked=rule.asked,
        window=None if rule.asked else whole or window,
        missed=missed_of(rule),
        grace=rule.grace,
        expected=rule.expected,
        predownload=rule.predownload,
        unfrozen_until=record.override.until if record.override else None,
    )


def missed_of(rule: WindowRule) -> Missed:
    """As it was asked. A window given by its times that freezes cut in pieces is carried from piece to piece, not further."""
    return "miss" if rule.missed == NEXT and not rule.asked else rule.missed


def _whole(rule: WindowRule) -> Window | None:
    """A window given by its times before freezes cut it."""
    spans = rule.calendar.windows if rule.calendar else ()
    given = next((span for span in spans if isinstance(span, OneOff)), None)
    return Window(given.begin, given.end) if given and not rule.asked else None
