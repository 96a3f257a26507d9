"""Numbered steps that bring a database to this release's schema. A step that was released is never changed: add another."""

from __future__ import annotations

import logging
from pathlib import Path

from pulp.server.db.sqlite.connection import Connection
from pulp.server.db.sqlite.errors import StoreDamaged, StoreTooNew
from pulp.server.db.sqlite.migrations import (
    m0001_first,
    m0002_answer,
    m0003_schedule,
    m0004_window,
    m0005_rule,
    m0006_package,
)

log = logging.getLogger(__name__)

STEPS: tuple[str, ...] = (
    m0001_first.SQL,
    m0002_answer.SQL,
    m0003_schedule.SQL,
    m0004_window.SQL,
    m0005_rule.SQL,
    m0006_package.SQL,
)
"""Step n (counted from 1) leads from `PRAGMA user_version` n - 1 to n."""

APPLICATION_ID = 0x50554C50  # "PULP", in the file's header


def check(db: Connection) -> None:
    """Without touching the file: that it is ours (StoreDamaged) and not too new (StoreTooNew)."""
    application = db.number("PRAGMA application_id")
    if application != APPLICATION_ID and db.number("SELECT count(*) FROM sqlite_schema"):
        raise StoreDamaged(
            "the file is a database, but not one of Pulp's: give another data directory"
        )
    version = db.number("PRAGMA user_version")
    if version > len(STEPS):
        raise StoreTooNew(
            f"the database has schema {version} and this release knows {len(STEPS)}: "
            "install the release that wrote it, or restore a backup made before the upgrade"
        )


def migrate(db: Connection, path: Path) -> None:
    """Run the steps that are missing, each in one transaction, after a copy of the database at `path` was put beside it as
    `NAME.schema-N`: there is no other way back."""
    version = db.number("PRAGMA user_version")
    if 0 < version < len(STEPS):
        _copy_once(db, path.with_name(f"{path.name}.schema-{version}"))
    for number in range(version + 1, len(STEPS) + 1):
        _step(db, number)


def _copy_once(db: Connection, target: Path) -> None:
    """A copy that is there already is of an attempt that was cut short, and as good."""
    if not target.exists():
        unfinished = target.with_name(f"{target.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        db.backup(unfinished)
        unfinished.rename(target)
        log.info("the store was copied before its schema is changed", extra={"copy": str(target)})


def _step(db: Connection, number: int) -> None:
    try:
        db.script(
            f"BEGIN IMMEDIATE; {STEPS[number - 1]}; PRAGMA application_id={APPLICATION_ID}; "
            f"PRAGMA user_version={number}; COMMIT;"
        )
    finally:
        db.rollback()
