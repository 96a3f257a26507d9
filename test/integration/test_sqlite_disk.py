"""The embedded store when disks are full, its log, and its copy."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlite_samples import PATIENCE, filled, integrity, mounted, stored_ids, task, wait_for

from pulp.server.db.base import StoreUnavailable
from pulp.server.db.sqlite import SqliteStore, checkpoints
from pulp.server.db.sqlite.connection import open_reader, open_writer

# --- full disks

BIG = b'"' + b"x" * 100_000 + b'"'


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Writes of this process beyond `size` bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_commit_that_fails_leaves_nothing_and_the_store_goes_on(tmp_path: Path):
    with closing(SqliteStore(tmp_path)) as store:
        store.write(lambda uow: uow.tasks.add(task("before")))
        with files_limited_to((tmp_path / "pulp.db-wal").stat().st_size + 8_000):
            with pytest.raises(StoreUnavailable):
                store.write(lambda uow: uow.tasks.add(task("big", args=BIG)))
            assert stored_ids(store) == {"before"}
        store.write(lambda uow: uow.tasks.add(task("big")))
        assert stored_ids(store) == {"before", "big"}
    assert integrity(tmp_path) == "ok"


def test_all_jobs_of_a_commit_that_fails_are_told(tmp_path: Path):
    told: list[str] = []
    called: list[str] = []
    go, started = threading.Event(), threading.Event()

    def wait(_):
        started.set()
        assert go.wait(PATIENCE)

    def big(uow):
        uow.tasks.add(task("big", args=BIG))
        uow.after_commit(lambda: called.append("big"))

    def fails(uow):
        raise LookupError

    with closing(SqliteStore(tmp_path)) as store:
        store.subscribe(lambda changes: told.extend(change.id for change in changes))
        store.submit(wait)
        assert started.wait(PATIENCE)
        small = store.submit(lambda uow: uow.tasks.add(task("small")))
        failing = store.submit(fails)
        large = store.submit(big)
        with files_limited_to((tmp_path / "pulp.db-wal").stat().st_size + 20_000):
            go.set()
            for future in (small, failing, large):
                assert isinstance(future.exception(PATIENCE), StoreUnavailable)
        store.write(lambda uow: uow.tasks.add(task("after")))
        assert stored_ids(store) == {"after"}
    assert told == ["after"]
    assert called == []


def test_a_job_that_swallows_a_full_disk_cannot_write_on(tmp_path: Path):
    """SQLite gives the whole transaction up inside the job; what the job writes after that must not stand alone."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused: list[StoreUnavailable] = []

    def stubborn(uow):
        for number in range(
            3_000
        ):  # more than the writer's cache holds: the log is written before the commit
            try:
                uow.tasks.add(task(f"lost-{number}", args=BIG))
            except StoreUnavailable:
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)  # there is space again
        try:
            uow.tasks.add(task("half"))
        except StoreUnavailable as error:
            refused.append(error)

    with closing(SqliteStore(tmp_path)) as store:
        store.write(lambda uow: uow.tasks.add(task("before")))
        with files_limited_to((tmp_path / "pulp.db-wal").stat().st_size + 8_000):
            future = store.submit(stubborn)
            assert isinstance(future.exception(60), StoreUnavailable)
        assert refused
        store.write(lambda uow: uow.tasks.add(task("after")))
        assert stored_ids(store) == {"before", "after"}
    assert integrity(tmp_path) == "ok"


@pytest.mark.root
def test_a_full_disk_is_survived_and_used_again_when_there_is_space(tmp_path: Path):
    disk = tmp_path / "disk"
    with mounted(disk), closing(SqliteStore(disk)) as store:
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * 1_000_000)
        acknowledged = set()
        with pytest.raises(StoreUnavailable):
            for number in range(1_000):
                store.write(lambda uow, n=number: uow.tasks.add(task(str(n), args=BIG)))
                acknowledged.add(str(number))
        assert acknowledged
        assert stored_ids(store) == acknowledged
        ballast.unlink()
        store.write(lambda uow: uow.tasks.add(task("after", args=BIG)))
        assert stored_ids(store) == acknowledged | {"after"}


# --- the log


def test_a_long_read_delays_the_cutting_of_the_log_and_nothing_else(tmp_path: Path):
    log = tmp_path / "pulp.db-wal"
    reading, go = threading.Event(), threading.Event()

    def long_read(uow):
        uow.tasks.claimable(1)
        reading.set()
        assert go.wait(PATIENCE)

    with closing(SqliteStore(tmp_path)) as store:
        reader = threading.Thread(target=store.read, args=(long_read,))
        reader.start()
        assert reading.wait(PATIENCE)
        for number in range(20):
            store.write(lambda uow, n=number: uow.tasks.add(task(str(n), args=BIG)))
        assert log.stat().st_size > 20 * len(BIG)
        go.set()
        reader.join(PATIENCE)
        wait_for(lambda: log.stat().st_size == 0)
        assert len(stored_ids(store)) == 20


def test_a_log_that_grows_large_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoints, "PATIENCE", 10)
    filled(tmp_path)
    path, log = tmp_path / "pulp.db", tmp_path / "pulp.db-wal"
    with closing(open_writer(path, "normal")) as db, closing(open_reader(path)) as reader:
        watched = checkpoints.Checkpoints(db, log, large=1_000_000)

        def write_beside_a_read(*, ending: bool) -> int:
            reader.begin()
            reader.row("SELECT count(*) FROM task")
            db.begin()
            db.execute("INSERT INTO unreadable VALUES (NULL, 1, 'web1', 'r', ?)", (BIG,))
            db.commit()
            if ending:
                reader.rollback()
            watched.committed()
            reader.rollback()
            return log.stat().st_size

        sizes = [write_beside_a_read(ending=True) for _ in range(30)]
        assert max(sizes) < 1_200_000
        sizes = [write_beside_a_read(ending=False) for _ in range(30)]
        assert max(sizes) > 2_000_000  # and the writer has not waited for ever


# --- a copy


def test_a_backup_is_a_whole_store(tmp_path: Path):
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(SqliteStore(tmp_path)) as store:
        store.write(lambda uow: uow.tasks.add(task("1")))
        store.backup(copy / "pulp.db")
        store.write(lambda uow: uow.tasks.add(task("2")))
        with pytest.raises(StoreUnavailable, match="exists"):
            store.backup(copy / "pulp.db")
    assert (copy / "pulp.db").stat().st_mode & 0o777 == 0o600
    with closing(SqliteStore(copy)) as store:
        assert stored_ids(store) == {"1"}
