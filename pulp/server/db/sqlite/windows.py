"""Named windows and freezes in SQLite."""

from __future__ import annotations

from typing import Any

import msgspec

from pulp.common.calendar import Span
from pulp.server.db.base import Conflict, Page
from pulp.server.db.sqlite import cursors
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.window import NamedWindow, WindowRole

_SELECT = (
    """SELECT name, role, span, created_by, created_at, everywhere, revision FROM named_window"""
)
_CURSOR = "windows"

_span = msgspec.json.Decoder(Span).decode


class SqliteWindows:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, window: NamedWindow) -> None:
        self._db.execute(
            """INSERT INTO named_window (role, span, created_by, created_at, everywhere, revision, name)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (*_values(window), window.revision, window.name),
        )

    def get(self, name: str) -> NamedWindow | None:
        row = self._db.row(f"{_SELECT} WHERE name = ?", (name,))
        return None if row is None else _window(row)

    def save(self, window: NamedWindow) -> NamedWindow:
        changed = self._db.changed(
            """UPDATE named_window
                SET role = ?, span = ?, created_by = ?, created_at = ?, everywhere = ?, revision = revision + 1
                WHERE name = ? AND revision = ?""",
            (*_values(window), window.name, window.revision),
        )
        if not changed:
            raise Conflict(f"window {window.name} is not stored with revision {window.revision}")
        return msgspec.structs.replace(window, revision=window.revision + 1)

    def remove(self, name: str) -> None:
        self._db.execute("DELETE FROM named_window WHERE name = ?", (name,))

    def of(self, consumer: Consumer) -> list[NamedWindow]:
        names = msgspec.json.encode(consumer.windows).decode("utf-8")
        theirs = "everywhere = 1 OR name IN (SELECT value FROM json_each(?))"
        sql = f"{_SELECT} WHERE {theirs} ORDER BY name"
        return [_window(row) for row in self._db.rows(sql, (names,))]

    def everywhere(self) -> list[NamedWindow]:
        rows = self._db.rows(f"{_SELECT} WHERE everywhere = 1 ORDER BY name")
        return [_window(row) for row in rows]

    def page(self, role: WindowRole | None, after: str | None, limit: int) -> Page[NamedWindow]:
        start = "" if after is None else cursors.decode(after, _CURSOR, str)[0]
        roles = [each.value for each in WindowRole] if role is None else [role.value]
        wanted = ", ".join("?" * len(roles))
        sql = f"{_SELECT} WHERE name > ? AND role IN ({wanted}) ORDER BY name LIMIT ?"
        found = [_window(row) for row in self._db.rows(sql, (start, *roles, limit + 1))]
        return cursors.page(found, limit, lambda last: cursors.encode(_CURSOR, last.name))


def _values(window: NamedWindow) -> tuple[Any, ...]:
    return (
        window.role.value,
        msgspec.json.encode(window.span),
        window.created_by,
        window.created_at,
        int(window.everywhere),
    )


def _window(row: Row) -> NamedWindow:
    return NamedWindow(
        name=row[0],
        role=WindowRole(row[1]),
        span=_span(row[2]),
        created_by=row[3],
        created_at=row[4],
        everywhere=bool(row[5]),
        revision=row[6],
    )
