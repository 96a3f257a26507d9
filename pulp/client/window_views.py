"""What the client reads of the server's windows and freezes; as lenient as `views`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pulp.client.views import View


class NamedWindow(View, frozen=True, kw_only=True):
    """`rrule`: it recurs; else it happens once, from `begin` to `end`."""

    name: str
    role: str = ""
    created_by: str = ""
    created_at: datetime | None = None
    rrule: str | None = None
    dtstart: str | None = None
    zone: str | None = None
    offset_days: int = 0
    begin: datetime | None = None
    end: datetime | None = None
    duration: str | None = None
    cutoff: str | None = None
    everywhere: bool = False
    hosts: int = 0


class PreviewSpan(View, frozen=True, kw_only=True):
    """local_*: what the clocks of the preview's zone show."""

    begin: datetime
    end: datetime
    cutoff_at: datetime | None = None
    local_begin: str = ""
    local_end: str = ""


class HostPreview(View, frozen=True, kw_only=True):
    consumer: str | None = None
    zone: str = ""
    openings: list[PreviewSpan] = msgspec.field(default_factory=list)
    frozen: list[PreviewSpan] = msgspec.field(default_factory=list)
    says: str = ""
