"""The writer: one thread owns the writing connection and commits whatever is queued together (group commit).

Nothing is delayed to make a group larger: while one commit waits for the disk, the next group gathers by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from pulp.server.db.base import StoreError, StoreUnavailable, TaskChange, UnitOfWork
from pulp.server.db.sqlite.checkpoints import Checkpoints
from pulp.server.db.sqlite.connection import Connection
from pulp.server.db.sqlite.unit import SqliteUnit

T = TypeVar("T")
Job = Callable[[UnitOfWork], Any]
Tell = Callable[[Sequence[TaskChange]], None]

IDLE = (
    1.0  # seconds without a job after which the log is moved into the database and cut to nothing
)
GROUP = 1_000  # jobs of one commit at most, so that the first ones do not wait for ever

log = logging.getLogger(__name__)


class _Entry:
    """A job on its way, with what it gave."""

    __slots__ = ("callbacks", "error", "future", "job", "value")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.future: Future[Any] = Future()
        self.value: Any = None
        self.error: BaseException | None = None
        self.callbacks: Sequence[Callable[[], None]] = ()

    def resolve(self) -> None:
        """Tell those who wait; what was to follow the commit comes first."""
        if self.error is not None:
            self.future.set_exception(self.error)
            return
        for callback in self.callbacks:
            try:
                callback()
            except Exception:
                log.exception("a callback after a commit failed")
        self.future.set_result(self.value)


class Writer:
    """`tell` gets the task changes of each commit, after the futures of its jobs are done."""

    def __init__(self, db: Connection, checkpoints: Checkpoints, tell: Tell) -> None:
        self._db = db
        self._checkpoints = checkpoints
        self._unit = SqliteUnit(db, writing=True)
        self._tell = tell
        self._wake = threading.Condition()
        self._queue: list[_Entry] = []
        self._closing = False
        # A daemon: a program that ends without close() must not hang; what was acknowledged is on disk.
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[UnitOfWork], T]) -> Future[T]:
        entry = _Entry(job)
        with self._wake:
            if self._closing:
                raise StoreUnavailable("the store is closed")
            self._queue.append(entry)
            if len(self._queue) == 1:
                self._wake.notify()
        return entry.future

    def is_current_thread(self) -> bool:
        return threading.get_ident() == self._thread.ident

    def close(self) -> None:
        """Take no more jobs, finish those that were taken, and end the thread. May be called again."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        try:
            self._thread.join()
        except KeyboardInterrupt:  # a second one is let through
            self._thread.join()
            raise

    def _run(self) -> None:
        while True:
            group = self._take()
            if group:
                self._commit(group)
            elif self._closing:
                return
            else:
                self._checkpoints.idle()

    def _take(self) -> list[_Entry]:
        """The next jobs; none when it is time to shorten the log, or to end."""
        with self._wake:
            while not self._queue and not self._closing:
                if not self._wake.wait(IDLE if self._checkpoints.pending else None):
                    break
            group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
            return group

    def _commit(self, group: list[_Entry]) -> None:
        entries = [entry for entry in group if entry.future.set_running_or_notify_cancel()]
        changes: list[TaskChange] = []
        try:
            self._db.begin()
            for entry in entries:
                self._run_job(entry, changes)
            self._db.commit()
        except StoreError as error:
            changes.clear()
            self._give_up(entries, error)
        for entry in entries:
            entry.resolve()
        if changes:
            self._tell(changes)
        self._checkpoints.committed()

    def _run_job(self, entry: _Entry, changes: list[TaskChange]) -> None:
        """Run one job inside its savepoint. StoreError when the whole transaction is lost."""
        self._unit.begin()
        self._db.execute("SAVEPOINT job")
        try:
            entry.value = entry.job(self._unit)
        except BaseException as error:  # whatever it is belongs to the one who waits for the future
            entry.error = error
            self._unit.undo()
            self._check_transaction(error)
            self._db.execute("ROLLBACK TO job")
        else:
            self._check_transaction(None)
            entry.callbacks = self._unit.callbacks
            changes += self._unit.changes
        self._db.execute("RELEASE job")

    def _check_transaction(self, cause: BaseException | None) -> None:
        if self._db.in_transaction:
            return
        if isinstance(cause, StoreUnavailable):
            raise cause
        raise StoreUnavailable("the database gave the transaction up") from cause

    def _give_up(self, entries: list[_Entry], cause: StoreError) -> None:
        log.error("commit failed", extra={"jobs": len(entries), "error": str(cause)})
        kind = type(cause) if isinstance(cause, StoreUnavailable) else StoreUnavailable
        for entry in entries:
            entry.error = kind(f"nothing was written: {cause}")
            entry.error.__cause__ = cause
        self._unit.forget()
        try:
            self._db.rollback()
        except StoreError as error:
            log.error("rollback failed", extra={"error": str(error)})
