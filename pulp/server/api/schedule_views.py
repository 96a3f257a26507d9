"""From stored schedules to answers. Pure."""

from __future__ import annotations

from msgspec import Raw

from pulp.common.times import format_duration, to_datetime
from pulp.server.api.schedule_plans import ACTIONS
from pulp.server.api.schedule_types import CountsView, OwnWindow, ScheduleView
from pulp.server.api.views import moment
from pulp.server.domain.schedule import Counts, Schedule


def schedule_view(schedule: Schedule) -> ScheduleView:
    rule = schedule.recurrence
    return ScheduleView(
        name=schedule.name,
        revision=schedule.revision,
        created_by=schedule.created_by,
        created_at=to_datetime(schedule.created_at),
        action=ACTIONS.get(schedule.kind, schedule.kind),
        args=Raw(schedule.args),
        consumers=schedule.consumers,
        rrule=rule.rrule,
        dtstart=rule.dtstart,
        zone=rule.zone,
        offset_days=rule.offset_days,
        missed=schedule.missed.value,
        runs_left=schedule.runs_left,
        failure_threshold=schedule.failure_threshold,
        window=_window(schedule),
        window_missed=schedule.window_missed,
        grace=format_duration(schedule.grace) if schedule.grace else None,
        expected=None if schedule.expected is None else format_duration(schedule.expected),
        predownload=schedule.predownload,
        deliver_within=format_duration(schedule.deliver_within),
        timeout=format_duration(schedule.timeout),
        enabled=schedule.enabled,
        why_disabled=schedule.why_disabled,
        next_due=moment(schedule.next_due),
        last_due=moment(schedule.last_due),
        failures=schedule.failures,
        counts=_counts(schedule.counts),
        last_tasks=schedule.last_tasks,
        problems=schedule.problems,
    )


def _window(schedule: Schedule) -> OwnWindow | str | None:
    if schedule.open_for is not None:
        return OwnWindow(duration=format_duration(schedule.open_for))
    return schedule.window or None


def _counts(counts: Counts) -> CountsView:
    return CountsView(
        runs=counts.runs,
        missed=counts.missed,
        skipped_open=counts.skipped_open,
        refused=counts.refused,
    )
