"""The store's front: opens the data directory, hands writing jobs to the writer and reading jobs to readers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from pulp.server.db.base import StoreError, StoreUnavailable, TaskChange, UnitOfWork
from pulp.server.db.sqlite.checkpoints import Checkpoints
from pulp.server.db.sqlite.connection import Connection, Synchronous, open_writer
from pulp.server.db.sqlite.errors import StoreDamaged
from pulp.server.db.sqlite.lock import DirectoryLock
from pulp.server.db.sqlite.migrations import check, migrate
from pulp.server.db.sqlite.readers import Readers
from pulp.server.db.sqlite.writer import Writer

FILE = "pulp.db"
SMALLEST = 512  # bytes of the smallest page SQLite knows

T = TypeVar("T")
Listener = Callable[[Sequence[TaskChange]], None]

log = logging.getLogger(__name__)


class SqliteStore:
    """Implements `pulp.server.db.base.Store` in `directory`/pulp.db.

    synchronous: "full" syncs the disk before a job is acknowledged; "normal" may lose the newest commits at a power cut
    (never at a crash of the process), but stays whole.
    Opening raises StoreUnavailable, or of its kinds StoreLocked, StoreDamaged, StoreTooNew, with a sentence that names the
    directory or file.
    """

    def __init__(self, directory: Path, *, synchronous: Synchronous = "full") -> None:
        directory = directory.absolute()
        self._listeners: list[Listener] = []
        self._closed = False
        self._lock = DirectoryLock(directory)
        try:
            self._db = _open(directory / FILE, synchronous)
        except BaseException:
            self._lock.release()
            raise
        self._readers = Readers(directory / FILE)
        checkpoints = Checkpoints(self._db, directory / f"{FILE}-wal")
        self._writer = Writer(self._db, checkpoints, self._tell)

    def submit(self, job: Callable[[UnitOfWork], T]) -> Future[T]:
        return self._writer.submit(job)

    def write(self, job: Callable[[UnitOfWork], T]) -> T:
        if self._writer.is_current_thread():
            raise StoreError(
                "write() on the store's own thread would wait for itself: use submit()"
            )
        return self._writer.submit(job).result()

    def read(self, job: Callable[[UnitOfWork], T]) -> T:
        return self._readers.run(job)

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def backup(self, target: Path) -> None:
        """Copy everything committed so far into the new file `target`, while others go on. StoreUnavailable when the file
        exists or cannot be written; then it is as before."""
        if not _create(target):
            raise StoreUnavailable(f"{target} exists: name a file that does not")
        try:
            self._readers.backup(target)
        except BaseException:
            target.unlink()
            raise

    def close(self) -> None:
        """May be called again. An interrupt is raised after the store has been closed, a second one at once."""
        try:
            self._writer.close()
        finally:
            if self._writer.ended:
                self._release()

    def _release(self) -> None:
        self._readers.close()
        if not self._closed:
            self._closed = True
            self._db.close()
            self._lock.release()

    def _tell(self, changes: Sequence[TaskChange]) -> None:
        for listener in self._listeners:
            try:
                listener(changes)
            except BaseException:  # this is not the thread that it could end
                log.exception("a listener to task changes failed")


def snapshot(directory: Path, target: Path) -> None:
    """Copy the store of a data directory, as of one moment, into the new file `target`; another process may be using it.
    StoreUnavailable."""
    path = directory.absolute() / FILE
    if not path.is_file():
        raise StoreUnavailable(f"{path} does not exist: make a server with `pulp-server init`")
    readers = Readers(path)
    try:
        readers.backup(target)
    finally:
        readers.close()


def _open(path: Path, synchronous: Synchronous) -> Connection:
    if not _create(path):
        _check_not_empty(path)
    try:
        db = open_writer(path, synchronous)
        try:
            check(db)
            db.use_log()
            _check_whole(db, path)
            migrate(db, path)
        except BaseException:
            db.close()
            raise
    except StoreError as error:
        kind = type(error) if isinstance(error, StoreUnavailable) else StoreUnavailable
        raise kind(f"{path}: {error}") from error
    return db


def _check_not_empty(path: Path) -> None:
    """SQLite would quietly begin anew in such a file, and what was lost would go unnoticed."""
    if path.is_file() and path.stat().st_size < SMALLEST:
        raise StoreDamaged(
            f"{path} is empty or cut off: restore a backup, or delete the file to start with a new store"
        )


def _check_whole(db: Connection, path: Path) -> None:
    """SQLite reads a page that is cut off as zeros. Once the log is moved into it, the file has all its pages."""
    if db.checkpoint("TRUNCATE", 0):
        missing = (
            db.number("PRAGMA page_count") * db.number("PRAGMA page_size") - path.stat().st_size
        )
        if missing > 0:
            raise StoreDamaged(
                f"the database is cut off, {missing} bytes are missing: restore a backup"
            )


def _create(path: Path) -> bool:
    """Make an empty file, readable by its owner only: it will hold hashes of passwords. False when it is there already."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be created: {error.strerror}") from error
    return True
