"""Processes as /proc tells of them: who has started whom, and ending one that is still the one that was meant."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A live process; `started` is in clock ticks since boot and tells a reused pid from the first."""

    pid: int
    parent: int
    session: int
    name: str
    started: int


def read_process(pid: int) -> Process | None:
    """None where it has ended, also if nobody has waited for it yet."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    if fields[0] == "Z":
        return None
    return Process(pid, int(fields[1]), int(fields[3]), name, int(fields[19]))


def _all() -> Iterator[Process]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (process := read_process(int(entry.name))) is not None:
            yield process


def family(leader: int) -> list[Process]:
    """A process, those of its session, and all their descendants, whatever sessions those have made."""
    table = {process.pid: process for process in _all()}
    members = {p.pid for p in table.values() if leader in (p.session, p.pid)}
    grown = True
    while grown:
        young = {p.pid for p in table.values() if p.parent in members} - members
        members |= young
        grown = bool(young)
    return [table[pid] for pid in sorted(members)]


def send_signal(process: Process, number: signal.Signals) -> None:
    """To this very process; not to another one that has its pid by now."""
    now = read_process(process.pid)
    if now is not None and now.started == process.started:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
