"""What GET /plan answers: for each host what will run there, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from pulp.server.api.types import View


class PlannedView(View, frozen=True, kw_only=True):
    """A task that is not over, or a run of a schedule that is still to come. at: when it may start at the earliest; until: when
    it may no longer. windows: those it waits for. expected: how long it takes. problem: why it will not run there, or not then.
    """

    kind: Literal["task", "schedule"]
    action: str
    task_id: str | None = None
    schedule: str | None = None
    state: str | None = None
    at: datetime
    until: datetime | None = None
    windows: list[str] = msgspec.field(default_factory=list)
    expected: str | None = None
    problem: str = ""


class HostPlanView(View, frozen=True, kw_only=True):
    """windows: of the host, by name; without any, work in a window cannot be planned for it. opens: when they are open next, if
    in these days. items: by `at`; more: there are more than these.
    """

    consumer_id: str
    online: bool
    enforced: bool
    windows: list[str]
    opens: datetime | None
    items: list[PlannedView]
    more: bool = False
    problem: str = ""
