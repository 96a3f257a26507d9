"""Which window a held task waits for, which freeze keeps it shut, and whether a host can keep to its windows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pulp.common.calendar import Calendar, Why, is_open, openings
from pulp.common.errors import InvalidInput
from pulp.common.times import to_datetime
from pulp.rmi.versions import ENFORCED_WINDOWS, missing, since
from pulp.server.api.types import WaitingForView
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.window import NamedWindow, calendar_of
from pulp.server.tasking.wanted import ONCE


def cannot_enforce(consumer: Consumer) -> str:
    """Why its agent cannot keep to windows that are enforced; empty where it can, or has never said hello."""
    agent = consumer.agent
    lacking = missing([ENFORCED_WINDOWS], agent.features) if agent else []
    if not consumer.enforced or agent is None or not lacking:
        return ""
    return (
        f"the windows of {consumer.id} are enforced, and its agent, version {agent.version}, cannot keep to them, so that nothing"
        f" may change the host: it lacks {since(lacking)}"
    )


def with_names(
    waits: WaitingForView,
    record: TaskRecord,
    consumer: Consumer,
    windows: Sequence[NamedWindow],
    now: int,
) -> WaitingForView:
    """`waits` of a held task with the names of its windows, and of the freezes that are on. `windows`: those of the consumer,
    which hold back what is in no window of its own where they are enforced."""
    calendar = record.rule.calendar if record.rule else None
    if record.window is None:
        calendar = calendar_of(consumer, windows)
    if calendar is None:
        return waits
    zone = consumer.agent.timezone if consumer.agent else "UTC"
    try:
        return _named(waits, record, calendar, zone, now)
    except InvalidInput:  # a zone or window that cannot be read (any more)
        return waits


def _named(
    waits: WaitingForView, record: TaskRecord, calendar: Calendar, zone: str, now: int
) -> WaitingForView:
    begin = record.starts or (record.window.begin if record.window else now)
    found = next(iter(openings(calendar, begin=begin, end=begin + 1, host_zone=zone)), None)
    verdict = is_open(calendar, at=now, host_zone=zone)
    frozen = verdict.frozen_until if verdict.why is Why.FROZEN else None
    return msgspec.structs.replace(
        waits,
        windows=[name for name in found.sources if name != ONCE] if found else [],
        freezes=list(verdict.by) if frozen else [],
        frozen_until=to_datetime(frozen) if frozen else None,
    )
