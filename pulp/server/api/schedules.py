"""ScheduleApi: actions that recur. What they make are tasks like any others; `schedule_runs` makes them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from pulp.common.calendar import HORIZON
from pulp.common.calendar.zones import load_zone, wall_time_at
from pulp.common.clock import Clock
from pulp.common.times import to_datetime
from pulp.server.api.access import require
from pulp.server.api.errors import Conflict, NotFound
from pulp.server.api.idempotency import Once, once
from pulp.server.api.paging import listed
from pulp.server.api.schedule_plans import changed_schedule, new_schedule
from pulp.server.api.schedule_types import (
    OccurrenceView,
    PatchScheduleBody,
    ScheduleBody,
    SchedulePreview,
    ScheduleView,
)
from pulp.server.api.schedule_views import schedule_view
from pulp.server.api.types import ListView
from pulp.server.api.windowed import check_window
from pulp.server.db.base import Duplicate, Store, UnitOfWork
from pulp.server.domain.schedule import Schedule, occurrences
from pulp.server.domain.user import Principal, Role


class ScheduleApi:
    def __init__(self, store: Store, clock: Clock, wake: Callable[[], None]) -> None:
        """`wake` tells the runner that another moment may be the next."""
        self._store = store
        self._clock = clock
        self._wake = wake

    def create(self, who: Principal, body: ScheduleBody, *, key: str | None = None) -> ScheduleView:
        """InvalidInput with every bad field, or where its window is not there; Conflict when the name is taken; KeyReused."""
        require(who, Role.OPERATOR)
        now = self._clock.now()
        schedule = new_schedule(who.login, body, now)
        request = Once.of(who.login, key, f"schedule {body.name}", body) if key else None

        def job(uow: UnitOfWork) -> Schedule:
            name, _ = once(uow, request, now, lambda: _add(uow, schedule))
            uow.after_commit(self._wake)
            return _get(uow, name)

        return schedule_view(self._store.write(job))

    def list(self, who: Principal, *, after: str | None, limit: int) -> ListView[ScheduleView]:
        """By name."""
        require(who, Role.VIEWER)
        return listed(
            lambda: self._store.read(lambda uow: uow.schedules.page(after, limit)), schedule_view
        )

    def show(self, who: Principal, name: str) -> ScheduleView:
        require(who, Role.VIEWER)
        return schedule_view(self._read(name))

    def preview(self, who: Principal, name: str, *, count: int) -> SchedulePreview:
        """The next `count` occurrences from now on."""
        require(who, Role.VIEWER)
        recurrence, now = self._read(name).recurrence, self._clock.now()
        zone = load_zone(recurrence.zone)
        ahead = occurrences(recurrence, since=now + 1, before=now + HORIZON)
        seen = [
            OccurrenceView(at=to_datetime(at), local=f"{wall_time_at(at, zone):%Y-%m-%dT%H:%M}")
            for at in islice(ahead, count)
        ]
        return SchedulePreview(name=name, zone=recurrence.zone, occurrences=seen)

    def change(self, who: Principal, name: str, body: PatchScheduleBody) -> ScheduleView:
        """Another rule, and enabling, count from now on: what passed before is not made up for. InvalidInput; NotFound."""
        require(who, Role.OPERATOR)
        now = self._clock.now()

        def job(uow: UnitOfWork) -> Schedule:
            uow.after_commit(self._wake)
            changed = changed_schedule(_get(uow, name), who.login, body, now)
            return uow.schedules.save(changed)

        return schedule_view(self._store.write(job))

    def delete(self, who: Principal, name: str) -> None:
        """It makes no more tasks; those it made go on."""
        require(who, Role.OPERATOR)

        def job(uow: UnitOfWork) -> None:
            uow.schedules.remove(_get(uow, name).name)

        self._store.write(job)

    def _read(self, name: str) -> Schedule:
        return self._store.read(lambda uow: _get(uow, name))


def _get(uow: UnitOfWork, name: str) -> Schedule:
    schedule = uow.schedules.get(name)
    if schedule is None:
        raise NotFound(f"there is no schedule {name!r}")
    return schedule


def _add(uow: UnitOfWork, schedule: Schedule) -> str:
    check_window(uow, schedule.window)
    try:
        uow.schedules.add(schedule)
    except Duplicate as error:
        raise Conflict(f"there is a schedule {schedule.name} already") from error
    return schedule.name
