"""What `pulp-agent status` prints: the connection, the clock, and the open calls with their windows."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from pulp.common.times import SECOND, format_duration, format_time
from pulp_agent.call import Call
from pulp_agent.calls import CallTable
from pulp_agent.home import Home
from pulp_agent.journal import read_records
from pulp_agent.status import Status, read_status, runs


def report(home: Home, *, as_json: bool) -> tuple[str, bool]:
    """The text, and whether the agent runs and is connected. HomeError, JournalError."""
    registration = home.registration()
    status = read_status(home)
    now = time.time_ns() // 1_000_000
    calls = list(CallTable(read_records(home.journal)).open.values())
    state = _state(status)
    if as_json:
        data = {
            "consumer": registration.consumer_id,
            "uid": registration.uid,
            "server": registration.server,
            "state": state,
            "status": status,
            "calls": [_call(call, now) for call in calls],
        }
        return msgspec.json.format(msgspec.json.encode(data)).decode(), state == "online"
    lines = [
        f"{registration.consumer_id} (uid {registration.uid}) of {registration.server}",
        f"state: {state}",
        *_details(status, now),
        *_call_lines(calls, now),
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


def _call_lines(calls: list[Call], now: int) -> list[str]:
    if not calls:
        return ["open calls: none"]
    return [f"open calls: {len(calls)}", *(f"  {_line(call, now)}" for call in calls)]


def _line(call: Call, now: int) -> str:
    window = ""
    if call.window is not None:
        window = f", window {format_time(call.window.begin)} to {format_time(call.window.end)}"
    state = call.status(now).state
    waits = " (answer not confirmed yet)" if state == "done" else ""
    return f"{call.id} {call.path or '?'}: {state}{waits}{window}"


def _call(call: Call, now: int) -> dict[str, Any]:
    return {
        "id": call.id,
        "method": call.path,
        "state": call.status(now).state,
        "window": call.window,
        "expires": call.expires or None,
        "started": call.started,
    }
