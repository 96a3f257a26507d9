"""Options of what recurs, shared by schedules, windows and freezes, and how what was said becomes a request's fields."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Rrule = typer.Option("--rrule", metavar="RRULE", help="Which days: 'FREQ=WEEKLY;BYDAY=SA'.")
Dtstart = typer.Option(
    "--dtstart", metavar="WALL", help="From when on, and the time of day: 2026-12-01T02:00."
)
Zone = typer.Option("--zone", metavar="ZONE", help="Whose clock: Europe/Berlin, UTC.")
OffsetDays = Annotated[
    int | None, typer.Option("--offset-days", help="So many days after the rule's day.")
]


def given(**fields: Any) -> dict[str, Any]:
    """Only what was said."""
    return {name: value for name, value in fields.items() if value}
