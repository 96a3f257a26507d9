"""Follows the unit of a job from systemd-run on, so that a process that dies before it has taken its lock is noticed at once."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

from pulp_agent.launch import LaunchError, spawn

_log = logging.getLogger(__name__)

_ANSWER = 64  # bytes; a process id is less


class UnitWatch:
    """Runs `make` (systemd-run), then `ask` (systemctl), which prints the id of the unit's process, 0 for none, and then watches
    that. Calls `gone` when the unit could not be made or its process is over; where systemd does not tell, it never does."""

    def __init__(
        self, make: Sequence[str], ask: Sequence[str], gone: Callable[[], None], *, name: str
    ) -> None:
        """LaunchError."""
        self._ask = ask
        self._gone = gone
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._fd: int | None = None
        pid = spawn(list(make))
        self._follow(os.pidfd_open(pid), lambda: self._made(pid))

    def close(self) -> None:
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _follow(self, fd: int, then: Callable[[], None]) -> None:
        self._fd = fd
        self._loop.add_reader(fd, then)

    def _made(self, pid: int) -> None:
        self.close()
        if os.waitpid(pid, 0)[1]:
            _log.error("systemd-run failed", extra={"unit": self._name})
            self._gone()
            return
        answer, sink = os.pipe()
        try:
            asked = spawn(list(self._ask), stdout=sink)
        except LaunchError as error:
            os.close(answer)
            _log.warning("A unit cannot be looked at", extra={"error": str(error)})
        else:
            self._follow(answer, lambda: self._told(asked))
        finally:
            os.close(sink)

    def _told(self, asked: int) -> None:
        assert self._fd is not None  # noqa: S101  it is what is read from
        text = os.read(self._fd, _ANSWER).strip()
        self.close()
        os.waitpid(asked, 0)
        if not text.isdigit():
            return
        try:
            self._follow(os.pidfd_open(int(text)), self._over)
        except OSError:  # there is none, or it has ended meanwhile
            self._gone()

    def _over(self) -> None:
        self.close()
        self._gone()
