"""sqlite3's errors end here: each becomes one of the store's own, with the cause kept."""

from __future__ import annotations

import sqlite3

from pulp.server.db.base import Duplicate, StoreError, StoreUnavailable


class StoreLocked(StoreUnavailable):
    """Another process has this data directory open."""

    code = "store-locked"


class StoreDamaged(StoreUnavailable):
    """The file is no database of ours, or parts of it cannot be read."""

    code = "store-damaged"


class StoreTooNew(StoreUnavailable):
    """The file was written by a newer release."""

    code = "store-too-new"


_UNIQUE = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_ROWID,
    }
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_ABORT,
    }
)


def translate(error: sqlite3.Error) -> StoreError:
    """The store's error for sqlite3's; raise it `from` the original."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:  # misuse, such as a unit of work used after its job
        return StoreError(f"the store was used wrongly: {error}")
    if code in _UNIQUE:
        return Duplicate(_duplicate(str(error)))
    primary = code & 0xFF
    if primary in _DAMAGED:
        return StoreDamaged(f"the database is damaged ({error}): restore a backup")
    if primary in _UNAVAILABLE:
        return StoreUnavailable(f"the database cannot be used now: {error}")
    return StoreError(f"the database refused a statement: {error}")


def is_readonly(error: sqlite3.Error) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_READONLY


def _duplicate(message: str) -> str:
    """`UNIQUE constraint failed: consumer.uid` → a sentence."""
    first = message.rpartition(": ")[2].partition(",")[0]
    table, _, column = first.partition(".")
    what = table.replace("_", " ")
    return f"a {what} with this {column} exists" if column else message
