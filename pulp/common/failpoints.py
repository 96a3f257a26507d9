"""Failpoints: named places between two durable steps, at which a test lets a process die as SIGKILL kills.

Off unless PULP_FAILPOINTS names a folder when a program starts. Then a process that passes the failpoint NAME, and finds a
file NAME in that folder, renames it to .NAME.PID and kills itself; a number in the file says at which pass. So each one goes
off once, whatever is started again, and can be armed while the processes run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "PULP_FAILPOINTS"

_folder: Path | None = None


def arm(environ: Mapping[str, str]) -> None:
    """Called by each program's main, once, before it does anything that lasts."""
    global _folder
    folder = environ.get(VARIABLE)
    _folder = Path(folder) if folder else None


def failpoint(name: str) -> None:
    """Return, but for the process that was asked to die here. The name is a literal: tests read the list from the code."""
    if _folder is not None:
        _pass(_folder / name)


def _pass(armed: Path) -> None:
    try:
        left = int(armed.read_text() or "1")
        if left > 1:
            part = armed.with_name(f".{armed.name}")
            part.write_text(str(left - 1))
            part.replace(armed)
            return
        armed.rename(armed.with_name(f".{armed.name}.{os.getpid()}"))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
