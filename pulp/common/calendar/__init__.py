"""Maintenance windows and freezes that recur, and what they allow together (docs/windows.md). Values and pure functions.

One-off windows alone, as begin and end: `pulp.common.windows`.
"""

from pulp.common.calendar.checks import calendar_problems, recurrence_problems, window_problems
from pulp.common.calendar.openings import HORIZON, Calendar, Opening, next_opening, openings
from pulp.common.calendar.recurrence import Recurrence, begins
from pulp.common.calendar.spans import OneOff, Recurring, Span
from pulp.common.calendar.verdict import Verdict, Why, is_open
from pulp.common.calendar.zones import HOST

__all__ = [
    "HORIZON",
    "HOST",
    "Calendar",
    "OneOff",
    "Opening",
    "Recurrence",
    "Recurring",
    "Span",
    "Verdict",
    "Why",
    "begins",
    "calendar_problems",
    "is_open",
    "next_opening",
    "openings",
    "recurrence_problems",
    "window_problems",
]
