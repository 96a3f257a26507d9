"""The writer: one thread owns the writing connection and commits whatever is queued together (group commit).

Nothing is delayed to make a group larger: while one commit waits for the disk, the next group gathers by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from pulp.common.failpoints import failpoint
from pulp.server.db.base import StoreError, StoreUnavailable, TaskChange, UnitOfWork
from pulp.server.db.sqlite.checkpoints import Checkpoints
from pulp.server.db.sqlite.connection import Connection
from pulp.server.db.sqlite.unit import SqliteUnit

T = TypeVar("T")
Job = Callable[[UnitOfWork], Any]
Tell = Callable[[Sequence[TaskChange]], None]

IDLE = 1.0  # seconds without a job after which the log is emptied
GROUP = 1_000  # jobs of one commit at most, so that the first ones do not wait for ever

log = logging.getLogger(__name__)


class _Entry:
    """A job on its way, with what it gave when it ran last."""

    __slots__ = ("callbacks", "changes", "error", "future", "job", "value")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.future: Future[Any] = Future()
        self.value: Any = None
        self.error: BaseException | None = None
        self.callbacks: Sequence[Callable[[], None]] = ()
        self.changes: Sequence[TaskChange] = ()

    def run(self, unit: SqliteUnit) -> None:
        unit.begin()
        self.changes = unit.changes
        self.callbacks = unit.callbacks
        self.value = self.job(unit)

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.changes = ()
        self.callbacks = ()

    def resolve(self) -> None:
        """Tell the one who waits; what was to follow the commit comes first."""
        for callback in self.callbacks:
            try:
                callback()
            except BaseException:  # this is not the thread that it could end
                log.exception("a callback after a commit failed")
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


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
        self._ended = threading.Event()
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
        """Take no more jobs, finish those that were taken, and end the thread. May be called again. An interrupt is raised
        when that is done, a second one at once."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        try:
            self._ended.wait()  # and not join(), which takes a thread for ended when it is interrupted
        except KeyboardInterrupt:
            self._ended.wait()
            raise

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def _run(self) -> None:
        while (group := self._take()) is not None:
            if group:
                self._commit(group)
            else:
                self._checkpoints.idle()
        self._ended.set()

    def _take(self) -> list[_Entry] | None:
        """The next jobs; an empty list when it is time to shorten the log, None when it is time to end."""
        with self._wake:
            while not self._queue and not self._closing:
                if not self._wake.wait(IDLE if self._checkpoints.pending else None):
                    break
            if self._closing and not self._queue:
                return None
            group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
            return group

    def _commit(self, group: list[_Entry]) -> None:
        entries = [entry for entry in group if entry.future.set_running_or_notify_cancel()]
        try:
            if len(entries) == 1 or not self._commit_together(entries):
                self._commit_apart(entries)
        except Exception as error:  # whatever it is, nobody may wait for ever
            self._give_up(entries, error)
        for entry in entries:
            entry.resolve()
        if changes := [change for entry in entries for change in entry.changes]:
            self._tell(changes)
        self._checkpoints.committed()

    def _commit_together(self, entries: list[_Entry]) -> bool:
        """Without savepoints, which cost a fifth of all. False when a job failed: then nothing is done, and all the jobs
        are to be run again, which is a thing jobs must bear."""
        self._db.begin()
        for entry in entries:
            try:
                entry.run(self._unit)
                self._check_transaction(None)
            except BaseException:  # it will come again when the job runs in its savepoint
                self._db.rollback()
                self._undo(entries)
                return False
        self._commit_now()
        return True

    def _commit_apart(self, entries: list[_Entry]) -> None:
        self._db.begin()
        for entry in entries:
            self._run_in_savepoint(entry)
        self._commit_now()

    def _commit_now(self) -> None:
        failpoint("store.commit.before")
        self._db.commit()
        failpoint("store.commit.after")

    def _run_in_savepoint(self, entry: _Entry) -> None:
        """StoreError when not only the job's own part, but the whole transaction is lost."""
        self._db.control("SAVEPOINT job")
        try:
            entry.run(self._unit)
        except BaseException as error:  # whatever it is belongs to the one who waits for the future
            self._undo([entry])
            entry.fail(error)
            self._check_transaction(error)
            self._db.control("ROLLBACK TO job")
        else:
            self._check_transaction(None)
        self._db.control("RELEASE job")

    def _check_transaction(self, cause: BaseException | None) -> None:
        if self._db.in_transaction:
            return
        if isinstance(cause, StoreUnavailable):
            raise cause
        raise StoreUnavailable("the database gave the transaction up") from cause

    def _give_up(self, entries: list[_Entry], cause: Exception) -> None:
        log.error("commit failed", extra={"jobs": len(entries), "error": str(cause)})
        kind = type(cause) if isinstance(cause, StoreUnavailable) else StoreUnavailable
        self._undo(entries)
        for entry in entries:
            error = kind(f"nothing was written: {cause}")
            error.__cause__ = cause
            entry.fail(error)
        try:
            self._db.rollback()
        except StoreError as error:
            log.error("rollback failed", extra={"error": str(error)})

    def _undo(self, entries: list[_Entry]) -> None:
        for entry in entries:
            self._unit.undo(entry.changes)
