"""The processes of a package transaction: finding them, and ending hung maintainer scripts without touching the package tool.

A package tool is never signalled while it changes the host (dpkg ended in mid-work leaves the database dirty); a script that
is ended is just a failed script, which it records.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from pulp.common.failpoints import failpoint
from pulp_agent.processes import Process, family, read_process, send_signal

__all__ = ["Process", "ScriptEnder", "Session", "end_session", "load_session"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Session(Struct, frozen=True):
    """A transaction's session as it is remembered in the spool: it may outlive the process that began it."""

    pid: int
    started: int
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> Session:
        leader = read_process(pid)
        return cls(pid, leader.started if leader else 0, _boot_id())

    def members(self) -> list[Process]:
        """What still runs of it. Empty after a reboot, or when the pid is another's by now."""
        if self.boot_id != _boot_id():
            return []
        leader = read_process(self.pid)
        if leader is not None and leader.started != self.started:
            return []
        return family(self.pid)

    def save(self, path: Path) -> None:
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(self))
        part.replace(path)
        failpoint("job.session.saved")


def load_session(path: Path) -> Session | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Session)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def end_session(session: Session) -> None:
    """Kill all that still runs of a session that has changed nothing. What it had downloaded in part is used or replaced."""
    for process in session.members():
        send_signal(process, signal.SIGKILL)


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


class ScriptEnder:
    """Ends what hangs below a package tool once the time limit has passed.

    At the limit every script gets SIGTERM. After that, once per `grace` seconds, what has had its SIGTERM gets SIGKILL, and
    what has been running since the last look gets SIGTERM: scripts that start later have their chance. `spared`: what is the
    package tool itself.
    """

    def __init__(
        self,
        session: Session,
        *,
        limit: float,
        grace: float,
        spared: Callable[[Process], bool],
    ) -> None:
        self._session = session
        self._next = time.monotonic() + limit
        self._grace = grace
        self._spared = spared
        self._strikes: dict[Process, int] = {}
        self.used = False

    def tick(self) -> None:
        """Look at the clock; call often."""
        if time.monotonic() < self._next:
            return
        first, self.used = not self.used, True
        self._next = time.monotonic() + self._grace
        for process in self._session.members():
            if not self._spared(process):
                self._strike(process, 1 if first else 0)

    def _strike(self, process: Process, least: int) -> None:
        strikes = self._strikes.get(process, least)
        self._strikes[process] = strikes + 1
        if strikes:
            send_signal(process, signal.SIGTERM if strikes == 1 else signal.SIGKILL)
