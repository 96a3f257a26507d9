"""Named windows and freezes, and the calendar that they make for a host (docs/windows.md)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from pulp.common.calendar import Calendar, Span
from pulp.server.domain.consumer import Consumer


class WindowRole(Enum):
    """In a window work may start, in a freeze none may."""

    WINDOW = "window"
    FREEZE = "freeze"


class NamedWindow(Struct, frozen=True, kw_only=True):
    """`everywhere`: it holds for every consumer, bound or not. `span` has the same name."""

    name: str
    role: WindowRole
    span: Span
    created_by: str
    created_at: int
    everywhere: bool = False
    revision: int = 1


def calendar_of(consumer: Consumer, windows: Iterable[NamedWindow]) -> Calendar:
    """Those of the windows and freezes that are bound to the consumer or hold everywhere, by name."""
    theirs = sorted(
        (each for each in windows if each.everywhere or each.name in consumer.windows),
        key=lambda each: each.name,
    )
    return Calendar(
        windows=tuple(each.span for each in theirs if each.role is WindowRole.WINDOW),
        freezes=tuple(each.span for each in theirs if each.role is WindowRole.FREEZE),
    )
