"""The plan of the days to come, as the client reads it; as lenient as `views`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from pulp.client.calls import Calls, Listing
from pulp.client.views import View


class Planned(View, frozen=True, kw_only=True):
    """A task, or a run of a schedule."""

    action: str = ""
    task_id: str | None = None
    schedule: str | None = None
    state: str | None = None
    at: datetime
    until: datetime | None = None
    windows: list[str] = msgspec.field(default_factory=list)
    expected: str | None = None
    problem: str = ""


class HostPlan(View, frozen=True, kw_only=True):
    consumer_id: str
    windows: list[str] = msgspec.field(default_factory=list)
    opens: datetime | None = None
    items: list[Planned] = msgspec.field(default_factory=list)
    more: bool = False
    problem: str = ""


class PlanCalls(Calls):
    def plan(
        self, *, days: int, consumer: str | None = None, limit: int | None = None
    ) -> Listing[HostPlan]:
        """By host."""
        return self._list("/plan", HostPlan, {"days": days, "consumer": consumer}, limit=limit)
