"""What one execution remembers in its spool, so that a process that takes over after a crash can tell all that was changed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from pulp.common.failpoints import failpoint
from pulp.rmi.interfaces import Change
from pulp_agent.handlers.packages.base import Key, PackageState

_FILE = "execution.json"


class Record(Struct, kw_only=True):
    """`before`: the host before the first process of this execution changed anything; `planned`: what was planned so far;
    `history_mark`: the package system's history at that time."""

    before: dict[Key, PackageState]
    history_mark: int
    planned: dict[Key, Change] = {}

    def save(self, spool: str) -> None:
        """Durable when it returns."""
        path = Path(spool, _FILE)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(self))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(spool, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        failpoint("job.record.saved")


def load(spool: str) -> Record | None:
    """None: no process of this execution came so far as to change anything."""
    try:
        blob = Path(spool, _FILE).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(blob, type=Record)
