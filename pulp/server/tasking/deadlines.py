"""The three deadlines of every task, none ever absent, and the moment at which the server itself must look at it next.

accept_by: the agent must have accepted. expires: it must have started. timeout: how long it may run.
"""

from __future__ import annotations

from dataclasses import dataclass

from pulp.common.times import DAY
from pulp.common.windows import Window
from pulp.server.domain.task import TaskOverride, TaskRecord, TaskState, WindowRule

LOST_AFTER = DAY
"""The server alone ends an accepted call only this long after the last of its deadlines (WIRE.md rule 11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a task may start and how long it may take; ms UTC and ms.

    window, rule, expires: its first opening, what it comes from, and how long it may be carried on (tasking/opening.py).
    """

    not_before: int | None = None
    window: Window | None = None
    rule: WindowRule | None = None
    expires: int | None = None
    override: TaskOverride | None = None
    deliver_within: int
    timeout: int


@dataclass(frozen=True, slots=True)
class Deadlines:
    accept_by: int
    expires: int


def plan(now: int, timing: Timing) -> Deadlines:
    """Delivery is counted from the start time; a window ends both delivery and start, the last one it may be carried over to.

    Without a window a delivered call may queue behind others on its host for a day more."""
    accept_by = max(now, timing.not_before or now) + timing.deliver_within
    if timing.window is None:
        return Deadlines(accept_by, accept_by + DAY)
    expires = timing.window.end if timing.expires is None else timing.expires
    return Deadlines(min(accept_by, expires), expires)


def next_look(record: TaskRecord) -> int:
    """The deadline of an open task in its present state."""
    if record.state in (TaskState.SCHEDULED, TaskState.WAITING):
        return record.accept_by
    last = max(record.accept_by, record.expires, (record.started_at or record.expires))
    return last + record.timeout + LOST_AFTER
