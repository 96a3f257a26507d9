"""The embedded store when things go wrong: killed processes, full disks, damaged files, other processes."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pulp.server.db.base import Store, StoreUnavailable, TaskFilter
from pulp.server.db.sqlite import SqliteStore, StoreDamaged, StoreLocked, StoreTooNew, checkpoints
from pulp.server.db.sqlite.connection import open_reader, open_writer
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskRecord, TaskState

PATIENCE = 20.0  # seconds after which a test gives up


def task(task_id: str, **given) -> TaskRecord:
    values = {
        "kind": "packages.install",
        "version": 1,
        "args": b"{}",
        "requested_by": "ada",
        "created_at": 1,
        "accept_by": 2,
        "expires": 3,
        "timeout": 4,
        "consumer_id": "web1",
    }
    return TaskRecord(id=task_id, **values | given)


def stored_ids(store: Store) -> set[str]:
    found: set[str] = set()
    after = None
    while True:
        page = store.read(lambda uow, after=after: uow.tasks.page(TaskFilter(), after, 1_000))
        found.update(record.id for record in page.items)
        if page.next is None:
            return found
        after = page.next


def integrity(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "pulp.db")) as db:
        return db.execute("PRAGMA integrity_check").fetchone()[0]


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; fails the test after PATIENCE."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited too long"
        threading.Event().wait(0.01)


# --- killed

COMMITTER = """
import os, sys, threading
from pathlib import Path
from pulp.server.db.sqlite import SqliteStore
sys.path.insert(0, sys.argv[2])
from test_sqlite_faults import task, ended
store = SqliteStore(Path(sys.argv[1]))

def commit(thread):
    number = 0
    while True:
        task_id = f"{os.getpid()}-{thread}-{number}"
        number += 1
        def job(uow):
            record = uow.tasks.add(task(task_id))
            uow.tasks.save(record.replace(state=ended(), phase="done"))
            uow.history.add(event(task_id))
        store.write(job)
        os.write(1, f"{task_id}\\n".encode())

from test_sqlite_faults import event
for thread in range(4):
    threading.Thread(target=commit, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


def ended() -> TaskState:
    return TaskState.FINISHED


def event(task_id: str) -> HistoryEvent:
    return HistoryEvent(
        consumer_id="web1",
        type=HistoryType.PACKAGES_INSTALLED,
        at=1,
        originator="ada",
        task_id=task_id,
    )


def start_committer(directory: Path) -> subprocess.Popen[bytes]:
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", COMMITTER, str(directory), here], stdout=subprocess.PIPE
    )


def killed_after(process: subprocess.Popen[bytes], lines: int) -> list[str]:
    """Let it acknowledge that many jobs, kill it in the middle of the next ones; all ids it acknowledged."""
    assert process.stdout
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return [line.decode().strip() for line in acknowledged if line.endswith(b"\n")]


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path):
    acknowledged: set[str] = set()
    for lines in (1, 50, 200, 500):
        acknowledged.update(killed_after(start_committer(tmp_path), lines))
        with closing(SqliteStore(tmp_path)) as store:
            stored = stored_ids(store)
            assert acknowledged <= stored
            open_tasks = store.read(lambda uow: uow.tasks.count_open())
            assert open_tasks == {}, "a task was stored without the rest of its job"
            without_event = [
                task_id
                for task_id in stored
                if not store.read(lambda uow, id_=task_id: uow.history.of_task(id_))
            ]
            assert without_event == []
    assert len(acknowledged) >= 751
    assert integrity(tmp_path) == "ok"


# --- two at once


def test_a_second_process_is_refused_and_told_who_is_there(tmp_path: Path):
    process = start_committer(tmp_path)
    assert process.stdout
    process.stdout.readline()
    try:
        with pytest.raises(StoreLocked, match=rf"{tmp_path}.* process {process.pid}\b"):
            SqliteStore(tmp_path)
    finally:
        killed_after(process, 0)
    with closing(SqliteStore(tmp_path)) as store:
        assert stored_ids(store)


def test_the_same_process_is_refused_as_well(tmp_path: Path):
    locked = pytest.raises(StoreLocked, match=f"process {os.getpid()}")
    with closing(SqliteStore(tmp_path)), locked:
        SqliteStore(tmp_path)
    SqliteStore(tmp_path).close()


# --- directories and files that are not what they should be


def test_a_missing_directory_is_named(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/none does not exist"):
        SqliteStore(tmp_path / "none")


def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/file is a file"):
        SqliteStore(tmp_path / "file")


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path):
    (tmp_path / "pulp.db").mkdir()
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/pulp.db"):
        SqliteStore(tmp_path)
    (tmp_path / "pulp.db").rmdir()
    SqliteStore(tmp_path).close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path):
    SqliteStore(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "pulp.db")) as db:
        db.execute("PRAGMA user_version=999")
    with pytest.raises(StoreTooNew, match=r"pulp\.db: the database has schema 999"):
        SqliteStore(tmp_path)
    with closing(sqlite3.connect(tmp_path / "pulp.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (999,)


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "pulp.db")) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / "pulp.db").read_bytes()
    with pytest.raises(StoreDamaged, match="not one of Pulp's"):
        SqliteStore(tmp_path)
    assert (tmp_path / "pulp.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database\n" * 500, b"x" * 600])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    (tmp_path / "pulp.db").write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"pulp\.db: the database is damaged"):
        SqliteStore(tmp_path)
    assert (tmp_path / "pulp.db").read_bytes() == content


def filled(directory: Path) -> Path:
    with closing(SqliteStore(directory)) as store:
        store.write(lambda uow: [uow.tasks.add(task(str(number))) for number in range(500)])
    return directory / "pulp.db"


@pytest.mark.parametrize("size", [0, 1, 511])
def test_an_empty_file_is_no_new_store(tmp_path: Path, size: int):
    os.truncate(filled(tmp_path), size)
    with pytest.raises(StoreDamaged, match=r"pulp\.db is empty or cut off"):
        SqliteStore(tmp_path)
    assert (tmp_path / "pulp.db").stat().st_size == size


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, part: float):
    path = filled(tmp_path)
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(StoreDamaged, match=r"pulp\.db: the database is (damaged|cut off)"):
        SqliteStore(tmp_path)


def test_a_damaged_page_is_reported_by_reads_and_writes(tmp_path: Path):
    path = filled(tmp_path)
    half = path.stat().st_size // 2  # the schema is in the first
    with path.open("r+b") as file:
        file.seek(half)
        file.write(b"\xff" * half)
    with closing(SqliteStore(tmp_path)) as store:
        with pytest.raises(StoreDamaged):
            stored_ids(store)
        with pytest.raises(StoreDamaged):
            store.write(lambda uow: [uow.tasks.get(str(number)) for number in range(500)])


def test_the_file_is_for_its_owner_only(tmp_path: Path):
    with closing(SqliteStore(tmp_path)) as store:
        store.write(lambda uow: uow.tasks.add(task("1")))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.keys() == {"pulp.db", "pulp.db-wal", "pulp.db-shm", "pulp.lock"}
    assert set(modes.values()) == {0o600}


@contextmanager
def mounted(directory: Path, *options: str) -> Iterator[None]:
    """A small file system of its own; skips the test where none can be mounted."""
    directory.mkdir(exist_ok=True)
    command = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        ",".join(("size=2m", *options)),
        "pulp",
        str(directory),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NOT TESTED: cannot mount a tmpfs here ({error})")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.root
def test_a_read_only_directory_is_named(tmp_path: Path):
    disk = tmp_path / "disk"
    with mounted(disk, "ro"), pytest.raises(StoreUnavailable, match=f"{disk} cannot be written"):
        SqliteStore(disk)


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
            db.execute("INSERT INTO unreadable VALUES (NULL, 1, 'web1', 'r', ?)", (BIG,))
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
