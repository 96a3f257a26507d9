"""May work start now, and if not: why, and from when on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pulp.common.calendar.openings import HORIZON, Calendar, Opening, next_opening
from pulp.common.calendar.spans import Span, spans
from pulp.common.times import format_time


class Why(Enum):
    """The values may leave the process."""

    OPEN = "open"
    CLOSED = "window-closed"
    FROZEN = "frozen"
    CUTOFF = "window-cutoff"
    NO_OPENING = "no-opening"
    NO_WINDOW = "no-window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`opening`: the present one if it is open, else the next; None: there is none within ten years.

    `by`: the freezes that are on until `frozen_until` (ms UTC), one after the other, or the windows that are in their cutoff.
    """

    why: Why
    opening: Opening | None = None
    by: tuple[str, ...] = ()
    frozen_until: int | None = None

    @property
    def is_open(self) -> bool:
        return self.why is Why.OPEN

    def sentence(self) -> str:
        names = ", ".join(self.by)
        match self.why:
            case Why.OPEN if self.opening:
                return f"Work may start until {format_time(self.opening.cutoff_at)}."
            case Why.FROZEN if self.frozen_until is not None:
                return f"Frozen until {format_time(self.frozen_until)} by {names}; {self._then()}."
            case Why.CUTOFF:
                return f"Too late for {names}, which starts nothing in its last minutes; {self._then()}."
            case Why.NO_WINDOW:
                return "There is no window."
            case _:
                return f"No window is open; {self._then()}."

    def _then(self) -> str:
        if self.opening is None:
            return "none opens within ten years"
        return f"the next opens at {format_time(self.opening.begin)}"


def is_open(calendar: Calendar, *, at: int, host_zone: str) -> Verdict:
    """Whether work may start at `at` (ms UTC), with the reason if not. InvalidInput if a span is not well formed."""
    if not calendar.windows:
        return Verdict(why=Why.NO_WINDOW)
    opening = next_opening(calendar, at=at, host_zone=host_zone)
    if opening is not None and opening.begin <= at:
        return Verdict(why=Why.OPEN, opening=opening)
    freezes, until = _frozen(calendar.freezes, at, host_zone)
    if freezes:
        return Verdict(why=Why.FROZEN, opening=opening, by=freezes, frozen_until=until)
    late = tuple(window.name for window, _ in _on(calendar.windows, at, host_zone))
    if late:
        return Verdict(why=Why.CUTOFF, opening=opening, by=late)
    return Verdict(why=Why.CLOSED if opening else Why.NO_OPENING, opening=opening)


def _on(candidates: tuple[Span, ...], at: int, host_zone: str) -> list[tuple[Span, int]]:
    """Those that are on, each with the end of its span."""
    return [
        (one, end)
        for one in candidates
        for _, end in spans(one, after=at, before=at + 1, host_zone=host_zone)
    ]


def _frozen(freezes: tuple[Span, ...], at: int, host_zone: str) -> tuple[tuple[str, ...], int]:
    """The freezes that are on, and those that follow them without a gap, and when the last of them ends."""
    names: dict[str, None] = {}
    until = at
    while until < at + HORIZON and (on := _on(freezes, until, host_zone)):
        names.update((freeze.name, None) for freeze, _ in on)
        until = max(end for _, end in on)
    return tuple(names), until
