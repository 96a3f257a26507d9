"""Which hosts have a package, over a large fleet: `python bench/packages.py [--hosts 10000] [--packages 500] [--distinct 3000]`.

The store alone, on disk and synchronous=FULL. Every host reports a first profile; then some report one of which a few packages
are at another version; then what users ask is asked. Last, the tables are dropped and filled again as the step to schema 6 does.

Last figures (10,000 hosts with 500 packages each out of 3,000; two shared vCPUs of an AMD EPYC at load 3, Python 3.11.7, SQLite
3.40.1):
  first profiles                     9.0 ms each, CPU 5.2     one of 2,000 packages              40 ms
  profiles with 5 changes            1.4 ms each, CPU 1.2     one of 2,000 packages              10 ms
  the same profiles again            0.4 ms each, CPU 0.4
  100 hosts of one package           0.1 ms                   1,000 more of them                1.0 ms
  100 hosts of a prefix              0.2 ms                   hosts by version (1,600 hosts)    2.7 ms
  on disk                            471 MB, of which 61 MB are the 5,000,000 rows of this and 410 MB the profiles themselves
  step to schema 6                   56 s, CPU 38
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pulp.server.db.base import PackageFilter
from pulp.server.db.sqlite import SqliteStore
from pulp.server.db.sqlite.migrations import m0006_package
from pulp.server.domain.consumer import StoredProfile

VERSIONS = 3
"""Of each name."""
LARGE = 2_000
"""Packages of one large host."""
CHANGES = 5
UNDER_WAY = 200
"""Profiles handed to the store and not waited for: what one batch of messages holds, more or less."""


class Fleet:
    def __init__(self, packages: int, distinct: int) -> None:
        self._random = random.Random(1)
        self._packages = packages
        self._names = [f"libpackage-{number}-common" for number in range(distinct // VERSIONS)]

    def versions(self) -> dict[str, int]:
        """What a host has: name → which version."""
        names = self._random.sample(self._names, self._packages)
        return {name: self._random.randrange(VERSIONS) for name in names}

    def changed(self, versions: dict[str, int]) -> dict[str, int]:
        names = self._random.sample(sorted(versions), min(CHANGES, len(versions)))
        return versions | {name: (versions[name] + 1) % VERSIONS for name in names}


def profile(consumer_id: str, versions: dict[str, int]) -> StoredProfile:
    listed = [
        {"name": name, "version": f"1:2.{version}.7-3+deb12u{version}", "arch": "amd64"}
        for name, version in sorted(versions.items())
    ]
    packages = msgspec.json.encode(listed)
    hash_ = str(hash(packages))
    return StoredProfile(consumer_id=consumer_id, hash=hash_, at=1, packages=packages)


def host(number: int) -> str:
    return f"web-{number:05}.example.com"


@contextmanager
def measured(what: str, times: int = 1) -> Iterator[None]:
    cpu, began = time.process_time(), time.monotonic()
    yield
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    each = (
        f", each {1000 * wall / times:.2f} ms, CPU {1000 * cpu / times:.2f} ms" if times > 1 else ""
    )
    print(f"  {what:52} {wall:7.2f} s, CPU {cpu:6.2f} s{each}")


def save(store: SqliteStore, profiles: Iterator[StoredProfile]) -> None:
    waiting: list[Future[None]] = []
    for each in profiles:
        waiting.append(store.submit(lambda uow, each=each: uow.consumers.save_profile(each)))
        if len(waiting) == UNDER_WAY:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


def ask(store: SqliteStore, what: str, job: Callable[[Any], object], times: int = 50) -> None:
    with measured(what, times):
        for _ in range(times):
            store.read(job)


def size(folder: Path) -> str:
    return f"{(folder / 'pulp.db').stat().st_size / 1e6:.0f} MB"


def run(folder: Path, hosts: int, fleet: Fleet) -> None:
    with closing(SqliteStore(folder)) as store:
        known = [fleet.versions() for _ in range(hosts)]
        with measured("first profiles", hosts):
            save(store, (profile(host(n), versions) for n, versions in enumerate(known)))
        some = hosts // 10
        with measured(f"profiles with {CHANGES} changes", some):
            save(store, (profile(host(n), fleet.changed(known[n])) for n in range(some)))
        with measured("the same profiles again", some):
            save(store, (profile(host(n), known[n]) for n in range(some, 2 * some)))
        one_large_host(store)
        questions(store)
    print(f"  on disk: {size(folder)}")


def one_large_host(store: SqliteStore) -> None:
    fleet = Fleet(LARGE, LARGE * VERSIONS)
    versions = fleet.versions()
    with measured(f"one host's first profile, of {LARGE}"):
        save(store, iter([profile("large", versions)]))
    with measured(f"its profile with {CHANGES} changes"):
        save(store, iter([profile("large", fleet.changed(versions))]))


def questions(store: SqliteStore) -> None:
    name = "libpackage-7-common"
    one, many = PackageFilter(name=name), PackageFilter(name="libpackage-7", prefix=True)
    first = store.read(lambda uow: uow.packages.page(one, None, 1_000))
    ask(store, "100 hosts of one package", lambda uow: uow.packages.page(one, None, 100))
    ask(store, "1000 more of them", lambda uow: uow.packages.page(one, first.next, 1_000))
    ask(store, "100 hosts of a prefix", lambda uow: uow.packages.page(many, None, 100))
    ask(store, "hosts by version", lambda uow: uow.packages.spread(name))


def fill(folder: Path) -> None:
    """Without the tables, and with them filled from the profiles as an upgrade does."""
    with closing(sqlite3.connect(folder / "pulp.db", isolation_level=None)) as db:
        for table in ("package", "host", "installed"):
            db.execute(f"DROP TABLE {table}")
        db.execute("VACUUM")
        print(f"  on disk without the packages' rows: {size(folder)}")
        db.execute("PRAGMA temp_store=MEMORY")
        with measured("filled from the profiles by the step to schema 6"):
            db.executescript(f"BEGIN; {m0006_package.SQL}; COMMIT;")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"  peak of this process's memory: {peak / 1024:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--packages", type=int, default=500)
    parser.add_argument("--distinct", type=int, default=3_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pulp-packages-"))
    try:
        run(folder, given.hosts, Fleet(given.packages, given.distinct))
        fill(folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
