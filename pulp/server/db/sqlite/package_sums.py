"""Whether the rows of packages say what the stored profiles say. There may be millions of both, so sums are compared: of each
host, that of its packages' hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from pulp.server.db.sqlite.connection import Connection, Row
from pulp.server.db.sqlite.reported import triples

PACKAGES = "SELECT id, name, version, arch FROM package WHERE id > ? ORDER BY id LIMIT 500"
ON_HOSTS = (
    """SELECT consumer_id FROM installed CROSS JOIN host ON id = host_id WHERE package_id = ?"""
)
PROFILES = (
    "SELECT consumer_id, packages FROM profile WHERE consumer_id > ? ORDER BY consumer_id LIMIT 100"
)


def astray(db: Connection) -> list[str]:
    """The ids of consumers whose rows do not say what their profiles say, ascending."""
    kept = _kept(db)
    found = [
        consumer_id
        for consumer_id, packages in _all(db, PROFILES, "")
        if kept.pop(consumer_id, 0) != _sum(packages)
    ]
    return sorted([*found, *(consumer_id for consumer_id, left in kept.items() if left)])


def _kept(db: Connection) -> Counter[str]:
    sums: Counter[str] = Counter()
    for package_id, *package in _all(db, PACKAGES, 0):
        value = _hash(*package)
        for (consumer_id,) in db.rows(ON_HOSTS, (package_id,)):
            sums[consumer_id] += value
    return sums


def _sum(packages: bytes) -> int | None:
    """None for a profile that cannot be read."""
    try:
        return sum(_hash(*each) for each in triples(packages))
    except msgspec.MsgspecError:
        return None


def _hash(name: str, version: str, arch: str) -> int:
    """Positive, so that no two of them add up to nothing."""
    return hash((name, version, arch)) & 0xFFFFFFFFFFFFFFF | 1


def _all(db: Connection, sql: str, start: int | str) -> Iterator[Row]:
    """The rows of a query that goes on after the first column of the last."""
    while rows := db.rows(sql, (start,)):
        yield from rows
        start = rows[-1][0]
