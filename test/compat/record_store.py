"""Records a store as this release leaves it when its process dies: something in every table, a task in every state."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from argon2 import PasswordHasher
from record_messages import ARGS, CALL, HOUR, NOON, RESULT, hello
from recordings import meaning

from pulp.common.windows import Window
from pulp.rmi.messages import Succeeded
from pulp.server.db.base import TaskFilter, UnitOfWork
from pulp.server.db.sqlite import SqliteStore
from pulp.server.domain.consumer import AgentInfo, Consumer, StoredProfile
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import Call, TaskError, TaskRecord, TaskState
from pulp.server.domain.user import IdempotencyRecord, RegistrationToken, Role, Session, User

DAY = 24 * HOUR
PASSWORD = "correct horse"
WINDOW = Window(NOON + HOUR, NOON + 3 * HOUR)
S = TaskState

INSTALL = msgspec.json.encode(ARGS["Packages.install"])
STORED = msgspec.json.encode(RESULT)
SENT = Call(class_="Packages", method="install", version=1, args=INSTALL)


def call_id(name: str) -> str:
    """An id that tells which task it is: `running` → 72756e6e-…"""
    digits = name.encode().hex().ljust(32, "0")[:32]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def task(name: str, state: TaskState, **changes: Any) -> TaskRecord:
    values: dict[str, Any] = {
        "id": call_id(name),
        "kind": "packages.install",
        "version": 1,
        "args": INSTALL,
        "requested_by": "olga",
        "created_at": NOON,
        "accept_by": NOON + 7 * DAY,
        "expires": NOON + 8 * DAY,
        "timeout": 2 * HOUR,
        "consumer_id": "web1",
        "state": state,
        "phase": "",
        "deadline": None if state.final else NOON + 7 * DAY,
    }
    return TaskRecord(**(values | changes))


def over(name: str, state: TaskState, code: str = "", **changes: Any) -> TaskRecord:
    error = TaskError(code=code, message=f"It is {state.value}.") if code else None
    ended = {"error": error, "finished_at": NOON + 5, "started_at": NOON + 1, "call": SENT}
    return task(name, state, **(ended | changes))


def tasks() -> list[TaskRecord]:
    accepted = {"call": SENT, "sent_at": NOON, "accepted_at": NOON + 1, "deadline": NOON + 9 * DAY}
    answer = Succeeded(
        id=call_id("answered"), value=msgspec.Raw(STORED), started=NOON + 1, finished=NOON + 5
    )
    progress = {"seq": 3, "phase": "download", "percent": 42.5, "message": "nginx"}
    return [
        over("finished", S.FINISHED, result=STORED),
        over("error", S.ERROR, "script"),
        over("timed out", S.TIMED_OUT, "timeout"),
        over(
            "canceled", S.CANCELED, "canceled", cancel_requested_at=NOON, cancel_requested_by="olga"
        ),
        over("missed", S.MISSED, "window-missed", window=WINDOW),
        over("retried", S.ERROR, "fetch", retry_of=call_id("error"), job_id="job-1"),
        task("scheduled", S.SCHEDULED, not_before=NOON + HOUR),
        task("queued", S.WAITING, phase="queued"),
        task(
            "parked",
            S.WAITING,
            phase="queued",
            consumer_id="web2",
            parked="agent-offline",
            parked_at=NOON,
        ),
        task("sent", S.WAITING, phase="sent", call=SENT, sent_at=NOON, plan=2),
        task(
            "canceling",
            S.WAITING,
            phase="sent",
            call=SENT,
            sent_at=NOON,
            cancel_requested_at=NOON + 3,
            cancel_requested_by="olga",
        ),
        task("held", S.HELD, window=WINDOW, starts=WINDOW.begin, **accepted),
        task(
            "running",
            S.RUNNING,
            phase="download",
            started_at=NOON + 2,
            progress=msgspec.json.encode(progress),
            cancel_requested_at=NOON + 3,
            cancel_requested_by="olga",
            cancel_refused=True,
            **accepted,
        ),
        task(
            "unknown",
            S.WAITING,
            phase="queued",
            kind="packages.purge",
            version=3,
            parked="unsupported-version",
            parked_at=NOON,
        ),
        task(
            "answered",
            S.RUNNING,
            phase="answered",
            parked="unsupported-version",
            parked_at=NOON + 6,
            answer=msgspec.json.encode(answer),
            **accepted,
        ),
    ]


ENDS = {
    "finished": HistoryType.PACKAGES_INSTALLED,
    "error": HistoryType.ACTION_FAILED,
    "timed out": HistoryType.ACTION_FAILED,
    "canceled": HistoryType.ACTION_CANCELED,
    "missed": HistoryType.WINDOW_MISSED,
    "retried": HistoryType.ACTION_FAILED,
}


def events() -> list[HistoryEvent]:
    plain = set(HistoryType) - set(ENDS.values())
    found = [
        HistoryEvent(consumer_id="web1", type=t, at=NOON, originator="agent", details=b'{"n":1}')
        for t in sorted(plain, key=lambda t: t.value)
    ]
    for name, type_ in ENDS.items():
        found.append(
            HistoryEvent(
                consumer_id="web1",
                type=type_,
                at=NOON + 5,
                originator="olga",
                task_id=call_id(name),
                details=b'{"n":2}',
            )
        )
    return found


def consumers() -> list[Consumer]:
    said = hello([])
    agent = AgentInfo(
        version=said.agent,
        protocols=said.protocols,
        methods=said.methods,
        features=said.features,
        boot_id=said.boot_id,
        timezone=said.timezone,
        os=said.os,
        journal_id=said.journal_id,
        journal_seq=said.journal_seq,
    )
    known = Consumer(
        id="web1",
        uid="uid-web1",
        registered_at=NOON - DAY,
        fingerprints=["f1", "f0"],
        csr_fingerprint="c1",
        certificate="PEM",
        display_name="Web one",
        notes={"rack": "7"},
        online=True,
        last_seen=NOON,
        clock_offset=-1500,
        agent=agent,
        flags=["duplicate-identity"],
    )
    new = Consumer(
        id="web2",
        uid="uid-web2",
        registered_at=NOON,
        fingerprints=["f2"],
        csr_fingerprint="c2",
        certificate="PEM",
    )
    return [known, new]


def users() -> list[User]:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return [
        User(login=login, role=role, password_hash=hasher.hash(PASSWORD), created_at=NOON)
        for login, role in (("admin", Role.ADMIN), ("olga", Role.OPERATOR), ("vera", Role.VIEWER))
    ]


def people(uow: UnitOfWork) -> None:
    for user in users():
        uow.users.add(user)
    uow.users.add_session(
        Session(digest="d" * 64, login="olga", created_at=NOON, expires_at=NOON + DAY)
    )
    uow.tokens.add(
        RegistrationToken(
            id="token-1",
            digest="e" * 64,
            created_by="admin",
            created_at=NOON,
            expires_at=NOON + DAY,
            uses_left=1,
            consumer_id="web1",
        )
    )
    uow.idempotency.add(
        IdempotencyRecord(login="olga", key="k1", request="digest", resource=CALL, created_at=NOON)
    )


def fill(uow: UnitOfWork) -> None:
    for consumer in consumers():
        uow.consumers.add(consumer)
    uow.consumers.save_profile(
        StoredProfile(
            consumer_id="web1",
            hash="sha256:1",
            at=NOON,
            packages=b'[{"name":"nginx","version":"1.22"}]',
        )
    )
    for record_ in tasks():
        uow.tasks.add(record_)
    for event in events():
        uow.history.add(event)
    people(uow)
    uow.unreadable.add(at=NOON, consumer_id="web1", reason="no JSON", body=b"\xff")


def known(uow: UnitOfWork) -> dict[str, Any]:
    """Everything that the repositories give."""
    profile, session = uow.consumers.profile("web1"), uow.users.session("d" * 64)
    return {
        "tasks": meaning(uow.tasks.page(TaskFilter(), None, 1000).items),
        "consumers": meaning([uow.consumers.get("web1"), uow.consumers.get("web2")]),
        "profile": meaning(profile),
        "history": meaning(uow.history.page("web1", limit=1000).items),
        "users": meaning(uow.users.list()),
        "session": meaning(session),
        "tokens": meaning(uow.tokens.page(None, 1000).items),
        "idempotency": meaning(uow.idempotency.get("olga", "k1")),
        "unreadable": uow.unreadable.count(),
    }


def record(release: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        with closing(SqliteStore(Path(work))) as store:
            store.write(fill)
            index = store.read(known)
        target = release / "store" / "pulp.db"
        target.parent.mkdir()
        shutil.copy(Path(work) / "pulp.db", target)
    with closing(sqlite3.connect(target)) as db:
        db.execute(
            "PRAGMA journal_mode=DELETE"
        )  # one file; the release sets WAL again when it opens it
        db.execute("VACUUM")
    text = json.dumps(index, indent=1, ensure_ascii=False)
    (release / "store.json").write_text(text + "\n")
