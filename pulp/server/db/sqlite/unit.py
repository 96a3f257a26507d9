"""The unit of work: all repositories over one connection, used for one job after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pulp.server.db.base import StoreError, TaskChange
from pulp.server.db.sqlite.connection import Connection
from pulp.server.db.sqlite.consumers import SqliteConsumers
from pulp.server.db.sqlite.history import SqliteHistory
from pulp.server.db.sqlite.packages import SqlitePackages
from pulp.server.db.sqlite.requests import SqliteIdempotency, SqliteUnreadable
from pulp.server.db.sqlite.schedules import SqliteSchedules
from pulp.server.db.sqlite.tasks import SqliteTasks
from pulp.server.db.sqlite.tokens import SqliteTokens
from pulp.server.db.sqlite.users import SqliteUsers
from pulp.server.db.sqlite.windows import SqliteWindows


class SqliteUnit:
    def __init__(self, db: Connection, *, writing: bool) -> None:
        self._writing = writing
        self._callbacks: list[Callable[[], None]] = []
        self.tasks = SqliteTasks(db)
        self.history = SqliteHistory(db)
        self.consumers = SqliteConsumers(db)
        self.users = SqliteUsers(db)
        self.tokens = SqliteTokens(db)
        self.idempotency = SqliteIdempotency(db)
        self.windows = SqliteWindows(db)
        self.unreadable = SqliteUnreadable(db)
        self.schedules = SqliteSchedules(db)
        self.packages = SqlitePackages(db)

    def begin(self) -> None:
        """Before each job."""
        self._callbacks = []
        self.tasks.begin()

    def undo(self, changes: Sequence[TaskChange]) -> None:
        """These were rolled back."""
        self.tasks.undo(changes)

    def forget(self) -> None:
        """After each reading job: others change what is stored."""
        self.tasks.forget()

    def after_commit(self, callback: Callable[[], None]) -> None:
        if not self._writing:
            raise StoreError("a reading job commits nothing: use write() or submit()")
        self._callbacks.append(callback)

    @property
    def callbacks(self) -> Sequence[Callable[[], None]]:
        """What the running job wants called after its commit."""
        return self._callbacks

    @property
    def changes(self) -> Sequence[TaskChange]:
        """The task changes of the running job."""
        return self.tasks.changes
