"""What the API of schedules takes and gives; as `api.types` for the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from pulp.rmi.interfaces import PackageSpec, Policy
from pulp.server.api.types import Body, ConsumerId, Duration, Name, View

ActionName = Literal["install", "update", "remove", "update-all", "refresh-profile"]
MissedName = Literal["skip", "once"]

ScheduleName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)",
        description="letters, digits, '.', '_' and '-', at most 64 of them, and a letter or digit first",
    ),
]
Consumers = Annotated[
    list[ConsumerId],
    Meta(min_length=1, max_length=1000, description="a list of 1 to 1000 ids of consumers"),
]
Text = Annotated[str, Meta(max_length=512)]
Runs = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
Threshold = Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")]
OffsetDays = Annotated[int, Meta(ge=-31, le=31, description="a whole number from -31 to 31")]


class OwnWindow(Body, frozen=True, kw_only=True):
    """Of each run: from its occurrence on, for so long. The host itself keeps to it."""

    duration: Duration


class ScheduleBody(Body, frozen=True, kw_only=True):
    """`packages`, `policy`, `dry_run`, `security_only`, `deliver_within`, `timeout`: as the action itself takes them."""

    name: ScheduleName
    action: ActionName
    consumers: Consumers
    rrule: Text
    dtstart: Text
    zone: Text
    offset_days: OffsetDays = 0
    missed: MissedName = "skip"
    runs: Runs | None = None
    failure_threshold: Threshold | None = None
    enabled: bool = True
    window: OwnWindow | None = None
    deliver_within: Duration = "7d"
    timeout: Duration = "2h"
    packages: Annotated[list[Name | PackageSpec], Meta(max_length=1000)] = msgspec.field(
        default_factory=list
    )
    policy: Policy = Policy()
    dry_run: bool = False
    security_only: bool = False


class PatchScheduleBody(Body, frozen=True, kw_only=True):
    """Absent fields stay. What a schedule does never changes: make another one."""

    enabled: bool | None = None
    consumers: Consumers | None = None
    rrule: Text | None = None
    dtstart: Text | None = None
    zone: Text | None = None
    offset_days: OffsetDays | None = None
    missed: MissedName | None = None
    runs: Runs | UnsetType | None = UNSET
    failure_threshold: Threshold | UnsetType | None = UNSET


class CountsView(View, frozen=True, kw_only=True):
    """`runs` and `missed` are occurrences; `skipped_open` and `refused` consumers in a run."""

    runs: int
    missed: int
    skipped_open: int
    refused: int


class ScheduleView(View, frozen=True, kw_only=True):
    """last_tasks: consumer → its task of the last run, until the next run has judged it. problems: consumer → why the last run
    made no task for it. why_disabled: empty while it is enabled."""

    name: str
    revision: int
    created_by: str
    created_at: datetime
    action: str
    args: Raw
    consumers: list[str]
    rrule: str
    dtstart: str
    zone: str
    offset_days: int
    missed: MissedName
    runs_left: int | None
    failure_threshold: int | None
    window: OwnWindow | None
    deliver_within: str
    timeout: str
    enabled: bool
    why_disabled: str
    next_due: datetime | None
    last_due: datetime | None
    failures: int
    counts: CountsView
    last_tasks: dict[str, str]
    problems: dict[str, str]


class OccurrenceView(View, frozen=True, kw_only=True):
    """One moment, in UTC and on the clocks of the schedule's zone."""

    at: datetime
    local: str


class SchedulePreview(View, frozen=True, kw_only=True):
    """The occurrences ahead, whether or not the schedule is enabled; `runs_left` may end it before."""

    name: str
    zone: str
    occurrences: list[OccurrenceView]
