"""A hello with another boot id: the host was restarted, and where no task did it, the history says so all the same."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pulp.rmi.messages import Hello
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import REBOOTING, TaskRecord, TaskState
from pulp.server.tasking.task import AsyncTask, TaskKinds, UnsupportedTask


def note_restart(
    kinds: TaskKinds,
    uow: UnitOfWork,
    consumer: Consumer,
    hello: Hello,
    opened: Sequence[TaskRecord],
    now: int,
) -> None:
    """`consumer`: as it was before this hello; `opened`: its open tasks. A task that may have asked for it tells it itself."""
    before = consumer.agent
    if before is None or before.journal_id != hello.journal_id:
        return  # another host by this name, or a copy of this one
    if "" in (before.boot_id, hello.boot_id) or before.boot_id == hello.boot_id:
        return
    if any(_may_have(kinds, record) for record in opened):
        return
    uow.history.add(
        HistoryEvent(
            consumer_id=consumer.id,
            type=HistoryType.REBOOTED,
            at=now,
            originator="agent",
            details=msgspec.json.encode({"from": before.boot_id, "to": hello.boot_id}),
        )
    )


def _may_have(kinds: TaskKinds, record: TaskRecord) -> bool:
    if record.state is not TaskState.RUNNING:
        return False
    try:
        task = kinds.load(record)
    except UnsupportedTask:
        return record.phase == REBOOTING
    return isinstance(task, AsyncTask) and task.may_restart
