"""What an open task waits for: never silence (DESIGN: nothing waits without naming what it waits for). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pulp.common.times import to_datetime
from pulp.rmi.interfaces import METHODS, Lane
from pulp.server.api.types import WaitingForView
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import (
    PARKED_OFFLINE,
    PARKED_VERSION,
    READY,
    REBOOTING,
    SENT,
    TaskRecord,
    TaskState,
)


def waiting_for(record: TaskRecord, consumer: Consumer | None, now: int) -> WaitingForView | None:
    """None when the task is final. `consumer` is the task's, as stored now; None when it has none or it is gone."""
    if record.parked == PARKED_VERSION:
        return upgrade(record)
    if _is_called_off(record):
        return _confirmation(record)
    match record.state:
        case TaskState.SCHEDULED:
            return _view("start-time", record.created_at, record.not_before)
        case TaskState.WAITING:
            return _delivery(record, consumer)
        case TaskState.HELD:
            return msgspec.structs.replace(
                _opening(record, consumer, now),
                clock_offset=consumer.clock_offset if consumer else None,
                missed_opening=_missed_opening(record),
            )
        case TaskState.RUNNING:
            return _away(record, consumer) or _work(record)
    return None


def before(record: TaskRecord, opened: Sequence[TaskRecord]) -> str | None:
    """Of a call that is ready and not begun: the task whose call has its host's lane, or is the next before it there.
    `opened`: the host's open tasks, oldest first."""
    if not _is_in_lane(record) or record.phase != READY:
        return None
    others = [r for r in opened if r.id != record.id and _is_in_lane(r)]
    begun = [r for r in others if r.phase != READY]
    ahead = begun or [r for r in others if r.seq < record.seq]
    return ahead[-1].id if ahead else None


def holds_up(record: TaskRecord, opened: Sequence[TaskRecord]) -> str | None:
    """Of a held call whose opening has come: the task whose call has its host's lane. `opened` as for before()."""
    if record.state is not TaskState.HELD or not _needs_lane(record):
        return None
    begun = [r.id for r in opened if _is_in_lane(r) and r.phase != READY]
    return begun[-1] if begun else None


def _is_in_lane(record: TaskRecord) -> bool:
    if record.answer is not None and record.phase != REBOOTING:
        return False
    return record.state is TaskState.RUNNING and _needs_lane(record)


def _needs_lane(record: TaskRecord) -> bool:
    call = record.call
    if call is None:
        return False
    method = METHODS.get((f"{call.class_}.{call.method}", call.version))
    return method is None or method.lane is Lane.HOST


def upgrade(record: TaskRecord) -> WaitingForView:
    """Of an open task that this server cannot run: whatever else it waits for, it ends properly only after the upgrade."""
    since = record.parked_at or record.created_at
    return _view(PARKED_VERSION, since, record.deadline or record.accept_by)


def _is_called_off(record: TaskRecord) -> bool:
    """An agent may have it, has not begun it as far as is known, and is to give it up."""
    begun = record.state is TaskState.RUNNING and record.phase != READY
    return record.cancel_requested_at is not None and not record.cancel_refused and not begun


def _confirmation(record: TaskRecord) -> WaitingForView | None:
    if record.state.final or record.cancel_requested_at is None:
        return None
    view = _view("cancel", record.cancel_requested_at, record.deadline)
    return msgspec.structs.replace(view, void=record.rule.void if record.rule else "")


def _missed_opening(record: TaskRecord) -> datetime | None:
    """Where it waits for a later one than it was planned for: when that was."""
    if record.window is None or record.starts is None or record.starts < record.window.end:
        return None
    return to_datetime(record.window.begin)


def _delivery(record: TaskRecord, consumer: Consumer | None) -> WaitingForView:
    since = record.not_before or record.created_at
    offline = consumer is not None and not consumer.online
    if record.parked == PARKED_OFFLINE or (offline and not record.parked):
        seen = consumer.last_seen if consumer is not None else None
        return _view("agent-offline", seen or record.parked_at or since, record.accept_by)
    if record.parked:
        return _view(record.parked, record.parked_at or since, record.accept_by)
    if record.phase == SENT:
        return _view("agent-accept", record.sent_at or since, record.accept_by)
    return _view("queue", since, record.accept_by)


def _away(record: TaskRecord, consumer: Consumer | None) -> WaitingForView | None:
    """Where its agent has it and has not been heard of since: it may be at work, or its host may be off."""
    if consumer is None or consumer.online or record.phase == REBOOTING:
        return None
    return _view("agent-offline", consumer.last_seen or record.created_at, record.deadline)


def _opening(record: TaskRecord, consumer: Consumer | None, now: int) -> WaitingForView:
    begin = record.starts or (record.window.begin if record.window else record.expires)
    since = record.accepted_at or record.created_at
    if now < begin:
        return _view("window", since, begin)
    if away := _away(record, consumer):
        return away
    return _view("agent", max(since, begin), record.expires)


def _work(record: TaskRecord) -> WaitingForView:
    accepted = record.accepted_at or record.created_at
    if record.phase == READY:
        return _view("lane", accepted, record.expires)
    started = record.started_at or accepted
    if record.phase == REBOOTING:
        return _view("reboot", _decided(record) or started, record.deadline)
    return _view("agent", started, started + record.timeout)


class _Final(msgspec.Struct):
    finished: int = 0


def _decided(record: TaskRecord) -> int:
    """When the agent gave the answer after which its host restarts."""
    return msgspec.json.decode(record.answer or b"{}", type=_Final).finished


def _view(code: str, since: int, until: int | None) -> WaitingForView:
    return WaitingForView(
        code=code,
        since=to_datetime(since),
        until=None if until is None else to_datetime(until),
    )
