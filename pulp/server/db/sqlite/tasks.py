"""Tasks in SQLite. Each query walks one index in the order asked for, so its cost does not grow with the backlog."""

# ruff: noqa: S608 - statements are put together from names of columns; values are always bound

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pulp.server.db.base import Claim, Conflict, Page, TaskChange, TaskFilter
from pulp.server.db.sqlite import cursors, task_pages
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.db.sqlite.task_rows import COLUMNS, STATE_OF, record_of, row_of, update_of
from pulp.server.domain.task import FINAL_STATES, TaskRecord, TaskState

_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM task"
# Each query names its index, because SQLite would guess that task_state is the better one. Conditions stand here word for
# word as in the partial indexes: SQLite compares the text's meaning, not its outcome.
# OR and not IN: SQLite builds a temporary table for a list of more than two, on each write too.
_OPEN = "(state = 'waiting' OR state = 'running' OR state = 'held' OR state = 'scheduled')"

INSERT = f"INSERT INTO task ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"
GET = f"{_SELECT} WHERE id = ?"
CLAIMABLE = """SELECT id, consumer_id FROM task INDEXED BY task_claim
    WHERE state = 'waiting' AND phase = 'queued' AND parked = '' ORDER BY seq LIMIT ?"""
UNSENT = f"""{_SELECT} INDEXED BY task_unsent
    WHERE state = 'waiting' AND phase = 'queued' AND parked <> 'unsupported-version' AND consumer_id = ?
    ORDER BY seq LIMIT ?"""
UNACCEPTED = f"""{_SELECT} INDEXED BY task_unaccepted
    WHERE state = 'waiting' AND phase = 'sent' AND consumer_id = ? ORDER BY seq"""
OPEN_OF = f"""{_SELECT} INDEXED BY task_consumer
    WHERE consumer_id = ? AND state IN ('scheduled', 'waiting', 'held', 'running') ORDER BY seq"""
RELEASE = """UPDATE task INDEXED BY task_parked
    SET parked = '', parked_at = NULL, revision = revision + 1
    WHERE state = 'waiting' AND phase = 'queued' AND parked <> '' AND parked = ? RETURNING id, revision"""
ANSWERED = f"""{_SELECT} INDEXED BY task_answered
    WHERE answer IS NOT NULL AND seq > ? ORDER BY seq LIMIT ?"""
DUE = f"""{_SELECT} INDEXED BY task_due
    WHERE state = 'scheduled' AND not_before <= ? ORDER BY not_before, seq LIMIT ?"""
OVERDUE = f"""{_SELECT} INDEXED BY task_deadline
    WHERE {_OPEN} AND deadline IS NOT NULL AND deadline <= ? ORDER BY deadline, seq LIMIT ?"""
FIRST_DUE = """SELECT min(not_before) FROM task INDEXED BY task_due WHERE state = 'scheduled'"""
FIRST_DEADLINE = f"""SELECT min(deadline) FROM task INDEXED BY task_deadline
    WHERE {_OPEN} AND deadline IS NOT NULL"""
PURGE = """DELETE FROM task WHERE seq IN
    (SELECT seq FROM task INDEXED BY task_ended WHERE finished_at IS NOT NULL AND finished_at < ?
     AND state NOT IN ('scheduled', 'waiting', 'held', 'running') ORDER BY finished_at LIMIT ?)"""
OUTRUN = f"""UPDATE task INDEXED BY task_deadline SET plan = max(plan + 1, ?), revision = revision + 1
    WHERE {_OPEN} AND deadline IS NOT NULL AND "window" IS NOT NULL RETURNING id, revision, state"""
COUNT_OPEN = """SELECT state, count(*) FROM task INDEXED BY task_state
    WHERE state IN ('scheduled', 'waiting', 'held', 'running') GROUP BY state"""

_CURSOR = "tasks"
KNOWN = 4_096  # records kept at most


class SqliteTasks:
    """Records are kept from job to job, for the writer's next look at them: nobody else writes, so what was read or written
    last is what is stored. A reader forgets them after each job."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._known: dict[str, TaskRecord] = {}
        self._changes: list[TaskChange] = []

    def begin(self) -> None:
        """A new job starts: it has changed nothing yet."""
        self._changes = []

    @property
    def changes(self) -> list[TaskChange]:
        """What the running job did to tasks."""
        return self._changes

    def undo(self, changes: Sequence[TaskChange]) -> None:
        """What was written there is not what is stored."""
        for change in changes:
            self._known.pop(change.id, None)

    def forget(self) -> None:
        self._known.clear()

    def add(self, record: TaskRecord) -> TaskRecord:
        row = row_of(record)
        row[_SEQ] = None  # SQLite gives the next
        seq = self._db.execute(INSERT, row).lastrowid
        return self._changed(replace(record, seq=seq))

    def get(self, task_id: str) -> TaskRecord | None:
        known = self._known.get(task_id)
        if known is not None:
            return known
        row = self._db.row(GET, (task_id,))
        return None if row is None else self._seen(row)

    def save(self, record: TaskRecord) -> TaskRecord:
        stored = self.get(record.id)
        if stored is None:
            raise Conflict(f"task {record.id} is not stored")
        if stored.revision != record.revision:
            raise Conflict(
                f"task {record.id} has revision {stored.revision} by now, not {record.revision}: read it again"
            )
        saved = replace(record, revision=record.revision + 1, seq=stored.seq)
        self._db.execute(*update_of(stored, saved))
        return self._changed(saved)

    def claimable(self, limit: int) -> list[Claim]:
        return [Claim(*row) for row in self._db.rows(CLAIMABLE, (limit,))]

    def unsent(self, consumer_id: str, limit: int) -> list[TaskRecord]:
        return self._list(UNSENT, consumer_id, limit)

    def unaccepted(self, consumer_id: str) -> list[TaskRecord]:
        return self._list(UNACCEPTED, consumer_id)

    def open_of(self, consumer_id: str) -> list[TaskRecord]:
        return self._list(OPEN_OF, consumer_id)

    def answered(self, after: int, limit: int) -> list[TaskRecord]:
        return self._list(ANSWERED, after, limit)

    def release(self, reason: str) -> int:
        released = self._db.rows(RELEASE, (reason,))
        for task_id, revision in released:
            self._known.pop(task_id, None)
            self._changes.append(TaskChange(task_id, revision, TaskState.WAITING))
        return len(released)

    def due(self, now: int, limit: int) -> list[TaskRecord]:
        return self._list(DUE, now, limit)

    def overdue(self, now: int, limit: int) -> list[TaskRecord]:
        return self._list(OVERDUE, now, limit)

    def next_moment(self) -> int | None:
        rows = (self._db.row(FIRST_DUE), self._db.row(FIRST_DEADLINE))
        return min((row[0] for row in rows if row and row[0] is not None), default=None)

    def page(self, where: TaskFilter, after: str | None, limit: int) -> Page[TaskRecord]:
        before = cursors.LARGEST if after is None else cursors.decode(after, _CURSOR, int)[0]
        sql, values = task_pages.query(where, int(before), limit + 1)
        found = self._list(f"{_SELECT} WHERE {sql}", *values)
        return cursors.page(found, limit, lambda last: cursor(last.seq))

    def outrun(self, plan: int) -> None:
        for task_id, revision, state in self._db.rows(OUTRUN, (plan,)):
            self._known.pop(task_id, None)
            self._changes.append(TaskChange(task_id, revision, STATE_OF[state]))

    def count_open(self) -> dict[TaskState, int]:
        return {STATE_OF[state]: count for state, count in self._db.rows(COUNT_OPEN)}

    def purge(self, before: int, limit: int) -> int:
        return self._db.changed(PURGE, (before, limit))

    def _list(self, sql: str, *values: int | str) -> list[TaskRecord]:
        return [self._seen(row) for row in self._db.rows(sql, values)]

    def _seen(self, row: Row) -> TaskRecord:
        record = record_of(row)
        self._keep(record)
        return record

    def _changed(self, record: TaskRecord) -> TaskRecord:
        self._keep(record)
        self._changes.append(TaskChange(record.id, record.revision, record.state))
        return record

    def _keep(self, record: TaskRecord) -> None:
        """Not one that has ended: it will hardly be asked for again, and its result may be large."""
        if record.state in FINAL_STATES:
            self._known.pop(record.id, None)
            return
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[record.id] = record


def cursor(seq: int) -> str:
    """The place in a list of tasks behind this one."""
    return cursors.encode(_CURSOR, seq)


_SEQ = COLUMNS.index("seq")
