"""A schedule as a person reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from pulp.client.schedule_views import Schedule
from pulp.client.text import clean, when


def facts(s: Schedule, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """What `schedule show` tells, line by line."""
    counts = s.counts
    yield "name", s.name
    yield "action", s.action
    yield "arguments", bytes(s.args).decode()
    yield "on", " ".join(s.consumers)
    yield "rule", s.rrule + (f", {s.offset_days:+d} days" if s.offset_days else "")
    yield "from", f"{s.dtstart} {s.zone}"
    yield from _keeping(s)
    yield "may take", clean(s.timeout)
    yield "host may be away", clean(s.deliver_within)
    yield "next", when(s.next_due, zone) if s.enabled else f"disabled: {s.why_disabled}"
    yield "last", when(s.last_due, zone)
    if s.runs_left is not None:
        yield "runs left", str(s.runs_left)
    yield "runs", f"{counts.runs}, and {counts.missed} missed ({s.missed})"
    yield "failed", _failed(s)
    yield "not doubled", str(counts.skipped_open or "")
    for consumer, why in s.problems.items():
        yield f"no task for {consumer}", why
    for consumer, task in s.last_tasks.items():
        yield f"task of {consumer}", task
    yield "made by", f"{s.created_by}, {when(s.created_at, zone)}"


def _keeping(s: Schedule) -> Iterator[tuple[str, str]]:
    """How the work of a run keeps to its window."""
    if isinstance(s.window, str):
        yield "window", "the host's next opening" if s.window == "next" else clean(s.window)
    elif s.window:
        yield "window", f"{s.window.duration} from then on"
    if s.window_missed:
        late = f" of {s.grace}" if s.grace else ""
        yield "window missed", clean(s.window_missed) + late
    if s.expected:
        yield "expected", f"{s.expected}, where the host does not know better"
    if s.predownload:
        yield "packages", "fetched ahead of the window"


def _failed(s: Schedule) -> str:
    limit = f" of {s.failure_threshold} in a row" if s.failure_threshold else " in a row"
    return f"{s.failures}{limit}" if s.failures or s.failure_threshold else ""
