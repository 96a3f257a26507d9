"""What the embedded store's questions about packages cost, and how an older store gets its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pulp.server.db.base import PackageFilter
from pulp.server.db.sqlite import SqliteStore, packages
from pulp.server.db.sqlite.connection import Connection
from pulp.server.db.sqlite.migrations import APPLICATION_ID, STEPS
from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.domain.consumer import StoredProfile

BEFORE = 5
"""The last schema without these rows."""
HOSTS = 300
OTHERS = 4_000  # names that nobody asks for


def profile(consumer_id: str, *listed: object) -> StoredProfile:
    return StoredProfile(
        consumer_id=consumer_id, hash="h", at=1, packages=msgspec.json.encode(listed)
    )


def rows(store: SqliteStore) -> list[tuple[str, ...]]:
    where = PackageFilter(name="", prefix=True)
    page = store.read(lambda uow: uow.packages.page(where, None, 1_000))
    return [(i.consumer_id, i.name, i.version, i.arch) for i in page.items]


def older_store(folder: Path, *profiles: tuple[str, bytes]) -> None:
    with closing(sqlite3.connect(folder / "pulp.db")) as db:
        db.executescript("PRAGMA journal_mode=WAL;")
        for step in STEPS[:BEFORE]:
            db.executescript(step)
        db.executemany("INSERT INTO profile VALUES (?, 'h', 1, ?)", profiles)
        db.commit()
        db.executescript(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={BEFORE};")


ODD = b"""[{"name":"caf\\u00e9","version":"1","arch":"all","held":true},{"name":"caf\\u00e9","version":"1","arch":"all"},
    {"name":"noarch","version":"2"},{"name":"odd","version":"3","arch":["x"]},{"name":"none","version":null},
    {"name":{"a":1},"version":"1"},{"version":"1"},{}]"""


def test_an_older_store_gets_the_rows_of_its_profiles(tmp_path: Path) -> None:
    older_store(
        tmp_path,
        ("web2", ODD),
        ("web1", b'[{"name":"noarch","version":"2","arch":""},{"name":"bash","version":"5"}]'),
        ("web3", b"[]"),
    )
    with closing(SqliteStore(tmp_path)) as store:
        migrated = rows(store)
        assert migrated == [
            ("web1", "bash", "5", ""),
            ("web2", "café", "1", "all"),
            ("web1", "noarch", "2", ""),
            ("web2", "noarch", "2", ""),
            ("web2", "odd", "3", ""),
        ]
        assert store.read(lambda uow: uow.packages.spread("bash")).reported == 3


def test_rows_that_came_by_the_upgrade_go_with_the_next_profile(tmp_path: Path) -> None:
    older_store(tmp_path, ("web1", ODD), ("web2", ODD))
    with closing(SqliteStore(tmp_path)) as store:
        left = profile("web1", {"name": "odd", "version": "3"})
        store.write(lambda uow: uow.consumers.save_profile(left))
        store.write(lambda uow: uow.consumers.remove("web2"))
        assert rows(store) == [("web1", "odd", "3", "")]
        store.write(lambda uow: uow.consumers.remove("web1"))
    with closing(sqlite3.connect(tmp_path / "pulp.db")) as db:
        for table in ("package", "installed", "host"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


# --- cost ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every host has the package that is asked for, and the first one much more."""
    made: Path = tmp_path_factory.mktemp("packages")
    wanted = {"name": "openssl", "version": "3", "arch": "amd64"}
    others = [{"name": f"other{n}", "version": "1"} for n in range(OTHERS)]
    with closing(SqliteStore(made, synchronous="normal")) as store:

        def fill(uow):
            uow.consumers.save_profile(profile("large", wanted, *others))
            for number in range(HOSTS):
                uow.consumers.save_profile(profile(f"web{number}", wanted, *others[:50]))

        store.write(fill)
    return made


class Counted:
    """The store's own unit of work over a connection that counts the rows it writes and the steps its machine takes."""

    def __init__(self, folder: Path) -> None:
        self.raw = sqlite3.connect(folder / "pulp.db", isolation_level=None)
        self._unit = SqliteUnit(Connection(self.raw, writer=True), writing=True)
        self._steps = 0
        self.raw.set_progress_handler(self._count, 100)

    def _count(self) -> int:
        self._steps += 100
        return 0

    def of(self, job: Callable) -> tuple[int, int]:
        """Steps, and rows written; the job is rolled back."""
        self._steps, before = 0, self.raw.total_changes
        self.raw.execute("BEGIN")
        try:
            job(self._unit)
        finally:
            self.raw.execute("ROLLBACK")
        return self._steps, self.raw.total_changes - before


@pytest.fixture
def counted(folder: Path) -> Iterator[Counted]:
    made = Counted(folder)
    with closing(made.raw):
        yield made


def test_a_profile_with_few_changes_writes_few_rows(counted: Counted) -> None:
    def job(uow):
        stored = uow.consumers.profile("large")
        listed = msgspec.json.decode(stored.packages)
        changed = [each | {"version": "2"} for each in listed[:5]] + listed[5:]
        uow.consumers.save_profile(profile("large", *changed))

    _, written = counted.of(job)
    # 5 rows out, 5 in; 5 versions that are new, 1 that nobody has any more; the profile itself
    assert 10 <= written <= 20


def test_the_same_profile_again_touches_no_package(counted: Counted) -> None:
    def job(uow):
        uow.consumers.save_profile(uow.consumers.profile("large"))

    assert counted.of(job)[1] == 1


def test_a_page_of_hosts_costs_what_it_shows(counted: Counted) -> None:
    first = counted.raw.execute("SELECT min(host_id) FROM installed").fetchone()[0]
    for where in (PackageFilter(name="openssl"), PackageFilter(name="opens", prefix=True)):
        page = lambda uow, where=where: uow.packages.page(where, None, 20)  # noqa: E731
        assert counted.of(page)[0] < 1_500, where
    cursor = packages.cursor("openssl", "3", "amd64", first + HOSTS - 20)
    last = lambda uow: uow.packages.page(PackageFilter(name="openssl"), cursor, 20)  # noqa: E731
    assert counted.of(last)[0] < 1_500


def test_a_prefix_of_many_names_reads_no_more_of_them_than_it_shows(counted: Counted) -> None:
    where = PackageFilter(name="other", prefix=True)
    assert counted.of(lambda uow: uow.packages.page(where, None, 20))[0] < 2_500


@pytest.mark.parametrize(
    "sql", [packages.ON_HOSTS, packages.VERSIONS, packages.HOSTS, packages.ADD, packages.DROP]
)
def test_no_statement_walks_a_table(counted: Counted, sql: str) -> None:
    values = ["[]"] * sql.count("?")
    plan = [row[3] for row in counted.raw.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    walks = [step for step in plan if step.startswith("SCAN") and "given" not in step]
    assert walks == []
