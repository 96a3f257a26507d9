"""Records an agent's data directory as this release leaves it when its process dies: a journal with every record, and the
folders of jobs in every stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw
from pulp_agent.calls import CallTable
from pulp_agent.events import Failure, StartJob, Success
from pulp_agent.home import Home, Registration
from pulp_agent.journal import open_journal
from pulp_agent.records import (
    AnyRecord,
    Began,
    Confirmed,
    Ended,
    Opening,
    ProfileKnown,
    Replanned,
    Took,
)
from pulp_agent.spool import Spool
from record_messages import HOUR, NOON, RESULT, WINDOW, request, succeeded
from record_store import call_id
from recordings import meaning

from pulp.rmi.messages import Canceled, Failed, WireWindow

LATER = WireWindow(begin=NOON + 5 * HOUR, end=NOON + 6 * HOUR)


def took(name: str, **changes: Any) -> Took:
    return Took(request=request("Packages.install", id=call_id(name), **changes), at=NOON)


def records() -> list[AnyRecord]:
    done, forgotten = call_id("done"), call_id("confirmed")
    missed = Failed(id=call_id("missed"), code="window-missed", message="It closed.")
    return [
        ProfileKnown(hash="sha256:1"),
        took("confirmed"),
        Began(id=forgotten, at=NOON + 1),
        Ended(final=succeeded("Packages.install", id=forgotten), at=NOON + 5),
        Confirmed(ids=[forgotten], at=NOON + 6),
        took("done"),
        Began(id=done, at=NOON + 1),
        Ended(final=succeeded("Packages.install", id=done), at=NOON + 5),
        Ended(final=Canceled(id=call_id("ahead")), at=NOON + 5),
        took("missed", window=WINDOW, needs=["window"]),
        Ended(final=missed, at=NOON + 3 * HOUR),
        Opening(begin=NOON - HOUR, end=NOON, closed=True),
        took("held", window=WINDOW, needs=["window"]),
        Replanned(id=call_id("held"), plan=2, window=LATER, expires=LATER.end),
        took("running"),
        Began(id=call_id("running"), at=NOON + 2, attempt=0),
        Began(id=call_id("running"), at=NOON + 3, attempt=1),
        took("ready"),
    ]


def start(name: str, **changes: Any) -> StartJob:
    asked = request("Packages.install")
    values: dict[str, Any] = {
        "id": call_id(name),
        "method": "Packages.install",
        "version": 1,
        "args": bytes(asked.args),
        "timeout": 2 * HOUR,
        "resumed": False,
    }
    return StartJob(**(values | changes))


def spools(jobs: Path) -> None:
    running = Spool(jobs / call_id("running"))
    running.prepare(start("running", resumed=True))
    running.write_progress("commit", 70.5, "Unpacking nginx")
    running.decide("commit")
    done = Spool(jobs / call_id("done"))
    done.prepare(start("done"))
    done.write_result(Success(Raw(msgspec.json.encode(RESULT)), finished=NOON + 5, changed=True))
    failed = Spool(jobs / call_id("failed"))
    failed.prepare(start("failed"))
    failed.write_result(
        Failure("script", "It failed.", finished=NOON + 5, details=Raw(b'{"n":1}'), changed=False)
    )


def known(home: Path) -> dict[str, Any]:
    """Everything that an agent reads of it."""
    journal, found, cuts = open_journal(home / "journal")
    try:
        assert not cuts
        identity = {"id": journal.id, "seq": journal.seq}
    finally:
        journal.close()
    table = CallTable(found)
    hours = table.hours.snapshot()
    openings = sorted([o.begin, o.end, o.closed] for o in hours if isinstance(o, Opening))
    return {
        "journal": identity,
        "records": meaning(found),
        "open": {i: meaning(call.status(NOON)) for i, call in table.open.items()},
        "tombstones": sorted(table.tombstones),
        "openings": openings,
        "registration": meaning(Home(home).registration()),
        "jobs": {path.name: _spool(path) for path in sorted((home / "jobs").iterdir())},
    }


def _spool(path: Path) -> dict[str, Any]:
    spool = Spool(path)
    return {
        "request": meaning(spool.request()),
        "decision": spool.decision(),
        "progress": meaning(spool.read_progress()),
        "result": meaning(spool.result()),
    }


def record(release: Path) -> None:
    home = release / "agent"
    home.mkdir()
    journal, _, _ = open_journal(home / "journal")
    try:
        journal.append(records(), sync=True)
    finally:
        journal.close()
    Home(home).save_registration(
        Registration(
            consumer_id="web1",
            uid="uid-web1",
            server="https://pulp.example.com:8443",
            urls=["amqps://pulp.example.com:5671"],
            source="agent.uid-web1",
            target="replies",
            confirm="outcome",
            heartbeat=30,
            signing_keys=["key"],
        )
    )
    spools(home / "jobs")
    text = json.dumps(known(home), indent=1, ensure_ascii=False)
    (release / "agent.json").write_text(text + "\n")
