"""History events in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from pulp.server.db.base import PAGE_BYTES, Page
from pulp.server.db.sqlite import cursors
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.domain.history import HistoryEvent, HistoryType

_TYPE_OF = {type_.value: type_ for type_ in HistoryType}
_TEXT_OF = {type_: type_.value for type_ in HistoryType}

_COLUMNS = "SELECT consumer_id, type, at, originator, task_id, details, id"
_SELECT = f"{_COLUMNS} FROM history"
INSERT = """INSERT INTO history (consumer_id, type, at, originator, task_id, details) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (task_id, type) WHERE task_id IS NOT NULL DO NOTHING"""
OF_TASK = f"{_SELECT} WHERE task_id = ? ORDER BY id"
KNOWS = "SELECT 1 FROM history WHERE consumer_id = ? LIMIT 1"

PURGE = """DELETE FROM history WHERE id IN
    (SELECT id FROM history INDEXED BY history_at WHERE at < ? ORDER BY at LIMIT ?)"""

GET = f"{_SELECT} WHERE id = ? AND consumer_id = ?"

_CURSOR = "history"


class SqliteHistory:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, event: HistoryEvent) -> bool:
        row = (
            event.consumer_id,
            _TEXT_OF[event.type],
            event.at,
            event.originator,
            event.task_id,
            event.details,
        )
        return self._db.changed(INSERT, row) == 1

    def purge(self, before: int, limit: int) -> int:
        return self._db.changed(PURGE, (before, limit))

    def page(
        self,
        consumer_id: str,
        *,
        types: frozenset[HistoryType] = frozenset(),
        begin: int | None = None,
        end: int | None = None,
        newest_first: bool = True,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[HistoryEvent]:
        conditions, values = (
            ["consumer_id = ?"],
            [consumer_id, *(_TEXT_OF[type_] for type_ in types)],
        )
        if types:
            conditions.append(f"type IN ({', '.join('?' * len(types))})")
        bounds, numbers = _bounds(begin, end, after, newest_first)
        direction = "DESC" if newest_first else "ASC"
        tail = (
            f"FROM history WHERE {' AND '.join(conditions + bounds)} "
            f"ORDER BY at {direction}, id {direction} LIMIT ?"
        )
        sizes = self._db.rows(f"SELECT length(details) {tail}", (*values, *numbers, limit + 1))
        fitting = min(limit, _fitting(sizes))
        rows = self._db.rows(f"{_COLUMNS} {tail}", (*values, *numbers, fitting))
        found = [_event(row) for row in rows]
        after_it = len(sizes) > fitting
        return Page(found, cursor(found[-1].at, found[-1].id) if after_it else None)

    def get(self, consumer_id: str, event_id: int) -> HistoryEvent | None:
        row = self._db.row(GET, (event_id, consumer_id))
        return None if row is None else _event(row)

    def of_task(self, task_id: str) -> list[HistoryEvent]:
        return [_event(row) for row in self._db.rows(OF_TASK, (task_id,))]

    def knows(self, consumer_id: str) -> bool:
        return self._db.row(KNOWS, (consumer_id,)) is not None


def cursor(at: int, event_id: int) -> str:
    """What follows this event."""
    return cursors.encode(_CURSOR, at, event_id)


def _fitting(sizes: Sequence[Row]) -> int:
    """How many events of these sizes a page holds; one always. SQLite tells a size without reading what is so large."""
    together = accumulate(size for (size,) in sizes)
    return max(1, sum(1 for size in together if size <= PAGE_BYTES))


def _bounds(
    begin: int | None, end: int | None, after: str | None, newest_first: bool
) -> tuple[list[str], list[int | str]]:
    """The conditions on time and place in the list, and their values."""
    conditions: list[str] = []
    values: list[int | str] = []
    if begin is not None:
        conditions.append("at >= ?")
        values.append(begin)
    if end is not None:
        conditions.append("at <= ?")
        values.append(end)
    if after is not None:
        conditions.append(f"(at, id) {'<' if newest_first else '>'} (?, ?)")
        values += cursors.decode(after, _CURSOR, int, int)
    return conditions, values


def _event(row: Row) -> HistoryEvent:
    consumer_id, type_, at, originator, task_id, details, id_ = row
    return HistoryEvent(
        consumer_id=consumer_id,
        type=_TYPE_OF[type_],
        at=at,
        originator=originator,
        task_id=task_id,
        details=details,
        id=id_,
    )
