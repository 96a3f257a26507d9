"""Reading connections: one for each reader at work, kept for the next when it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pulp.server.db.base import StoreUnavailable, UnitOfWork
from pulp.server.db.sqlite.connection import Connection, open_reader
from pulp.server.db.sqlite.unit import SqliteUnit

T = TypeVar("T")


class _Reader:
    def __init__(self, db: Connection) -> None:
        self.db = db
        self._unit = SqliteUnit(db, writing=False)

    def run(self, job: Callable[[UnitOfWork], T]) -> T:
        self._unit.begin()
        self.db.begin()
        try:
            return job(self._unit)
        finally:
            self._unit.forget()
            self.db.rollback()


class Readers:
    """As many connections as there were readers at one time: threads come and go without leaving any behind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._change = threading.Condition()
        self._idle: list[_Reader] = []
        self._busy = 0
        self._closed = False

    def run(self, job: Callable[[UnitOfWork], T]) -> T:
        with self._change:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            reader = self._idle.pop() if self._idle else None
            self._busy += 1
        try:
            reader = reader or _Reader(open_reader(self._path))
            return reader.run(job)
        finally:
            self._give_back(reader)

    def backup(self, target: Path) -> None:
        db = open_reader(self._path)
        try:
            db.backup(target)
        finally:
            db.close()

    def close(self) -> None:
        """Wait for the readers at work, then close all."""
        with self._change:
            self._closed = True
            self._change.wait_for(lambda: not self._busy)
            while self._idle:
                self._idle.pop().db.close()

    def _give_back(self, reader: _Reader | None) -> None:
        with self._change:
            self._busy -= 1
            if reader is not None:
                self._idle.append(reader)
            self._change.notify_all()
