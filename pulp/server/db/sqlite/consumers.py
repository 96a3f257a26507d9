"""Consumers and their package profiles in SQLite."""

# ruff: noqa: S608 - statements are put together from this module's own names of columns; values are always bound

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pulp.server.db.base import Conflict, ConsumerFilter, Page
from pulp.server.db.sqlite import cursors
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.db.sqlite.packages import SqlitePackages
from pulp.server.domain.consumer import AgentInfo, Consumer, StoredProfile

_COLUMNS = (
    "id",
    "uid",
    "registered_at",
    "fingerprints",
    "csr_fingerprint",
    "display_name",
    "notes",
    "online",
    "last_seen",
    "clock_offset",
    "agent",
    "flags",
    "certificate",
    "windows",
    "enforced",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)}, keep_plan, replanned FROM consumer LEFT JOIN planned ON consumer_id = id"
INSERT = f"INSERT INTO consumer ({', '.join(_COLUMNS)}, search) VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
GET = f"{_SELECT} WHERE id = ?"
BY_UID = f"{_SELECT} WHERE uid = ?"
UPDATE = f"UPDATE consumer SET {', '.join(f'{name} = ?' for name in _COLUMNS[1:])}, search = ? WHERE id = ?"
BOUND_TO = 'SELECT consumer_id FROM binding WHERE "window" = ? ORDER BY consumer_id'
COUNT_BOUND = 'SELECT count(*) FROM binding WHERE "window" = ?'
COUNT = "SELECT count(*) FROM consumer"
UNLIKE = f"""{_SELECT} WHERE id IN (
    SELECT min(id) FROM consumer WHERE ? IS NULL OR id IN (SELECT consumer_id FROM binding WHERE "window" = ?)
    GROUP BY windows, enforced, json_extract(CAST(agent AS TEXT), '$.timezone')) ORDER BY id"""
PLAN = """INSERT INTO planned (consumer_id, keep_plan, replanned) VALUES (?, ?, ?)
    ON CONFLICT (consumer_id) DO UPDATE SET keep_plan = excluded.keep_plan, replanned = excluded.replanned
    WHERE keep_plan <> excluded.keep_plan OR replanned <> excluded.replanned"""
RAISE_EVERY_KEEP_PLAN = "UPDATE planned SET keep_plan = keep_plan + 1"
RAISE_KEEP_PLAN = f"{RAISE_EVERY_KEEP_PLAN} WHERE consumer_id IN (SELECT value FROM json_each(?))"
OUTRUN = "UPDATE planned SET keep_plan = max(keep_plan + 1, ?)"
TO_REPLAN = (
    "SELECT consumer_id FROM planned WHERE keep_plan > replanned ORDER BY consumer_id LIMIT ?"
)
SET_OFFLINE = "UPDATE consumer SET online = 0 WHERE online = 1"
SAVE_PROFILE = """INSERT INTO profile (consumer_id, hash, at, packages) VALUES (?, ?, ?, ?)
    ON CONFLICT (consumer_id) DO UPDATE SET hash = excluded.hash, at = excluded.at, packages = excluded.packages"""
PROFILE = "SELECT consumer_id, hash, at, packages FROM profile WHERE consumer_id = ?"
CONFIRM_PROFILE = "UPDATE profile SET at = ? WHERE consumer_id = ? AND hash = ?"

_CURSOR = "consumers"
NO_PACKAGES = b"[]"

_encode = msgspec.json.encode
_strings = msgspec.json.Decoder(list[str]).decode
_notes = msgspec.json.Decoder(dict[str, str]).decode
_agent = msgspec.json.Decoder(AgentInfo).decode


class SqliteConsumers:
    def __init__(self, db: Connection) -> None:
        self._db = db
        self._packages = SqlitePackages(db)

    def add(self, consumer: Consumer) -> None:
        self._db.execute(INSERT, (consumer.id, *_values(consumer)))
        self._plan(consumer)

    def get(self, consumer_id: str) -> Consumer | None:
        row = self._db.row(GET, (consumer_id,))
        return None if row is None else _consumer(row)

    def by_uid(self, uid: str) -> Consumer | None:
        row = self._db.row(BY_UID, (uid,))
        return None if row is None else _consumer(row)

    def save(self, consumer: Consumer) -> None:
        """Conflict when it is not stored (any more)."""
        if not self._db.changed(UPDATE, (*_values(consumer), consumer.id)):
            raise Conflict(f"consumer {consumer.id} is not stored")
        self._plan(consumer)

    def _plan(self, consumer: Consumer) -> None:
        self._db.execute(PLAN, (consumer.id, consumer.keep_plan, consumer.replanned))

    def remove(self, consumer_id: str) -> None:
        """Its profile goes with it, its history stays."""
        self._db.execute("DELETE FROM consumer WHERE id = ?", (consumer_id,))
        self._db.execute("DELETE FROM planned WHERE consumer_id = ?", (consumer_id,))
        profile = self.profile(consumer_id)
        if profile is not None:
            self._packages.remove(consumer_id, profile.packages)
            self._db.execute("DELETE FROM profile WHERE consumer_id = ?", (consumer_id,))

    def page(self, where: ConsumerFilter, after: str | None, limit: int) -> Page[Consumer]:
        start = "" if after is None else cursors.decode(after, _CURSOR, str)[0]
        conditions, values = _conditions(where)
        sql = f"{_SELECT} WHERE {' AND '.join(['id > ?', *conditions])} ORDER BY id LIMIT ?"
        found = [_consumer(row) for row in self._db.rows(sql, (start, *values, limit + 1))]
        return cursors.page(found, limit, lambda last: cursors.encode(_CURSOR, last.id))

    def set_offline(self) -> int:
        return self._db.changed(SET_OFFLINE)

    def bound_to(self, window: str) -> list[str]:
        return [row[0] for row in self._db.rows(BOUND_TO, (window,))]

    def count(self, window: str | None) -> int:
        row = self._db.row(COUNT) if window is None else self._db.row(COUNT_BOUND, (window,))
        return 0 if row is None else int(row[0])

    def unlike(self, window: str | None) -> list[Consumer]:
        return [_consumer(row) for row in self._db.rows(UNLIKE, (window, window))]

    def raise_keep_plan(self, consumer_ids: Iterable[str] | None) -> None:
        if consumer_ids is None:
            self._db.execute(RAISE_EVERY_KEEP_PLAN, ())
        else:
            self._db.execute(RAISE_KEEP_PLAN, (_encode(list(consumer_ids)).decode("utf-8"),))

    def outrun(self, plan: int) -> None:
        self._db.execute(OUTRUN, (plan,))

    def to_replan(self, limit: int) -> list[str]:
        return [row[0] for row in self._db.rows(TO_REPLAN, (limit,))]

    def profile(self, consumer_id: str) -> StoredProfile | None:
        row = self._db.row(PROFILE, (consumer_id,))
        if row is None:
            return None
        return StoredProfile(consumer_id=row[0], hash=row[1], at=row[2], packages=row[3])

    def save_profile(self, profile: StoredProfile) -> None:
        stored = self.profile(profile.consumer_id)
        before = stored.packages if stored else NO_PACKAGES
        if stored is None or before != profile.packages:
            self._packages.replace(profile.consumer_id, before, profile.packages)
        self._db.execute(
            SAVE_PROFILE, (profile.consumer_id, profile.hash, profile.at, profile.packages)
        )

    def confirm_profile(self, consumer_id: str, hash_: str, at: int) -> bool:
        return self._db.changed(CONFIRM_PROFILE, (at, consumer_id, hash_)) == 1


def _conditions(where: ConsumerFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if where.online is not None:
        conditions.append("online = ?")
        values.append(int(where.online))
    if where.q:
        conditions.append("instr(search, ?) > 0")
        values.append(where.q.casefold())
    if where.window is not None:
        conditions.append('id IN (SELECT consumer_id FROM binding WHERE "window" = ?)')
        values.append(where.window)
    for key, value in where.notes.items():
        conditions.append(
            "EXISTS (SELECT 1 FROM json_each(notes) AS note WHERE note.key = ? AND note.value = ?)"
        )
        values += [key, value]
    return conditions, values


def _values(consumer: Consumer) -> tuple[Any, ...]:
    """All columns but the id, and what `q` looks in: SQLite itself folds the case of ASCII letters only."""
    return (
        consumer.uid,
        consumer.registered_at,
        _encode(consumer.fingerprints),
        consumer.csr_fingerprint,
        consumer.display_name,
        _encode(consumer.notes).decode("utf-8"),
        int(consumer.online),
        consumer.last_seen,
        consumer.clock_offset,
        None if consumer.agent is None else _encode(consumer.agent),
        _encode(consumer.flags),
        consumer.certificate,
        _encode(consumer.windows).decode("utf-8"),
        int(consumer.enforced),
        f"{consumer.id}\n{consumer.display_name}".casefold(),
    )


def _consumer(row: Row) -> Consumer:
    return Consumer(
        id=row[0],
        uid=row[1],
        registered_at=row[2],
        fingerprints=_strings(row[3]),
        csr_fingerprint=row[4],
        display_name=row[5],
        notes=_notes(row[6]),
        online=bool(row[7]),
        last_seen=row[8],
        clock_offset=row[9],
        agent=None if row[10] is None else _agent(row[10]),
        flags=_strings(row[11]),
        certificate=row[12],
        windows=_strings(row[13]),
        enforced=bool(row[14]),
        keep_plan=row[15],
        replanned=row[16],
    )
