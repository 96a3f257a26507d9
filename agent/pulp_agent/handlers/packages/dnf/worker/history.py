"""dnf's own history of transactions, an SQLite file."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from . import rpmdb
from .root import Nevra


def cut_off(path: str, question: str) -> set[Nevra]:
    """What the last transaction was to install, if it never came to its end. `question` asks for name, arch, epoch, version and
    release of it; dnf writes down the end of single packages only there, so which of them had all their scripts run is not
    known."""
    if not os.path.exists(path):
        return set()
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            rows = database.execute(question).fetchall()
        except sqlite3.OperationalError:  # it is being made
            return set()
    return {(name, arch, rpmdb.spelled_version(*version)) for name, arch, *version in rows}
