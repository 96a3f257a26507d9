"""The worker's end of the link to the agent."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any


class Link:
    """Takes stdin, stdout and stderr for itself; what scripts and libraries print goes to the log that a command names."""

    def __init__(self) -> None:
        self._input = os.fdopen(os.dup(0), "r", encoding="utf-8")
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._own_log = os.dup(2)
        self._id = 0
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def commands(self) -> Iterator[dict[str, Any]]:
        for line in iter(self._input.readline, ""):
            command = json.loads(line)
            self._id = command["id"]
            _log_to(command["log"] or os.devnull)
            yield command

    def tell(self, **answer: Any) -> None:
        """An agent that is gone is no reason to stop in mid-transaction."""
        with contextlib.suppress(OSError):
            self._output.write(json.dumps({**answer, "id": self._id}) + "\n")
            self._output.flush()

    def complain(self, text: str) -> None:
        """Into the agent's own log, which stays on the host; a command's log does not."""
        with contextlib.suppress(OSError):
            os.write(self._own_log, text.encode("utf-8", "replace"))

    def progress(self, percent: float, text: str = "") -> None:
        """`percent`: of the command."""
        self.tell(progress=[round(percent, 1), text])


def _log_to(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def log(text: str) -> None:
    """Add to the command's log."""
    os.write(2, (text.rstrip("\n") + "\n").encode("utf-8", "replace"))
