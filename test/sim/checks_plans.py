"""What must be so once a fleet has been whole for a while: hosts and their calls go by the newest plans, which fit the windows
and freezes that there are."""

from __future__ import annotations

from pulp_agent.call import Phase
from pulp_agent.calls import CallTable

from pulp.common.calendar import Calendar
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import QUEUED, TaskRecord, TaskState
from pulp.server.domain.window import calendar_of


def outdated(uow: UnitOfWork, consumer: Consumer, known: CallTable) -> str:
    """What is not as the newest plan says, in a word; empty where all is. `known`: what the consumer's agent has."""
    if consumer.keep_plan > consumer.replanned:
        return f"{consumer} is not planned anew"
    keep = known.hours.keep
    if consumer.keep_plan and (keep is None or keep.plan != consumer.keep_plan):
        return f"{consumer} does not know its calendar, but {keep}"
    whole = calendar_of(consumer, uow.windows.of(consumer))
    if keep is not None and consumer.keep_plan and keep.calendar != whole:
        return f"{consumer} goes by {keep}, not by {whole}"
    waiting = [r for r in uow.tasks.open_of(consumer.id) if _waits(r)]
    for record in waiting:
        if fault := _misplanned(record, whole) or _unheard(record, known):
            return fault
    return ""


def _waits(record: TaskRecord) -> bool:
    """Held, or not sent yet, and not called off."""
    queued = record.state is TaskState.WAITING and record.phase == QUEUED
    return (record.state is TaskState.HELD or queued) and record.cancel_requested_at is None


def _misplanned(record: TaskRecord, whole: Calendar) -> str:
    """Its windows and freezes are not those of its host."""
    rule = record.rule
    if rule is None or not rule.asked or rule.calendar is None:
        return ""
    wanted = [w for w in whole.windows if rule.asked in ("next", w.name)]
    same = list(rule.calendar.windows) == wanted and rule.calendar.freezes in (whole.freezes, ())
    return "" if same else f"{record} is planned by other windows than {whole}"


def _unheard(record: TaskRecord, known: CallTable) -> str:
    call = known.open.get(record.id)
    if call is None or call.phase is not Phase.WAITING or record.state is not TaskState.HELD:
        return ""
    return "" if call.plan == record.plan else f"{record} is known to its agent as {call}"
