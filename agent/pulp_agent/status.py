"""status.json: how the agent stands, for `pulp-agent status`. A convenience: it may be lost, never torn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from pulp_agent.files import write_atomically
from pulp_agent.home import Home
from pulp_agent.link import State

_EVERY = 0.5  # s between two writes


class Status(Struct, frozen=True, kw_only=True):
    """Times in ms UTC. `clock_offset`: ms this host's clock is ahead of the server's."""

    pid: int
    version: str
    at: int
    state: State
    problem: str
    server: str
    last_welcome: int | None
    clock_offset: int | None
    journal_problem: str


class StatusFile:
    """`changed` may be called as often as one likes."""

    def __init__(self, home: Home, read: Callable[[], Status]) -> None:
        self._home = home
        self._read = read
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_EVERY, self.write)

    def write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            write_atomically(self._home.status, msgspec.json.encode(self._read()), sync=False)
        except OSError:
            self._timer = None  # a full disk is told by the journal


def read_status(home: Home) -> Status | None:
    """The last status that an agent wrote; None where none did, or its file is of another version."""
    try:
        return msgspec.json.decode(home.status.read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None


def runs(status: Status) -> bool:
    """Is the process that wrote it alive? A dead one that nobody has waited for yet is not."""
    try:
        state = Path(f"/proc/{status.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
