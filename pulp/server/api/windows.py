"""WindowApi: named windows and freezes, and the hosts they are bound to (docs/windows.md)."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.common.calendar import Recurring
from pulp.common.clock import Clock
from pulp.server.api.access import require
from pulp.server.api.actions import found
from pulp.server.api.errors import Conflict
from pulp.server.api.idempotency import Once, once
from pulp.server.api.paging import listed
from pulp.server.api.ports import Plans
from pulp.server.api.types import ConsumerView, ListView
from pulp.server.api.views import consumer_view
from pulp.server.api.window_bindings import Bindings, window_named
from pulp.server.api.window_hosts import PAGE, refuse_closing_any
from pulp.server.api.window_plans import changed_window, new_window
from pulp.server.api.window_types import (
    HostPreview,
    NamedWindowBody,
    NamedWindowView,
    PatchNamedWindowBody,
    WindowPreview,
)
from pulp.server.api.window_views import Previews, window_view
from pulp.server.db.base import ConsumerFilter, Duplicate, Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.user import Principal, Role
from pulp.server.domain.window import NamedWindow, WindowRole

_SHOWN = 5
"""So many schedules are named."""


class WindowApi:
    """Everybody may look; admins change, as it decides when hosts are changed and when they are not."""

    def __init__(self, store: Store, clock: Clock, plans: Plans) -> None:
        self._store = store
        self._clock = clock
        self._plans = plans
        self._bindings = Bindings(store, plans)

    def create(
        self, who: Principal, body: NamedWindowBody, *, key: str | None = None
    ) -> NamedWindowView:
        """InvalidInput with every bad field; Conflict when the name is taken; KeyReused."""
        require(who, Role.ADMIN)
        now = self._clock.now()
        window = new_window(who.login, body, now)
        if window.everywhere:
            refuse_closing_any(self._store, "everywhere", None, window, now)
        request = Once.of(who.login, key, f"window {body.name}", body) if key else None

        def job(uow: UnitOfWork) -> NamedWindowView:
            name, new = once(uow, request, now, lambda: _add(uow, window))
            if new and window.everywhere:
                self._plans.changed(uow, name, None, now)
            return _view(uow, window_named(uow, name))

        return self._store.write(job)

    def list(
        self, who: Principal, role: WindowRole | None, *, after: str | None, limit: int
    ) -> ListView[NamedWindowView]:
        """By name."""
        require(who, Role.VIEWER)
        return self._store.read(
            lambda uow: listed(
                lambda: uow.windows.page(role, after, limit), lambda each: _view(uow, each)
            )
        )

    def show(self, who: Principal, name: str) -> NamedWindowView:
        require(who, Role.VIEWER)
        return self._store.read(lambda uow: _view(uow, window_named(uow, name)))

    def consumers(
        self, who: Principal, name: str, *, after: str | None, limit: int
    ) -> ListView[ConsumerView]:
        """Those that it is bound to, by id."""
        require(who, Role.VIEWER)
        self._read(name)
        where = ConsumerFilter(window=name)
        return listed(
            lambda: self._store.read(lambda uow: uow.consumers.page(where, after, limit)),
            consumer_view,
        )

    def preview(
        self,
        who: Principal,
        name: str,
        *,
        consumers: Sequence[str],
        count: int,
        after: str | None,
        limit: int,
    ) -> WindowPreview:
        """What comes next on these consumers, or else on all that it holds for, or on none where it holds for none."""
        require(who, Role.VIEWER)
        window = self._read(name)
        previews = Previews(window, count, self._clock.now())

        def read(uow: UnitOfWork) -> ListView[HostPreview]:
            if not consumers:
                return _on_all(uow, window, previews, after, limit)
            asked = [found(uow.consumers.get(one), one) for one in consumers]
            return ListView(items=[_on(uow, previews, each) for each in asked], next=None)

        page = self._store.read(read)
        return WindowPreview(name=name, role=window.role.value, items=page.items, next=page.next)

    def change(self, who: Principal, name: str, body: PatchNamedWindowBody) -> NamedWindowView:
        """InvalidInput with every bad field, or when nothing would start on a host any more; NotFound."""
        require(who, Role.ADMIN)
        now, old = self._clock.now(), self._read(name)
        new = changed_window(old, body, now)
        if new == old:
            return self.show(who, name)
        refuse_closing_any(self._store, _measure(old, new), old, new, now)
        everywhere = old.everywhere or new.everywhere

        def job(uow: UnitOfWork) -> NamedWindowView:
            saved = uow.windows.save(new)
            hosts = None if everywhere else uow.consumers.bound_to(name)
            self._plans.changed(uow, name, hosts, now)
            return _view(uow, saved)

        return self._store.write(job)

    def delete(self, who: Principal, name: str, *, force: bool) -> None:
        """Conflict while it holds for hosts or schedules name it, unless it is forced: then they go on without it, and those
        schedules make no tasks."""
        require(who, Role.ADMIN)
        now = self._clock.now()
        self._read(name)
        if force:
            self._bindings.unbind_all(who.login, name, now)
        self._store.write(lambda uow: self._remove(uow, name, now, force=force))

    def _remove(self, uow: UnitOfWork, name: str, now: int, *, force: bool) -> None:
        window = window_named(uow, name)
        bound = uow.consumers.count(name)
        hosts = uow.consumers.count(None) if window.everywhere else bound
        schedules = [] if force else _schedules_in(uow, name)
        if bound or (not force and (hosts or schedules)):
            raise Conflict(_in_use(window, hosts, schedules))
        uow.windows.remove(name)
        self._plans.changed(uow, name, None if window.everywhere else [], now)

    def bind(self, who: Principal, name: str, consumer_id: str) -> ConsumerView:
        """Bindings.bind() says what is refused."""
        require(who, Role.ADMIN)
        now = self._clock.now()
        return consumer_view(self._bindings.bind(who.login, name, consumer_id, now))

    def unbind(self, who: Principal, name: str, consumer_id: str) -> ConsumerView:
        """Bindings.unbind() says what is refused."""
        require(who, Role.ADMIN)
        now = self._clock.now()
        return consumer_view(self._bindings.unbind(who.login, name, consumer_id, now))

    def _read(self, name: str) -> NamedWindow:
        return self._store.read(lambda uow: window_named(uow, name))


def _add(uow: UnitOfWork, window: NamedWindow) -> str:
    try:
        uow.windows.add(window)
    except Duplicate as error:
        raise Conflict(
            f"there is a window or freeze {window.name} already: choose another name, or change that one"
        ) from error
    return window.name


def _view(uow: UnitOfWork, window: NamedWindow) -> NamedWindowView:
    return window_view(window, uow.consumers.count(window.name))


def _on(uow: UnitOfWork, previews: Previews, consumer: Consumer) -> HostPreview:
    return previews.of(consumer, uow.windows.of(consumer))


def _on_all(
    uow: UnitOfWork, window: NamedWindow, previews: Previews, after: str | None, limit: int
) -> ListView[HostPreview]:
    where = ConsumerFilter(window=None if window.everywhere else window.name)
    page = listed(
        lambda: uow.consumers.page(where, after, limit), lambda each: _on(uow, previews, each)
    )
    if page.items or after is not None:
        return page
    return ListView(items=[previews.of(None, uow.windows.everywhere())], next=None)


def _measure(old: NamedWindow, new: NamedWindow) -> str:
    """The field to look at when a change leaves nothing."""
    if old.span == new.span:
        return "everywhere"
    return "duration" if isinstance(new.span, Recurring) else "end"


def _in_use(window: NamedWindow, hosts: int, schedules: list[str]) -> str:
    uses, fixes = [], []
    if hosts:
        many = "1 host" if hosts == 1 else f"{hosts} hosts"
        where = f"holds everywhere, for {many}" if window.everywhere else f"is bound to {many}"
        uses.append(f"{where}, which would go on without it")
        fixes.append("change that" if window.everywhere else "unbind it")
    if schedules:
        what = "schedule" if len(schedules) == 1 else "schedules"
        uses.append(
            f"is the window of {what} {_some(schedules)}, which would make no tasks any more"
        )
        fixes.append(f"delete the {what}")
    return (
        f"{window.name} {', and '.join(uses)}: {' and '.join(fixes)} first, or delete it with force"
    )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _schedules_in(uow: UnitOfWork, name: str) -> list[str]:
    """The schedules whose work is done in this window."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = uow.schedules.page(after, PAGE)
        found += [schedule.name for schedule in page.items if schedule.window == name]
        after = page.next
        if after is None:
            return found
