"""What the embedded store's queries cost with 100,000 open tasks, counted in steps of SQLite's machine and not in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pulp.server.db.base import TaskFilter
from pulp.server.db.sqlite import SqliteStore, history, schedules, tasks
from pulp.server.db.sqlite.connection import Connection
from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import PARKED_OFFLINE, PARKED_VERSION, TaskRecord, TaskState

BACKLOG = 100_000
STEP = 100  # the machine's steps are counted in hundreds
CHEAP = 25_000  # steps: some 50 rows read by index, with room; walking the backlog takes a million


def backlog() -> Iterator[TaskRecord]:
    """Half the open tasks belong to one absent host, half to others; beside them a few of every rare sort."""
    for number in range(BACKLOG):
        yield task(number, consumer_id="busy" if number % 2 else f"web{number % 5_000}")
    rare = [
        {"state": TaskState.RUNNING, "phase": "download"},
        {"state": TaskState.SCHEDULED, "not_before": 5},
        {"state": TaskState.WAITING, "phase": "sent"},
        {"state": TaskState.WAITING, "parked": ""},
        {"state": TaskState.WAITING, "parked": PARKED_VERSION},
        {"state": TaskState.ERROR, "deadline": None},
        {"kind": "reboot", "job_id": "job"},
        {"state": TaskState.RUNNING, "answer": b"{}"},
    ]
    for number, given in enumerate(rare * 3, BACKLOG):
        yield task(number, **given)


def task(number: int, **given) -> TaskRecord:
    values = {
        "kind": "packages.install",
        "consumer_id": "busy",
        "deadline": 1_000 + number,
        "parked": PARKED_OFFLINE,
    }
    return TaskRecord(
        id=f"{number * 7919 % 1_000_003:036d}",
        version=1,
        args=b'{"packages":[{"name":"nginx"}]}',
        requested_by="ada",
        created_at=1,
        accept_by=2,
        expires=3,
        timeout=4,
        **values | given,
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backlog")
    with closing(SqliteStore(path, synchronous="normal")) as store:

        def fill(uow):
            for record in backlog():
                uow.tasks.add(record)
            for number in range(20_000):
                uow.history.add(event(number))

        store.write(fill)
    return path


def event(number: int) -> HistoryEvent:
    rare = number % 4_000 == 0
    return HistoryEvent(
        consumer_id="busy",
        type=HistoryType.REBOOTED if rare else HistoryType.PROFILE_CHANGED,
        at=number,
        originator="agent",
    )


class Counted:
    """Runs queries and counts the steps they take."""

    def __init__(self, path: Path) -> None:
        self.raw = sqlite3.connect(path / "pulp.db", isolation_level=None)
        self._unit = SqliteUnit(Connection(self.raw, writer=True), writing=True)
        self._hundreds = 0
        self.raw.set_progress_handler(self._count, STEP)

    def _count(self) -> int:
        self._hundreds += 1
        return 0

    def steps(self, job: Callable) -> int:
        """The steps of a job that finds something; what it changes is rolled back."""
        self._unit.begin()
        self._unit.forget()
        self._hundreds = 0
        self.raw.execute("BEGIN")
        try:
            found = job(self._unit)
        finally:
            self.raw.execute("ROLLBACK")
        assert found
        return self._hundreds * STEP


@pytest.fixture
def counted(directory: Path) -> Iterator[Counted]:
    counted = Counted(directory)
    with closing(counted.raw):
        yield counted


def page(**where) -> Callable:
    return lambda uow: uow.tasks.page(TaskFilter(**where), None, 50).items


@pytest.mark.parametrize(
    "job",
    [
        lambda uow: uow.tasks.claimable(50),
        lambda uow: uow.tasks.unsent("busy", 32),
        lambda uow: uow.tasks.unsent("web2", 32),
        lambda uow: uow.tasks.unaccepted("busy"),
        lambda uow: uow.tasks.open_of("web2"),
        lambda uow: uow.tasks.answered(0, 50),
        lambda uow: uow.tasks.release(PARKED_VERSION),
        lambda uow: uow.tasks.due(1_000, 50),
        lambda uow: uow.tasks.overdue(2_000, 50),
        lambda uow: uow.tasks.next_moment(),
        page(),
        page(states=frozenset({TaskState.WAITING})),
        page(states=frozenset({TaskState.RUNNING, TaskState.ERROR})),
        page(consumer_id="busy"),
        page(consumer_id="busy", states=frozenset({TaskState.RUNNING})),
        page(consumer_id="web2"),
        page(kind="reboot"),
        page(kind="reboot", states=frozenset({TaskState.WAITING})),
        page(job_id="job"),
        page(job_id="job", consumer_id="busy", kind="reboot"),
        lambda uow: uow.history.page("busy", limit=50).items,
        lambda uow: uow.history.page("busy", begin=10_000, end=10_100, limit=50).items,
        lambda uow: uow.history.knows("busy"),
    ],
)
def test_the_backlog_makes_no_query_dear(counted: Counted, job: Callable):
    assert counted.steps(job) < CHEAP


def test_the_count_would_see_a_walk_through_the_backlog(counted: Counted):
    def walk(_):
        return counted.raw.execute(
            "SELECT count(*) FROM task WHERE requested_by = 'ada'"
        ).fetchone()

    assert counted.steps(walk) > 10 * CHEAP


def test_the_last_page_costs_no_more_than_the_first(counted: Counted):
    last = f"{BACKLOG * 7919 % 1_000_003:036d}"
    where = TaskFilter(consumer_id="busy")
    seq = counted.raw.execute("SELECT seq FROM task WHERE id = ?", (last,)).fetchone()[0] - BACKLOG
    after = tasks.cursor(seq + 200)
    assert counted.steps(lambda uow: uow.tasks.page(where, after, 50).items) < CHEAP


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (tasks.CLAIMABLE, "task_claim"),
        (tasks.UNSENT, "task_unsent"),
        (tasks.UNACCEPTED, "task_unaccepted"),
        (tasks.ANSWERED, "task_answered"),
        (tasks.RELEASE, "task_parked"),
        (tasks.DUE, "task_due"),
        (tasks.OVERDUE, "task_deadline"),
        (tasks.FIRST_DUE, "task_due"),
        (tasks.FIRST_DEADLINE, "task_deadline"),
        (tasks.COUNT_OPEN, "task_state"),
        (history.KNOWS, "history_consumer"),
        (schedules.DUE, "schedule_due"),
        (schedules.FIRST_DUE, "schedule_due"),
    ],
)
def test_each_query_walks_its_index_and_sorts_nothing(counted: Counted, sql: str, index: str):
    values = [1] * sql.count("?")
    plan = [row[3] for row in counted.raw.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert len(plan) == 1
    assert f"INDEX {index}" in plan[0]


def test_the_partial_indexes_hold_only_their_own(counted: Counted):
    """A task that moves on leaves them, so they do not grow with what has ended."""
    claimable = "SELECT count(*) FROM task INDEXED BY task_claim WHERE state = 'waiting' AND phase = 'queued' AND parked = ''"
    assert counted.raw.execute(claimable).fetchone() == (3,)
