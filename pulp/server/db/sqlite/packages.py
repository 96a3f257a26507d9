"""Which packages are on which hosts, in SQLite. The rows say what the stored profiles say, and change with them."""

# ruff: noqa: S608 - statements are put together from this module's own conditions; values are always bound

from __future__ import annotations

from typing import Any

import msgspec

from pulp.server.db.base import PackageFilter, Page
from pulp.server.db.sqlite import cursors, package_sums
from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.db.sqlite.reported import Triple, triples
from pulp.server.domain.package import Installation, Spread, VersionCount
from pulp.server.domain.task import Json

_GIVEN = """json_each(?) AS given CROSS JOIN package ON name = json_extract(given.value, '$[0]')
        AND version = json_extract(given.value, '$[1]') AND arch = json_extract(given.value, '$[2]')"""
"""The packages of a JSON list of triples. CROSS JOIN: SQLite is to look each up by its index, not the other way round."""

NEW_HOST = "INSERT INTO host (consumer_id) VALUES (?) ON CONFLICT DO NOTHING"
HOST = "SELECT id FROM host WHERE consumer_id = ?"
NAME = """INSERT INTO package (name, version, arch)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)
    WHERE true ON CONFLICT DO NOTHING"""
ADD = f"INSERT INTO installed SELECT package.id, ? FROM {_GIVEN} WHERE true ON CONFLICT DO NOTHING"
DROP = (
    f"DELETE FROM installed WHERE host_id = ? AND package_id IN (SELECT package.id FROM {_GIVEN})"
)
FORGET = f"""DELETE FROM package WHERE id IN (SELECT package.id FROM {_GIVEN})
    AND NOT EXISTS (SELECT 1 FROM installed WHERE package_id = package.id)"""

ON_HOSTS = """SELECT host.id, host.consumer_id FROM installed CROSS JOIN host ON host.id = host_id
    WHERE package_id = ? AND host_id > ? ORDER BY host_id LIMIT ?"""
VERSIONS = """SELECT version, arch, count(*) AS hosts FROM package CROSS JOIN installed ON package_id = id
    WHERE name = ? GROUP BY id ORDER BY hosts DESC, version, arch"""
HOSTS = """SELECT count(DISTINCT host_id) FROM package CROSS JOIN installed ON package_id = id WHERE name = ?"""
REPORTED = "SELECT count(*) FROM host"

_CURSOR = "packages"
_HIGHEST = "\U0010ffff"
"""Sorts after every text that begins like the one before it."""


class SqlitePackages:
    def __init__(self, db: Connection) -> None:
        self._db = db

    def page(self, where: PackageFilter, after: str | None, limit: int) -> Page[Installation]:
        start = None if after is None else cursors.decode(after, _CURSOR, str, str, str, int)
        found: list[tuple[Installation, int]] = []
        for package_id, *package in self._matching(where, start, limit + 1):
            beyond = start[3] if start and list(start[:3]) == package else 0
            left = limit + 1 - len(found)
            for host_id, consumer_id in self._db.rows(ON_HOSTS, (package_id, beyond, left)):
                found.append((_installation(consumer_id, package), host_id))
            if len(found) > limit:
                break
        page = cursors.page(found, limit, _cursor)
        return Page([installation for installation, _ in page.items], page.next)

    def _matching(self, where: PackageFilter, start: cursors.Key | None, limit: int) -> list[Row]:
        """Packages in order, each on one host at least."""
        conditions, values = _conditions(where)
        if start is not None:
            conditions.append("name >= ? AND (name, version, arch) >= (?, ?, ?)")
            values += [start[0], *start[:3]]
        sql = f"""SELECT id, name, version, arch FROM package WHERE {" AND ".join(conditions)}
            ORDER BY name, version, arch LIMIT ?"""
        return self._db.rows(sql, (*values, limit))

    def spread(self, name: str) -> Spread:
        return Spread(
            hosts=self._count(HOSTS, name),
            reported=self._count(REPORTED),
            versions=[
                VersionCount(version=version, arch=arch, hosts=hosts)
                for version, arch, hosts in self._db.rows(VERSIONS, (name,))
            ],
        )

    def astray(self) -> list[str]:
        return package_sums.astray(self._db)

    def _count(self, sql: str, *values: str) -> int:
        row = self._db.row(sql, values)
        return row[0] if row else 0

    # --- what the profiles say, for SqliteConsumers ---

    def replace(self, consumer_id: str, before: Json, after: Json) -> None:
        """Write only what differs between two profiles of the host."""
        old, new = triples(before), triples(after)
        self._db.execute(NEW_HOST, (consumer_id,))
        host_id = self._count(HOST, consumer_id)
        self._drop(host_id, old - new)
        added = _json(new - old)
        self._db.execute(NAME, (added,))
        self._db.execute(ADD, (host_id, added))

    def remove(self, consumer_id: str, profile: Json) -> None:
        """The host is unregistered; this was its last profile."""
        self._drop(self._count(HOST, consumer_id), triples(profile))
        self._db.execute("DELETE FROM host WHERE consumer_id = ?", (consumer_id,))

    def _drop(self, host_id: int, packages: set[Triple]) -> None:
        dropped = _json(packages)
        self._db.execute(DROP, (host_id, dropped))
        self._db.execute(FORGET, (dropped,))


def _conditions(where: PackageFilter) -> tuple[list[str], list[Any]]:
    conditions, values = ["name = ?"], [where.name]
    if where.prefix:
        conditions, values = ["name >= ? AND name < ?"], [where.name, where.name + _HIGHEST]
    for column, value in (("version", where.version), ("arch", where.arch)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    return conditions, values


def _json(packages: set[Triple]) -> str:
    """Sorted: neighbours in the index are written together."""
    return msgspec.json.encode(sorted(packages)).decode("utf-8")


def _installation(consumer_id: str, package: list[str]) -> Installation:
    name, version, arch = package
    return Installation(consumer_id=consumer_id, name=name, version=version, arch=arch)


def _cursor(last: tuple[Installation, int]) -> str:
    installation, host_id = last
    return cursor(installation.name, installation.version, installation.arch, host_id)


def cursor(name: str, version: str, arch: str, host_id: int) -> str:
    """What follows this package on this host."""
    return cursors.encode(_CURSOR, name, version, arch, host_id)
