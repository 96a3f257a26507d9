"""PlanApi: what will run where and when in the days to come, which hosts have no window, and what will not fit."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pulp.common.clock import Clock
from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, format_duration, to_datetime
from pulp.server.api.access import require
from pulp.server.api.actions import found
from pulp.server.api.paging import listed
from pulp.server.api.plan_types import HostPlanView, PlannedView
from pulp.server.api.reckoning import MOST, Ahead, Entry, Host
from pulp.server.api.schedule_plans import ACTIONS, changes_host
from pulp.server.api.types import ListView
from pulp.server.api.views import moment
from pulp.server.api.window_hosts import UNKNOWN_ZONE, zone_of
from pulp.server.api.windowed import USUALLY
from pulp.server.db.base import ConsumerFilter, Page, Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.schedule import Schedule
from pulp.server.domain.user import Principal, Role

_SCHEDULES = 1000
"""Read at a time."""


class PlanApi:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def show(
        self, who: Principal, *, days: int, consumer_id: str | None, after: str | None, limit: int
    ) -> ListView[HostPlanView]:
        """One page of hosts, by id; or the one that is asked for: NotFound."""
        require(who, Role.VIEWER)
        now = self._clock.now()
        ahead = Ahead(now, now + days * DAY)

        def job(uow: UnitOfWork) -> ListView[HostPlanView]:
            schedules = _schedules(uow)
            return listed(
                lambda: _hosts(uow, consumer_id, after, limit),
                lambda consumer: _plan(uow, consumer, ahead, schedules),
            )

        return self._store.read(job)


def _hosts(
    uow: UnitOfWork, consumer_id: str | None, after: str | None, limit: int
) -> Page[Consumer]:
    if consumer_id is None:
        return uow.consumers.page(ConsumerFilter(), after, limit)
    return Page([found(uow.consumers.get(consumer_id), consumer_id)], None)


def _schedules(uow: UnitOfWork) -> dict[str, list[Schedule]]:
    """The enabled ones of each consumer."""
    of: dict[str, list[Schedule]] = {}
    after: str | None = None
    while True:
        page = uow.schedules.page(after, _SCHEDULES)
        for schedule in page.items:
            for consumer_id in schedule.consumers if schedule.enabled else ():
                of.setdefault(consumer_id, []).append(schedule)
        after = page.next
        if after is None:
            return of


def _plan(
    uow: UnitOfWork, consumer: Consumer, ahead: Ahead, schedules: dict[str, list[Schedule]]
) -> HostPlanView:
    host = Host(consumer, uow.windows.of(consumer), zone_of(consumer) or UNKNOWN_ZONE, ahead)
    view = HostPlanView(
        consumer_id=consumer.id,
        online=consumer.online,
        enforced=consumer.enforced,
        windows=host.names,
        opens=None,
        items=[],
        problem=_problem(consumer, host.names),
    )
    try:
        opens = host.opens()
        entries = host.entries(
            uow.tasks.open_of(consumer.id), schedules.get(consumer.id, ()), _usual
        )
    except InvalidInput as error:  # a window that cannot be read (any more)
        return replace(view, problem=str(error))
    items = [_view(entry) for entry in entries[:MOST]]
    return replace(view, opens=moment(opens), items=items, more=len(entries) > MOST)


def _usual(schedule: Schedule) -> int:
    return USUALLY if changes_host(schedule) else 0


def _problem(consumer: Consumer, windows: Sequence[str]) -> str:
    if not windows and consumer.enforced:
        return "no window, and windows are enforced: nothing that changes the host can start"
    return "" if windows else "no window"


def _view(entry: Entry) -> PlannedView:
    task, schedule = entry.task, entry.schedule
    kind = task.kind if task else schedule.kind if schedule else ""
    return PlannedView(
        kind="task" if task else "schedule",
        action=ACTIONS.get(kind, kind),
        task_id=task.id if task else None,
        schedule=schedule.name if schedule else None,
        state=task.state.value if task else None,
        at=to_datetime(entry.at),
        until=moment(entry.until),
        windows=list(entry.windows),
        expected=format_duration(entry.expected) if entry.expected else None,
        problem=entry.problem,
    )
