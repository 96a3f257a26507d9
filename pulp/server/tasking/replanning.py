"""Planning anew what has not begun, where a window or freeze has changed under it: the task with its new opening, or why none is
left. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.common.calendar import HOST, Calendar, Recurring, openings
from pulp.common.errors import InvalidInput
from pulp.common.times import DAY
from pulp.common.windows import Window
from pulp.rmi.messages import WireWindow
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import READY, TaskRecord, TaskState, WindowRule
from pulp.server.domain.window import NamedWindow, calendar_of
from pulp.server.tasking.deadlines import next_look
from pulp.server.tasking.opening import Opened, Refused, open_for
from pulp.server.tasking.wanted import NEXT, wanted_of
from pulp.server.tasking.wire import wire_window

LONGEST_DELIVERY = 90 * DAY
"""As long as an agent remembers a call's id (WIRE.md rule 1)."""


def movable(record: TaskRecord) -> bool:
    """Whether another plan can still be made for it: it waits for a window, and has neither begun nor been called off."""
    if record.window is None or record.answer is not None:
        return False
    if record.cancel_requested_at is not None or record.state.final:
        return False
    return record.state is not TaskState.RUNNING or record.phase == READY


def planned_anew(
    record: TaskRecord, consumer: Consumer, windows: Sequence[NamedWindow], now: int
) -> TaskRecord | Refused | None:
    """The movable task with its new plan, Refused where nothing of its window is left, None where its plan still holds, or no
    other can be made until its host has told a zone that is known here.

    `windows`: uow.windows.of(consumer). The plan number rises where an agent may have the call and must hear of it.
    """
    wanted, rule, window = wanted_of(record), record.rule or WindowRule(), record.window
    if wanted is None or window is None:
        return None
    if not rule.asked and window.is_over(now):
        return None  # it is missed already, and its host will say so
    opened = open_for(wanted, consumer, windows, at=max(now, record.not_before or now))
    if isinstance(opened, Refused):
        return None if opened.for_now else opened
    if _same_source(rule, opened.rule) and _still_opens(opened.rule.calendar, window, consumer):
        return None
    return _moved(record, opened, now)


def _same_source(rule: WindowRule, other: WindowRule) -> bool:
    """Made of the same windows and freezes: the agent itself goes on from opening to opening by them."""
    return rule.names == other.names and rule.calendar == other.calendar


def _still_opens(calendar: Calendar | None, window: Window, consumer: Consumer) -> bool:
    """Not so where it counts in the host's own zone, and that has changed."""
    spans = (*calendar.windows, *calendar.freezes) if calendar else ()
    if calendar is None or not any(isinstance(s, Recurring) and s.zone == HOST for s in spans):
        return True
    zone = consumer.agent.timezone if consumer.agent else "UTC"
    try:
        found = openings(calendar, begin=window.begin, end=window.begin + 1, host_zone=zone)
        return any((each.begin, each.end) == (window.begin, window.end) for each in found)
    except InvalidInput:
        return False


def _moved(record: TaskRecord, opened: Opened, now: int) -> TaskRecord:
    moved = record.replace(
        window=opened.window,
        rule=opened.rule,
        expires=opened.expires,
        accept_by=_accept_by(record, opened.expires, now),
    )
    sent = record.call is not None or record.accepted_at is not None
    news = sent and _told(moved) != _told(record)
    return moved.replace(plan=record.plan + news, deadline=_deadline(record, moved))


def _told(record: TaskRecord) -> tuple[WireWindow | None, int]:
    return wire_window(record.window, record.rule), record.expires


def _accept_by(record: TaskRecord, expires: int, now: int) -> int:
    """As it was asked; where the end of the old plan came before that, the end of the new one counts."""
    if record.accept_by < record.expires:
        return max(now, min(record.accept_by, expires))
    return max(now, min(expires, record.created_at + LONGEST_DELIVERY))


def _deadline(before: TaskRecord, moved: TaskRecord) -> int:
    """A host that is away may still carry out the old plan: it is not given up before that has had its time."""
    if before.state in (TaskState.SCHEDULED, TaskState.WAITING):
        return next_look(moved)
    return max(next_look(moved), before.deadline or 0)


def why_void(
    rule: WindowRule, consumer: Consumer, windows: Sequence[NamedWindow], refused: Refused
) -> str:
    """The sentence for a task that is missed, as nothing of its window is left. `windows`: uow.windows.of(consumer)."""
    if rule.asked == NEXT and not calendar_of(consumer, windows).windows:
        return f"{consumer.id} has no window any more."
    if rule.asked not in ("", NEXT) and all(each.name != rule.asked for each in windows):
        return f"Window {rule.asked} was deleted, or is not bound to {consumer.id} any more."
    return f"A change of windows or freezes left nothing of its window, which {refused.message}."
