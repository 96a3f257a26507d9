"""What the API of schedules takes and gives; as `api.types` for the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from pulp.rmi.interfaces import PackageSpec, Policy
from pulp.server.api.types import (
    Advisories,
    Body,
    ConsumerId,
    Duration,
    Name,
    ObjectName,
    OffsetDays,
    RuleText,
    View,
    WindowName,
)
from pulp.server.api.types import MissedName as WorkMissedName
from pulp.server.api.work_types import GroupId

ActionName = Literal[
    "install",
    "update",
    "remove",
    "update-all",
    "install-group",
    "remove-group",
    "repair",
    "refresh",
    "refresh-profile",
    "reboot",
]
MissedName = Literal["skip", "once"]

Consumers = Annotated[
    list[ConsumerId],
    Meta(min_length=1, max_length=1000, description="a list of 1 to 1000 ids of consumers"),
]
Runs = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
Threshold = Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")]


class OwnWindow(Body, frozen=True, kw_only=True):
    """Of each run: from its occurrence on, for so long. The host itself keeps to it."""

    duration: Duration


class ScheduleBody(Body, frozen=True, kw_only=True):
    """window: of each run, from its occurrence on; or the name of one, or `next`, in whose next opening after it the work is
    done. window_missed: as `missed` of an action; `grace`, `expected` and `predownload` as there.

    `packages`, `groups`, `policy`, `dry_run`, `security_only`, `advisories`, `if_needed`, `deliver_within`, `timeout`: as the
    action itself takes them."""

    name: ObjectName
    action: ActionName
    consumers: Consumers
    rrule: RuleText
    dtstart: RuleText
    zone: RuleText
    offset_days: OffsetDays = 0
    missed: MissedName = "skip"
    runs: Runs | None = None
    failure_threshold: Threshold | None = None
    enabled: bool = True
    window: WindowName | OwnWindow | None = None
    window_missed: WorkMissedName | None = None
    grace: Duration | None = None
    expected: Duration | None = None
    predownload: bool = False
    deliver_within: Duration = "7d"
    timeout: Duration = "2h"
    packages: Annotated[list[Name | PackageSpec], Meta(max_length=1000)] = msgspec.field(
        default_factory=list
    )
    groups: Annotated[list[GroupId], Meta(max_length=100)] = msgspec.field(default_factory=list)
    policy: Policy = Policy()
    dry_run: bool = False
    security_only: bool = False
    advisories: Advisories = msgspec.field(default_factory=list)
    if_needed: bool = False


class PatchScheduleBody(Body, frozen=True, kw_only=True):
    """Absent fields stay. What a schedule does never changes: make another one."""

    enabled: bool | None = None
    consumers: Consumers | None = None
    rrule: RuleText | None = None
    dtstart: RuleText | None = None
    zone: RuleText | None = None
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
    window: OwnWindow | str | None
    window_missed: WorkMissedName | None
    grace: str | None
    expected: str | None
    predownload: bool
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
