"""What requests leave behind in SQLite: answers to Idempotency-Keys, and agents' messages that nobody could read."""

from __future__ import annotations

from pulp.server.db.sqlite.connection import Connection
from pulp.server.domain.user import IdempotencyRecord


class SqliteIdempotency:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def get(self, login: str, key: str) -> IdempotencyRecord | None:
        row = self._db.row(
            "SELECT login, key, request, resource, created_at FROM idempotency WHERE login = ? AND key = ?",
            (login, key),
        )
        if row is None:
            return None
        return IdempotencyRecord(
            login=row[0], key=row[1], request=row[2], resource=row[3], created_at=row[4]
        )

    def add(self, record: IdempotencyRecord) -> None:
        """Duplicate when this login has used the key."""
        self._db.execute(
            "INSERT INTO idempotency (login, key, request, resource, created_at) VALUES (?, ?, ?, ?, ?)",
            (record.login, record.key, record.request, record.resource, record.created_at),
        )

    def purge(self, before: int) -> int:
        """Those with created_at < before."""
        return self._db.changed("DELETE FROM idempotency WHERE created_at < ?", (before,))


class SqliteUnreadable:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, *, at: int, consumer_id: str, reason: str, body: bytes) -> None:
        self._db.execute(
            "INSERT INTO unreadable (at, consumer_id, reason, body) VALUES (?, ?, ?, ?)",
            (at, consumer_id, reason, body),
        )

    def count(self) -> int:
        row = self._db.row("SELECT count(*) FROM unreadable")
        return row[0] if row else 0
