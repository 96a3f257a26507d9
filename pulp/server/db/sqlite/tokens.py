"""Registration tokens in SQLite."""

from __future__ import annotations

from pulp.server.db.base import Conflict, Page
from pulp.server.db.sqlite import cursors
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.domain.user import RegistrationToken

_SELECT = """SELECT id, digest, created_by, created_at, expires_at, uses_left, consumer_id
    FROM registration_token"""
_CURSOR = "tokens"


class SqliteTokens:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, token: RegistrationToken) -> None:
        """Duplicate when the id or digest exists."""
        self._db.execute(
            """INSERT INTO registration_token
                (digest, created_by, created_at, expires_at, uses_left, consumer_id, id) VALUES (?, ?, ?, ?, ?, ?, ?)""",
            _values(token),
        )

    def get(self, token_id: str) -> RegistrationToken | None:
        row = self._db.row(f"{_SELECT} WHERE id = ?", (token_id,))
        return None if row is None else _token(row)

    def by_digest(self, digest: str) -> RegistrationToken | None:
        row = self._db.row(f"{_SELECT} WHERE digest = ?", (digest,))
        return None if row is None else _token(row)

    def save(self, token: RegistrationToken) -> None:
        """Conflict when it is not stored (any more)."""
        changed = self._db.changed(
            """UPDATE registration_token
                SET digest = ?, created_by = ?, created_at = ?, expires_at = ?, uses_left = ?, consumer_id = ?
                WHERE id = ?""",
            _values(token),
        )
        if not changed:
            raise Conflict(f"registration token {token.id} is not stored")

    def remove(self, token_id: str) -> None:
        self._db.execute("DELETE FROM registration_token WHERE id = ?", (token_id,))

    def page(self, after: str | None, limit: int) -> Page[RegistrationToken]:
        """Newest first."""
        place: tuple[int | str, ...] = (
            () if after is None else cursors.decode(after, _CURSOR, int, str)
        )
        condition = "WHERE (created_at, id) < (?, ?)" if place else ""
        sql = f"{_SELECT} {condition} ORDER BY created_at DESC, id DESC LIMIT ?"
        found = [_token(row) for row in self._db.rows(sql, (*place, limit + 1))]
        return cursors.page(
            found, limit, lambda last: cursors.encode(_CURSOR, last.created_at, last.id)
        )


def _values(token: RegistrationToken) -> tuple[int | str | None, ...]:
    return (
        token.digest,
        token.created_by,
        token.created_at,
        token.expires_at,
        token.uses_left,
        token.consumer_id,
        token.id,
    )


def _token(row: Row) -> RegistrationToken:
    return RegistrationToken(
        id=row[0],
        digest=row[1],
        created_by=row[2],
        created_at=row[3],
        expires_at=row[4],
        uses_left=row[5],
        consumer_id=row[6],
    )
