"""The server's store on a simulated disk: the real unit of work and the real group commit, over SQLite in memory.

A job that was handed in is committed when somebody waits for it, when somebody reads, or a little later by itself, so that
code which does not wait for a commit is seen to do so. A crash loses what was not committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from pulp.server.db.base import StoreUnavailable, TaskChange, UnitOfWork
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.db.sqlite.migrations import STEPS
from pulp.server.db.sqlite.readers import _Reader
from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.db.sqlite.writer import Writer, _Entry
from sim.world import Process

T = TypeVar("T")


def _schema() -> bytes:
    made = sqlite3.connect(":memory:", isolation_level=None)
    for step in STEPS:
        made.executescript(step)
    try:
        return made.serialize()
    finally:
        made.close()


_EMPTY = _schema()


class _Looks(Connection):
    """For the checks, which read between transactions and know that nothing changes meanwhile."""

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()


class Disk:
    """What the server has committed; it outlives every server process."""

    def __init__(self) -> None:
        self._open(_EMPTY)

    def _open(self, content: bytes) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        self.connection.deserialize(content)
        self._reader = SqliteUnit(_Looks(self.connection, writer=False), writing=False)

    def copy(self) -> bytes:
        return self.connection.serialize()

    def restore(self, copy: bytes, *, now: int) -> None:
        """As `pulp-server restore` does."""
        self.connection.close()
        self._open(copy)
        unit = SqliteUnit(Connection(self.connection, writer=True), writing=True)
        self.connection.execute("BEGIN")
        unit.consumers.outrun(now)
        unit.tasks.outrun(now)
        self.connection.execute("COMMIT")

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def look(self) -> SqliteUnit:
        """What is committed, for the checks; never called inside a transaction."""
        self._reader.begin()
        self._reader.forget()
        return self._reader

    def close(self) -> None:
        self.connection.close()


class _Commits(Connection):
    """Commits are durable steps; on a full disk they fail."""

    def __init__(self, disk: Disk, process: Process, full: Callable[[], bool]) -> None:
        super().__init__(disk.connection, writer=True)
        self._process = process
        self._full = full
        self.committed: Callable[[], None] = lambda: None

    def commit(self) -> None:
        if self._full():
            raise StoreUnavailable("the disk is full")
        self._process.durable("commit", self._commit)

    def _commit(self) -> None:
        super().commit()
        self.committed()


class _Awaited(Future[Any]):
    """Waiting for it makes the writer work."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self._work = work

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._work()
        return super().result(0)


class _Turns(Writer):
    """The writer's own commit, without its thread."""

    def __init__(self, db: Connection, tell: Callable[[Sequence[TaskChange]], None]) -> None:
        self._db = db
        self._unit = SqliteUnit(db, writing=True)
        self._tell = tell
        self._queue: list[_Entry] = []
        self._checkpoints = _NoLog()  # type: ignore[assignment]
        self._group: list[_Entry] = []
        self.busy = False

    @property
    def changes(self) -> list[TaskChange]:
        """What the commit that was just made has changed."""
        return [change for entry in self._group for change in entry.changes]

    def hand_in(self, job: Callable[[UnitOfWork], Any]) -> Future[Any]:
        entry = _Entry(job)
        entry.future = _Awaited(self.turn)
        self._queue.append(entry)
        return entry.future

    @property
    def waiting(self) -> bool:
        return bool(self._queue)

    def turn(self) -> None:
        assert not self.busy, "a job waits for another job: the writer would wait for itself"
        self._group, self._queue = self._queue, []
        self.busy = True
        try:
            self._commit(self._group)
        finally:
            self.busy = False


class _NoLog:
    def committed(self) -> None: ...


class SimStore:
    """Implements `pulp.server.db.base.Store`. `between` runs where other threads of the server may get their turn."""

    def __init__(
        self,
        disk: Disk,
        process: Process,
        *,
        committed: Callable[[Sequence[TaskChange]], None],
        between: Callable[[], None],
        full: Callable[[], bool],
    ) -> None:
        self._disk = disk
        self._process = process
        self._between = between
        self._listeners: list[Callable[[Sequence[TaskChange]], None]] = []
        db = _Commits(disk, process, full)
        db.rollback()
        self._db = db
        self._turns = turns = _Turns(db, self._tell)
        db.committed = lambda: committed(turns.changes)
        self._reader = _Reader(Connection(disk.connection, writer=False))

    def submit(self, job: Callable[[UnitOfWork], T]) -> Future[T]:
        if not self._turns.waiting:
            self._process.later(self._process.world.random.randrange(5), self._flush)
        return self._turns.hand_in(job)

    def write(self, job: Callable[[UnitOfWork], T]) -> T:
        value: T = self._turns.hand_in(job).result()
        self._between()
        return value

    def read(self, job: Callable[[UnitOfWork], T]) -> T:
        assert not self._turns.busy, "a writing job reads by itself: it would see an older state"
        if self._turns.waiting and self._process.world.chance(0.5):
            self._turns.turn()
        value = self._reader.run(job)
        self._between()
        return value

    def subscribe(self, listener: Callable[[Sequence[TaskChange]], None]) -> None:
        self._listeners.append(listener)

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._turns.waiting:
            self._turns.turn()

    def _tell(self, changes: Sequence[TaskChange]) -> None:
        for listener in self._listeners:
            listener(changes)
