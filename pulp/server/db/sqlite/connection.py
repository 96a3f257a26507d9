"""One SQLite connection: how it is opened, and how its statements are run. The rest of the package reaches SQLite through it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pulp.server.db.base import StoreError, StoreUnavailable
from pulp.server.db.sqlite.errors import is_readonly, translate

Row = tuple[Any, ...]
Synchronous = Literal["full", "normal"]

MINIMUM = (3, 37, 0)  # STRICT tables and RETURNING
BUSY = 5_000  # ms to wait for a lock; only somebody else's tool on the file can hold one
STATEMENTS = 512  # kept prepared for each connection: more than there are different ones in use
WRITER_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 8 * 1024
WAL_LIMIT = 64 * 1024 * 1024  # bytes the log keeps on disk after a checkpoint that found it larger


class Connection:
    """Statements in, plain rows out; sqlite3's errors come out as the store's own.

    execute(), row(), rows() and changed() are for jobs and need a transaction: a unit of work that outlives its job, or goes
    on after SQLite gave the whole transaction up (disk full, I/O error), must not commit statement by statement.
    """

    def __init__(self, connection: sqlite3.Connection, *, writer: bool) -> None:
        self._connection = connection
        self._writer = writer

    def execute(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        if not self._connection.in_transaction:
            raise _no_transaction()
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        if not self._connection.in_transaction:
            raise _no_transaction()
        try:
            row: Row | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return row

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        if not self._connection.in_transaction:
            raise _no_transaction()
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def changed(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a writing statement; how many rows it changed."""
        return self.execute(sql, values).rowcount

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def begin(self) -> None:
        self.control("BEGIN IMMEDIATE" if self._writer else "BEGIN")

    def commit(self) -> None:
        self.control("COMMIT")

    def rollback(self) -> None:
        """Give the transaction up, if there still is one."""
        if self._connection.in_transaction:
            self.control("ROLLBACK")

    def control(self, sql: str) -> Row | None:
        """A statement about transactions or the file; its first row."""
        try:
            row: Row | None = self._connection.execute(sql).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return row

    def number(self, sql: str) -> int:
        """The first column of the one row of a query that always has one."""
        row = self.control(sql)
        return int(row[0]) if row else 0

    def script(self, sql: str) -> None:
        try:
            self._connection.executescript(sql)
        except sqlite3.Error as error:
            raise translate(error) from error

    def use_log(self) -> None:
        """Write-ahead logging, which the file remembers: readers and the writer do not wait for each other."""
        self.control("PRAGMA journal_mode=WAL")

    def checkpoint(self, kind: str, patience: int) -> bool:
        """Move the log into the database, waiting up to `patience` ms for readers; whether all of it was moved."""
        self.control(f"PRAGMA busy_timeout={patience}")
        try:
            row = self.control(f"PRAGMA wal_checkpoint({kind})")
        finally:
            self.control(f"PRAGMA busy_timeout={BUSY}")
        return row is not None and row[0] == 0

    def backup(self, target: Path) -> None:
        """Into the file `target`, in whose place nothing of value may be."""
        try:
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                self._connection.backup(copy)
            finally:
                copy.close()
        except sqlite3.Error as error:
            raise translate(error) from error

    def close(self) -> None:
        self._connection.close()

    def _failed(self, error: sqlite3.Error) -> StoreError:
        if not self._writer and is_readonly(error):
            return StoreError("a reading job cannot write: use write() or submit()")
        return translate(error)


def _no_transaction() -> StoreUnavailable:
    return StoreUnavailable(
        "a unit of work is good for its own job only, which is over or was given up"
    )


def open_writer(path: Path, synchronous: Synchronous) -> Connection:
    """The one connection that writes, and the only one that moves the log into the database (a bug of SQLite before
    3.51.3 can damage a file on which two connections do so at once)."""
    return Connection(
        _connect(
            f"{path.as_uri()}?mode=rw",
            f"PRAGMA synchronous={synchronous}",
            f"PRAGMA journal_size_limit={WAL_LIMIT}",
            f"PRAGMA cache_size=-{WRITER_CACHE_KIB}",
        ),
        writer=True,
    )


def open_reader(path: Path) -> Connection:
    return Connection(
        _connect(
            f"{path.as_uri()}?mode=ro",
            "PRAGMA query_only=1",
            f"PRAGMA cache_size=-{READER_CACHE_KIB}",
        ),
        writer=False,
    )


def _connect(uri: str, *pragmas: str) -> sqlite3.Connection:
    """check_same_thread is off because close() may come from any thread; no connection is used by two at once."""
    if sqlite3.sqlite_version_info < MINIMUM:
        needed = ".".join(map(str, MINIMUM))
        raise StoreUnavailable(
            f"this Python has SQLite {sqlite3.sqlite_version}: {needed} or newer is needed"
        )
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
            timeout=BUSY / 1_000,
        )
    except sqlite3.Error as error:
        raise translate(error) from error
    try:
        for pragma in ("PRAGMA mmap_size=0", "PRAGMA temp_store=MEMORY", *pragmas):
            connection.execute(pragma)
    except sqlite3.Error as error:
        connection.close()
        raise translate(error) from error
    return connection
