"""The client's words: times, task states and reasons to wait as a person reads them. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo

from pulp.client.views import Task, WaitingFor
from pulp.common.times import MINUTE, SECOND, format_duration

_CLOCK_IS_OFF = 2 * MINUTE
"""From here on an agent warns (docs/WIRE.md, rule 8)."""

_WAITS = {
    "start-time": "waits for its start time{until}",
    "queue": "waits in the server's queue",
    "agent-offline": "waits for the agent, which is not connected since {since}{limit}",
    "agent-busy": "waits until the agent has taken earlier work{limit}",
    "agent-accept": "sent to the agent, which has not accepted it yet{limit}",
    "window": "with the agent, waits for its window{named}{until}",
    "agent": "with the agent, which begins as soon as it can{limit}",
    "lane": "with the agent, waits for other work on the host{by} to end",
    "cancel": "called off{void}, waits for the host to confirm that{limit}",
    "reboot": "the host restarts; waits until it is back{limit}",
    "unsupported-version": "cannot be run by this version of the server and waits for its upgrade{limit}",
}


def clean(text: str) -> str:
    """One line that a terminal shows as it is: no control character of a host or a user gets through."""
    return _shown(" ".join(text.split()))


def clean_lines(text: str) -> list[str]:
    """The same for text of several lines, which keep their indentation."""
    return [_shown(line.expandtabs().rstrip()) for line in text.splitlines()]


def when(moment: datetime | None, zone: tzinfo) -> str:
    """`2026-12-01 12:00:00 CET`; `-` for no time."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}" if moment else "-"


def took(task: Task) -> str:
    """How long the work itself took; empty when it never began."""
    if task.started_at is None or task.finished_at is None:
        return ""
    seconds = (task.finished_at - task.started_at).total_seconds()
    return f"{seconds:.1f}s" if seconds < 60 else format_duration(int(seconds) * 1000)


def waiting_for(reason: WaitingFor, zone: tzinfo) -> str:
    """What a task waits for and until when."""
    form = _WAITS.get(reason.code)
    if form is None:
        return f"waits for: {clean(reason.code)}"
    moment = when(reason.until, zone)
    words = form.format(
        named=f" {_names(reason.windows)}" if reason.windows else "",
        by=f" (task {clean(reason.by)})" if reason.by else "",
        void=f" ({clean(reason.void).rstrip('.')})" if reason.void else "",
        since=when(reason.since, zone),
        until=f" at {moment}" if reason.until else "",
        limit=f" (given up at {moment})" if reason.until else "",
    )
    return words + _carried(reason, zone) + _frozen(reason, zone) + _clock(reason.clock_offset or 0)


def _carried(reason: WaitingFor, zone: tzinfo) -> str:
    if reason.missed_opening is None:
        return ""
    return f"; carried over, as it missed its opening of {when(reason.missed_opening, zone)}"


def _frozen(reason: WaitingFor, zone: tzinfo) -> str:
    if not reason.freezes:
        return ""
    return f"; frozen by {_names(reason.freezes)} until {when(reason.frozen_until, zone)}"


def _names(names: list[str]) -> str:
    return ", ".join(clean(name) for name in names)


def _clock(offset: int) -> str:
    """By the host's clock it is decided when a held task starts."""
    if abs(offset) < _CLOCK_IS_OFF:
        return ""
    way = "ahead" if offset > 0 else "behind"
    return f"; the host's clock is {format_duration(abs(offset) // SECOND * SECOND)} {way}"


def standing(task: Task, zone: tzinfo) -> str:
    """Where a task stands, in one line: `running (download) 42%: fetching nginx`."""
    words = clean(task.state)
    phase = task.progress.phase if task.running and task.progress else ""
    phase = phase or task.phase
    if phase:
        words += f" ({clean(phase)})"
    if task.running and task.progress and task.progress.percent is not None:
        words += f" {task.progress.percent:.0f}%"
    if task.cancel_requested and not task.final:
        words += ", cancel asked for"
    if task.final and task.error:
        words += f" [{clean(task.error.code)}]"
    detail = _detail(task, zone)
    return f"{words}: {detail}" if detail else words


def _detail(task: Task, zone: tzinfo) -> str:
    if task.final:
        return ""
    if task.running and task.progress and task.progress.message:
        return clean(task.progress.message)
    if task.waiting_for and not (task.running and task.waiting_for.code == "agent"):
        return waiting_for(task.waiting_for, zone)
    return ""


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "replace").decode("ascii")
