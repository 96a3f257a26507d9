"""Backups of a server, made while it runs and restored elsewhere; the store checked and migrated from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pulp.common.clock import SystemClock
from pulp.server.db.sqlite import SqliteStore, migrations
from pulp.server.db.sqlite.errors import StoreTooNew
from pulp.server.domain.consumer import Consumer


def server(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pulp.server.main", *map(str, args)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    assert server("init", "--data", made, "--name", "localhost").returncode == 0
    return made


def test_a_backup_restores_a_server_as_it_was(data: Path, tmp_path: Path):
    file, other = tmp_path / "b.tar", tmp_path / "other"
    done = server("backup", file, "--data", data)
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    done = server("restore", file, "--data", other)
    assert done.returncode == 0, done.stderr
    for name in ("ca.pem", "ca.key", "server.key", "signing.key"):
        assert (other / name).read_bytes() == (data / name).read_bytes()
    assert (other / "ca.key").stat().st_mode & 0o777 == 0o600
    store = SqliteStore(other)
    assert [u.login for u in store.read(lambda uow: uow.users.list())] == ["admin"]
    store.close()


def test_what_a_restored_server_plans_counts_for_more_than_what_it_has_forgotten(
    data: Path, tmp_path: Path
):
    """Agents go by the newest plan numbers, and may have some from after the backup."""
    host = Consumer(
        id="web1",
        uid="u1",
        registered_at=1,
        fingerprints=[],
        csr_fingerprint="",
        certificate="",
        keep_plan=3,
        replanned=3,
    )
    store = SqliteStore(data)
    store.write(lambda uow: uow.consumers.add(host))
    store.close()
    file, other, before = tmp_path / "b.tar", tmp_path / "other", SystemClock().now()
    assert server("backup", file, "--data", data).returncode == 0
    assert server("restore", file, "--data", other).returncode == 0
    store = SqliteStore(other)
    restored = store.read(lambda uow: uow.consumers.get("web1"))
    store.close()
    assert restored is not None
    assert restored.keep_plan >= before


def test_a_backup_is_made_while_the_store_is_in_use_and_checked(data: Path, tmp_path: Path):
    store = SqliteStore(data)
    try:
        assert server("backup", tmp_path / "b.tar", "--data", data).returncode == 0
        done = server("check", "--data", data)
    finally:
        store.close()
    assert (done.returncode, done.stdout) == (0, "The store keeps every rule.\n")


@pytest.mark.parametrize("what", ["exists", "no-folder"])
def test_a_backup_never_goes_over_anything(data: Path, tmp_path: Path, what: str):
    file = tmp_path / "b.tar" if what == "exists" else tmp_path / "nowhere" / "b.tar"
    if what == "exists":
        file.write_text("precious")
    done = server("backup", file, "--data", data)
    assert done.returncode == 2 and str(file) in done.stderr
    assert what == "no-folder" or file.read_text() == "precious"


def test_restore_refuses_a_used_directory_and_a_file_that_is_no_backup(data: Path, tmp_path: Path):
    assert server("backup", tmp_path / "b.tar", "--data", data).returncode == 0
    done = server("restore", tmp_path / "b.tar", "--data", data)
    assert done.returncode == 2 and "not empty" in done.stderr
    (tmp_path / "junk").write_text("junk")
    done = server("restore", tmp_path / "junk", "--data", tmp_path / "new")
    assert done.returncode == 2 and "cannot restore" in done.stderr


def test_a_migration_copies_the_store_first(data: Path, monkeypatch: pytest.MonkeyPatch):
    added = "CREATE TABLE extra (x INTEGER) STRICT"
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, added))
    SqliteStore(data).close()
    copy = data / f"pulp.db.schema-{len(migrations.STEPS) - 1}"
    assert copy.is_file()
    monkeypatch.undo()
    with pytest.raises(StoreTooNew, match="schema"):
        SqliteStore(data)
    (data / "pulp.db").unlink()
    copy.rename(data / "pulp.db")
    SqliteStore(data).close()


def test_a_newer_store_is_refused_with_a_sentence(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, "SELECT 1"))
    SqliteStore(data).close()
    monkeypatch.undo()
    done = server("migrate", "--data", data)
    assert done.returncode == 2 and "install the release that wrote it" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("password", "args", "said"),
    [("short", [], "password: must have"), ("long-enough", ["--admin", "Bad Name"], "login: is")],
)
def test_init_makes_nothing_for_an_admin_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, args: list[str], said: str
):
    monkeypatch.setenv("PULP_ADMIN_PASSWORD", password)
    done = server("init", "--data", tmp_path / "data", "--name", "localhost", *args)
    assert done.returncode == 2 and said in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_server_whose_store_is_gone_does_not_start_with_an_empty_one(data: Path):
    (data / "pulp.db").unlink()
    done = server("run", "--data", data)
    assert done.returncode == 2 and "pulp.db is missing" in done.stderr


@pytest.mark.parametrize("name", ["ca.key", "signing.key", "server.pem"])
def test_a_damaged_key_or_certificate_is_named(data: Path, name: str):
    (data / name).write_text("garbage")
    done = server("run", "--data", data)
    assert done.returncode == 2 and name in done.stderr and "Traceback" not in done.stderr
