"""What the API of windows and freezes takes and gives; as `api.types` for the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from pulp.server.api.types import (
    Body,
    Duration,
    ObjectName,
    OffsetDays,
    RuleText,
    Time,
    View,
)

RoleText = Literal["window", "freeze"]

Cutoff = Annotated[
    Duration,
    Meta(examples=["30m"], description="a duration in whole minutes, such as 10m, 30m or 1h"),
]


class NamedWindowBody(Body, frozen=True, kw_only=True):
    """One that recurs: `rrule`, `dtstart`, `zone` and `duration`. One that happens once: `begin`, and `end` or `duration`."""

    name: ObjectName
    role: RoleText = "window"
    rrule: RuleText | None = None
    dtstart: RuleText | None = None
    zone: RuleText | None = None
    offset_days: OffsetDays | None = None
    begin: Time | None = None
    end: Time | None = None
    duration: Duration | None = None
    cutoff: Cutoff | None = None
    everywhere: bool = False


class PatchNamedWindowBody(Body, frozen=True, kw_only=True):
    """Absent fields stay; `cutoff` null: none. A name and a role never change, and one that recurs goes on recurring."""

    rrule: RuleText | None = None
    dtstart: RuleText | None = None
    zone: RuleText | None = None
    offset_days: OffsetDays | None = None
    begin: Time | None = None
    end: Time | None = None
    duration: Duration | None = None
    cutoff: Cutoff | UnsetType | None = UNSET
    everywhere: bool | None = None


class NamedWindowView(View, frozen=True, kw_only=True):
    """hosts: how many consumers it is bound to; `everywhere`: it holds for the others too. Of one that recurs `begin` and `end`
    are null, of one that happens once `rrule`, `dtstart`, `zone` and `duration`."""

    name: str
    role: RoleText
    revision: int
    created_by: str
    created_at: datetime
    rrule: str | None
    dtstart: str | None
    zone: str | None
    offset_days: int
    begin: datetime | None
    end: datetime | None
    duration: str | None
    cutoff: str | None
    everywhere: bool
    hosts: int


class SpanView(View, frozen=True, kw_only=True):
    """From `begin` until before `end`; nothing starts any more from `cutoff_at` on. local_*: the same on the clocks of the zone
    that the preview names."""

    begin: datetime
    end: datetime
    cutoff_at: datetime
    local_begin: str
    local_end: str


class HostPreview(View, frozen=True, kw_only=True):
    """What comes next on one host, or on none where `consumer` is null.

    zone: whose clocks `local_…` shows. openings: when work may start, all freezes of the host applied: in this window, and in a
    freeze's preview in any window of the host. frozen: when this freeze is on. says: what else there is to know.
    """

    consumer: str | None
    zone: str
    openings: list[SpanView]
    frozen: list[SpanView]
    says: str


class WindowPreview(View, frozen=True, kw_only=True):
    """A list of hosts like any other: `next` is the cursor of the following page."""

    name: str
    role: RoleText
    items: list[HostPreview]
    next: str | None
