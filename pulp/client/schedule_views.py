"""What the client reads of the server's schedules; as lenient as `views`."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw

from pulp.client.views import ABSENT, View


class Counts(View, frozen=True, kw_only=True):
    runs: int = 0
    missed: int = 0
    skipped_open: int = 0
    refused: int = 0


class OwnWindow(View, frozen=True, kw_only=True):
    duration: str


class Schedule(View, frozen=True, kw_only=True):
    name: str
    created_by: str = ""
    created_at: datetime | None = None
    action: str = ""
    args: Raw = ABSENT
    consumers: list[str] = msgspec.field(default_factory=list)
    rrule: str = ""
    dtstart: str = ""
    zone: str = ""
    offset_days: int = 0
    missed: str = ""
    runs_left: int | None = None
    failure_threshold: int | None = None
    window: OwnWindow | str | None = None
    window_missed: str | None = None
    grace: str | None = None
    expected: str | None = None
    predownload: bool = False
    deliver_within: str = ""
    timeout: str = ""
    enabled: bool = False
    why_disabled: str = ""
    next_due: datetime | None = None
    last_due: datetime | None = None
    failures: int = 0
    counts: Counts = Counts()
    last_tasks: dict[str, str] = msgspec.field(default_factory=dict)
    problems: dict[str, str] = msgspec.field(default_factory=dict)


class Occurrence(View, frozen=True, kw_only=True):
    """`local`: what the clocks of the schedule's zone show."""

    at: datetime
    local: str = ""


class SchedulePreview(View, frozen=True, kw_only=True):
    zone: str = ""
    occurrences: list[Occurrence] = msgspec.field(default_factory=list)
