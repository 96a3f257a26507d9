"""Values to put into a store: plain ones, with what a test cares about given by keyword."""

from __future__ import annotations

import itertools
import threading
from typing import Any

from pulp.common.calendar import Calendar, OneOff
from pulp.common.ids import new_id
from pulp.common.windows import Window
from pulp.server.db.base import Store, TaskFilter
from pulp.server.domain.consumer import AgentInfo, Consumer
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import Call, TaskError, TaskOverride, TaskRecord, TaskState, WindowRule
from pulp.server.domain.user import RegistrationToken

_number = itertools.count(1)

PATIENCE = 20.0  # seconds after which a test gives up


def task(**given: Any) -> TaskRecord:
    values: dict[str, Any] = {
        "id": new_id(),
        "kind": "packages.install",
        "version": 1,
        "args": b'{"packages":[{"name":"nginx"}]}',
        "requested_by": "ada",
        "created_at": 1_000,
        "accept_by": 2_000,
        "expires": 3_000,
        "timeout": 4_000,
        "consumer_id": "web1",
        "deadline": 2_000,
    }
    return TaskRecord(**values | given)


def full_task() -> TaskRecord:
    """Every field has a value of its own, none its default."""
    return task(
        version=3,
        phase="download",
        state=TaskState.RUNNING,
        job_id="job-1",
        not_before=11,
        window=Window(begin=12, end=13),
        plan=2,
        parked="agent-busy",
        parked_at=14,
        call=Call(class_="Packages", method="install", version=1, args=b'{"dry_run":false}'),
        sent_at=15,
        accepted_at=16,
        starts=17,
        started_at=18,
        finished_at=19,
        progress=b'{"percent":50}',
        result=b'{"changes":[]}',
        error=TaskError(code="unknown-package", message="no package ngnix", details=b'["ngnix"]'),
        cancel_requested_at=20,
        cancel_requested_by="bob",
        cancel_refused=True,
        retry_of=new_id(),
        answer=b'{"type":"succeeded"}',
        rule=WindowRule(
            asked="nights",
            names=["nights"],
            calendar=Calendar(windows=(OneOff(name="nights", begin=12, end=13),), freezes=()),
            cutoff_at=12,
            missed="grace",
            grace=21,
            expected=22,
            predownload=True,
        ),
        override=TaskOverride(reason="CVE", by="ada", until=23),
    )


def event(**given: Any) -> HistoryEvent:
    values: dict[str, Any] = {
        "consumer_id": "web1",
        "type": HistoryType.PACKAGES_INSTALLED,
        "at": 1_000,
        "originator": "ada",
        "task_id": new_id(),
        "details": b'{"changes":[]}',
    }
    return HistoryEvent(**values | given)


def consumer(consumer_id: str = "web1", **given: Any) -> Consumer:
    values: dict[str, Any] = {
        "id": consumer_id,
        "uid": new_id(),
        "registered_at": 1_000,
        "fingerprints": ["aa"],
        "csr_fingerprint": "cc",
        "certificate": "-----BEGIN CERTIFICATE-----",
    }
    return Consumer(**values | given)


def agent_info() -> AgentInfo:
    return AgentInfo(
        version="0.1.0",
        protocols=[1],
        methods={"Packages.install": [1, 2]},
        features=["window"],
        boot_id="boot",
        timezone="Europe/Vienna",
        os={"id": "debian", "version": "12", "cores": 2},
        journal_id="journal",
        journal_seq=7,
    )


def token(**given: Any) -> RegistrationToken:
    n = next(_number)
    values: dict[str, Any] = {
        "id": f"token-{n}",
        "digest": f"digest-{n}",
        "created_by": "ada",
        "created_at": n,
        "expires_at": n + 1_000,
    }
    return RegistrationToken(**values | given)


def add_tasks(store: Store, *records: TaskRecord) -> list[TaskRecord]:
    """Stores them in one job; returns them as stored."""
    return store.write(lambda uow: [uow.tasks.add(record) for record in records])


def count(store: Store) -> int:
    return len(store.read(lambda uow: uow.tasks.page(TaskFilter(), None, 1_000)).items)


class Blocked:
    """A job that keeps the store busy until it is let go, so that the jobs behind it gather in one commit."""

    def __init__(self, store: Store) -> None:
        self._go = threading.Event()
        started = threading.Event()

        def job(_):
            started.set()
            assert self._go.wait(PATIENCE)

        self.future = store.submit(job)
        assert started.wait(PATIENCE)

    def release(self) -> None:
        self._go.set()
        self.future.result(PATIENCE)
