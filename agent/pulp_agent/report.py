"""What `pulp-agent status` prints: the connection, the clock, and the open calls with their windows."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pulp.common.calendar import is_open, next_opening
from pulp.common.errors import InvalidInput
from pulp.common.times import SECOND, format_duration, format_time
from pulp_agent.call import Call
from pulp_agent.calls import CallTable
from pulp_agent.home import Home
from pulp_agent.host import timezone
from pulp_agent.journal import read_records
from pulp_agent.records import Kept, RestartDue
from pulp_agent.status import Status, read_status, runs


def report(home: Home, *, as_json: bool) -> tuple[str, bool]:
    """The text, and whether the agent runs and is connected. HomeError, JournalError."""
    registration = home.registration()
    status = read_status(home)
    now = time.time_ns() // 1_000_000
    table = CallTable(read_records(home.journal))
    calls, keep = list(table.open.values()), table.hours.keep
    state, restart = _state(status), table.restart
    if as_json:
        data = {
            "consumer": registration.consumer_id,
            "uid": registration.uid,
            "server": registration.server,
            "state": state,
            "status": status,
            "calls": [_call(call, now) for call in calls],
            "own_windows": keep,
            "restart": restart,
        }
        return msgspec.json.format(msgspec.json.encode(data)).decode(), state == "online"
    lines = [
        f"{registration.consumer_id} (uid {registration.uid}) of {registration.server}",
        f"state: {state}",
        *_details(status, now),
        *_own_windows(keep, now),
        *_call_lines(calls, now),
        *_restart(restart),
    ]
    return "\n".join(lines), state == "online"


def _state(status: Status | None) -> str:
    return "stopped" if status is None or not runs(status) else status.state


def _details(status: Status | None, now: int) -> list[str]:
    if status is None:
        return ["The agent has never run here: start it with pulp-agent run."]
    lines = [f"problem: {text}" for text in (status.problem, status.journal_problem) if text]
    if status.last_welcome is not None:
        ago = format_duration(max(0, now - status.last_welcome))
        lines.append(f"last welcome: {format_time(status.last_welcome)} ({ago} ago)")
    if status.clock_offset is not None:
        lines.append(f"clock: {status.clock_offset / SECOND:+.1f} s against the server's")
    return lines


def _restart(restart: RestartDue | None) -> list[str]:
    if restart is None:
        return []
    by = format_time(restart.before)
    return [f"restart: of the host, for {restart.id}, due until {by}; nothing else begins before"]


def _call_lines(calls: list[Call], now: int) -> list[str]:
    if not calls:
        return ["open calls: none"]
    return [f"open calls: {len(calls)}", *(f"  {_line(call, now)}" for call in calls)]


def _line(call: Call, now: int) -> str:
    state = call.status(now).state
    waits = " (answer not confirmed yet)" if state == "done" else ""
    return f"{call.id} {call.path or '?'}: {state}{waits}{_window(call)}"


def _window(call: Call) -> str:
    window = call.window
    if window is None:
        return ""
    begin, following = format_time(window.begin), _following(call)
    then = f", then {format_time(following)}" if following is not None else ""
    return f", window {begin} to {format_time(window.end)}{then}"


def _following(call: Call) -> int | None:
    """When the opening after its present one begins, for a call that would be carried over to it."""
    window = call.window
    if window is None or window.calendar is None or window.missed != "next":
        return None
    try:
        opening = next_opening(window.calendar, at=window.end, host_zone=timezone())
    except InvalidInput:
        return None
    return opening.begin if opening and opening.begin <= call.expires else None


def _own_windows(keep: Kept | None, now: int) -> list[str]:
    """The host's own calendar, while it is enforced."""
    if keep is None or not keep.enforced:
        return []
    if keep.calendar is None:
        return ["own windows: enforced, but it has none: nothing changes this host"]
    names = ", ".join(window.name for window in keep.calendar.windows) or "none"
    try:
        verdict = is_open(keep.calendar, at=now, host_zone=timezone()).sentence()
    except InvalidInput as error:
        verdict = f"They cannot be read here, so nothing opens: {error}"
    return [f"own windows: {names}, enforced. {verdict}"]


def _call(call: Call, now: int) -> dict[str, Any]:
    return {
        "id": call.id,
        "method": call.path,
        "state": call.status(now).state,
        "window": call.window,
        "next_opening": _following(call),
        "expires": call.expires or None,
        "started": call.started,
    }
