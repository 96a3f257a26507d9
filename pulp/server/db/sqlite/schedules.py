"""Schedules in SQLite: one JSON document each, beside what is looked for."""

from __future__ import annotations

import msgspec

from pulp.server.db.base import Conflict, Page
from pulp.server.db.sqlite import cursors
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.domain.schedule import Schedule

_SELECT = "SELECT doc, revision FROM schedule"
_CURSOR = "schedules"
DUE = """SELECT name FROM schedule INDEXED BY schedule_due
    WHERE next_due IS NOT NULL AND next_due <= ? ORDER BY next_due LIMIT ?"""
FIRST_DUE = "SELECT min(next_due) FROM schedule INDEXED BY schedule_due WHERE next_due IS NOT NULL"

_decoder = msgspec.json.Decoder(Schedule)


class SqliteSchedules:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, schedule: Schedule) -> None:
        self._db.execute(
            "INSERT INTO schedule (next_due, doc, revision, name) VALUES (?, ?, ?, ?)",
            (schedule.next_due, _document(schedule), schedule.revision, schedule.name),
        )

    def get(self, name: str) -> Schedule | None:
        row = self._db.row(f"{_SELECT} WHERE name = ?", (name,))
        return None if row is None else _schedule(row)

    def save(self, schedule: Schedule) -> Schedule:
        saved = schedule.replace(revision=schedule.revision + 1)
        changed = self._db.changed(
            "UPDATE schedule SET next_due = ?, doc = ?, revision = ? WHERE name = ? AND revision = ?",
            (
                saved.next_due,
                _document(saved),
                saved.revision,
                saved.name,
                schedule.revision,
            ),
        )
        if not changed:
            raise Conflict(
                f"schedule {schedule.name} is not stored with revision {schedule.revision}: read it again"
            )
        return saved

    def remove(self, name: str) -> None:
        self._db.execute("DELETE FROM schedule WHERE name = ?", (name,))

    def page(self, after: str | None, limit: int) -> Page[Schedule]:
        place = "" if after is None else cursors.decode(after, _CURSOR, str)[0]
        rows = self._db.rows(f"{_SELECT} WHERE name > ? ORDER BY name LIMIT ?", (place, limit + 1))
        found = [_schedule(row) for row in rows]
        return cursors.page(found, limit, lambda last: cursors.encode(_CURSOR, last.name))

    def due(self, now: int, limit: int) -> list[str]:
        return [row[0] for row in self._db.rows(DUE, (now, limit))]

    def next_due(self) -> int | None:
        row = self._db.row(FIRST_DUE)
        return row[0] if row else None


def _document(schedule: Schedule) -> bytes:
    return msgspec.json.encode(schedule)


def _schedule(row: Row) -> Schedule:
    return _decoder.decode(row[0]).replace(revision=row[1])
