"""The embedded store when things go wrong: killed processes, damaged files, other processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_samples import filled, integrity, mounted, stored_ids, task

from pulp.server.db.base import StoreUnavailable
from pulp.server.db.sqlite import SqliteStore, StoreDamaged, StoreLocked, StoreTooNew

# --- killed

COMMITTER = """
import os, sys, threading
from pathlib import Path
from pulp.server.db.sqlite import SqliteStore
sys.path.insert(0, sys.argv[2])
from sqlite_samples import event, task
from pulp.server.domain.task import TaskState
store = SqliteStore(Path(sys.argv[1]))

def commit(thread):
    number = 0
    while True:
        task_id = f"{os.getpid()}-{thread}-{number}"
        number += 1
        def job(uow):
            record = uow.tasks.add(task(task_id))
            uow.tasks.save(record.replace(state=TaskState.FINISHED, phase="done"))
            uow.history.add(event(task_id))
        store.write(job)
        os.write(1, f"{task_id}\\n".encode())

for thread in range(4):
    threading.Thread(target=commit, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


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
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size * 2 // 3)  # behind the schema
        file.write(b"\xff" * (size // 3))
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


@pytest.mark.root
def test_a_read_only_directory_is_named(tmp_path: Path):
    disk = tmp_path / "disk"
    with mounted(disk, "ro"), pytest.raises(StoreUnavailable, match=f"{disk} cannot be written"):
        SqliteStore(disk)
