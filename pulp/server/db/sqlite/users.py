"""Users and their sessions in SQLite."""

from __future__ import annotations

from pulp.server.db.base import Conflict, Page
from pulp.server.db.sqlite import cursors
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.domain.user import Role, Session, User

_SELECT = "SELECT login, role, password_hash, created_at FROM user"
_CURSOR = "users"


class SqliteUsers:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def add(self, user: User) -> None:
        """Duplicate when the login exists."""
        self._db.execute(
            "INSERT INTO user (login, role, password_hash, created_at) VALUES (?, ?, ?, ?)",
            (user.login, int(user.role), user.password_hash, user.created_at),
        )

    def get(self, login: str) -> User | None:
        row = self._db.row(f"{_SELECT} WHERE login = ?", (login,))
        return None if row is None else _user(row)

    def save(self, user: User) -> None:
        """Conflict when the login is not stored (any more)."""
        changed = self._db.changed(
            "UPDATE user SET role = ?, password_hash = ?, created_at = ? WHERE login = ?",
            (int(user.role), user.password_hash, user.created_at, user.login),
        )
        if not changed:
            raise Conflict(f"user {user.login} is not stored")

    def remove(self, login: str) -> None:
        self.remove_sessions(login)
        self._db.execute("DELETE FROM user WHERE login = ?", (login,))

    def add_session(self, session: Session) -> None:
        self._db.execute(
            "INSERT INTO session (digest, login, created_at, expires_at) VALUES (?, ?, ?, ?)",
            (session.digest, session.login, session.created_at, session.expires_at),
        )

    def session(self, digest: str) -> Session | None:
        row = self._db.row(
            "SELECT digest, login, created_at, expires_at FROM session WHERE digest = ?", (digest,)
        )
        if row is None:
            return None
        return Session(digest=row[0], login=row[1], created_at=row[2], expires_at=row[3])

    def remove_session(self, digest: str) -> None:
        self._db.execute("DELETE FROM session WHERE digest = ?", (digest,))

    def remove_sessions(self, login: str) -> None:
        self._db.execute("DELETE FROM session WHERE login = ?", (login,))

    def purge_sessions(self, now: int) -> int:
        """Those with expires_at <= now."""
        return self._db.changed("DELETE FROM session WHERE expires_at <= ?", (now,))

    def page(self, after: str | None, limit: int) -> Page[User]:
        """By login."""
        place: tuple[int | str, ...] = () if after is None else cursors.decode(after, _CURSOR, str)
        condition = "WHERE login > ?" if place else ""
        sql = f"{_SELECT} {condition} ORDER BY login LIMIT ?"
        found = [_user(row) for row in self._db.rows(sql, (*place, limit + 1))]
        return cursors.page(found, limit, lambda last: cursors.encode(_CURSOR, last.login))

    def list(self) -> list[User]:
        return [_user(row) for row in self._db.rows(f"{_SELECT} ORDER BY login")]


def _user(row: Row) -> User:
    return User(login=row[0], role=Role(row[1]), password_hash=row[2], created_at=row[3])
