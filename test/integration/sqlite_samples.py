"""What the tests of the embedded store share."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pulp.server.db.base import Store, TaskFilter
from pulp.server.db.sqlite import SqliteStore
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskRecord

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


def event(task_id: str) -> HistoryEvent:
    return HistoryEvent(
        consumer_id="web1",
        type=HistoryType.PACKAGES_INSTALLED,
        at=1,
        originator="ada",
        task_id=task_id,
    )


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


def filled(directory: Path) -> Path:
    with closing(SqliteStore(directory)) as store:
        store.write(lambda uow: [uow.tasks.add(task(str(number))) for number in range(500)])
    return directory / "pulp.db"


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
