"""A task's window and override as its agent is told of them, in a request and in a new plan. Pure."""

from __future__ import annotations

from pulp.common.windows import Window
from pulp.rmi.messages import Missed, Override, WireWindow
from pulp.rmi.versions import needs_of
from pulp.server.domain.task import TaskOverride, WindowRule


def wire_window(window: Window | None, rule: WindowRule | None) -> WireWindow | None:
    """The calendar goes along where the agent needs it: to carry work over."""
    if window is None:
        return None
    if rule is None:
        return WireWindow(begin=window.begin, end=window.end)
    missed = _missed(window, rule)
    return WireWindow(
        begin=window.begin,
        end=window.end,
        cutoff_at=rule.cutoff_at,
        calendar=rule.calendar if missed == "next" else None,
        missed=missed,
        grace=rule.late - window.end if missed == "grace" and rule.late else 0,
        expected=rule.expected,
        predownload=rule.predownload,
    )


def _missed(window: Window, rule: WindowRule) -> Missed:
    """Where a freeze leaves nothing of the grace there is none, and the cutoff counts."""
    if rule.missed == "grace" and (rule.late is None or rule.late <= window.end):
        return "miss"
    return rule.missed


def wire_override(override: TaskOverride | None) -> Override | None:
    if override is None:
        return None
    return Override(reason=override.reason, by=override.by, until=override.until)


def needs(
    window: Window | None, rule: WindowRule | None, override: TaskOverride | None
) -> list[str]:
    """What the request of such a task names in `needs`."""
    return needs_of(window=wire_window(window, rule), override=wire_override(override))
