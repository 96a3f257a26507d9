"""Which hosts a window or freeze is bound to: every change of it is in the host's history and told to the plans."""

from __future__ import annotations

from typing import Any

import msgspec

from pulp.common.failpoints import failpoint
from pulp.rmi.versions import ENFORCED_WINDOWS, missing, since
from pulp.server.api.actions import found
from pulp.server.api.errors import NotFound, Unsupported
from pulp.server.api.ports import Plans
from pulp.server.api.window_hosts import refuse_closing
from pulp.server.db.base import Conflict, ConsumerFilter, Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.window import NamedWindow

BATCH = 200
"""So many hosts are unbound in one unit of work."""


class Bindings:
    def __init__(self, store: Store, plans: Plans) -> None:
        self._store = store
        self._plans = plans

    def bind(self, login: str, name: str, consumer_id: str, now: int) -> Consumer:
        """InvalidInput when nothing would start on the host any more; NotFound. What is bound already stays so."""
        consumer, windows, window = self._store.read(lambda uow: _read(uow, name, consumer_id))
        if name in consumer.windows:
            return consumer
        bound = consumer.replace(windows=sorted((*consumer.windows, name)))
        fix = "change one of them, or bind another window first"
        before, after = (consumer, windows), (bound, [*windows, window])
        refuse_closing("consumer", fix, before, after, now)
        return self._changed(login, name, consumer, bound, {"bound": name}, now)

    def unbind(self, login: str, name: str, consumer_id: str, now: int) -> Consumer:
        """InvalidInput when nothing would start on the host any more; NotFound, also when it is not bound."""
        consumer, windows, _ = self._store.read(lambda uow: _read(uow, name, consumer_id))
        if name not in consumer.windows:
            raise NotFound(f"{name} is not bound to {consumer_id}")
        unbound = _without(consumer, name)
        fix = "bind another window first"
        refuse_closing("consumer", fix, (consumer, windows), (unbound, windows), now)
        return self._changed(login, name, consumer, unbound, {"unbound": name}, now)

    def unbind_all(self, login: str, name: str, now: int) -> None:
        """A few hosts at a time, so that nobody waits long for the store; cut short, it may be asked for again."""
        while self._store.write(lambda uow: self._unbind_some(uow, login, name, now)):
            failpoint("server.window.unbound")

    def _unbind_some(self, uow: UnitOfWork, login: str, name: str, now: int) -> bool:
        """Whether there were any left."""
        hosts = uow.consumers.page(ConsumerFilter(window=name), None, BATCH).items
        for consumer in hosts:
            uow.consumers.save(_without(consumer, name))
            note(uow, consumer.id, login, {"unbound": name}, now)
        if hosts:
            self._plans.changed(uow, name, [each.id for each in hosts], now)
        return bool(hosts)

    def _changed(
        self,
        login: str,
        name: str,
        seen: Consumer,
        wanted: Consumer,
        details: dict[str, Any],
        now: int,
    ) -> Consumer:
        def job(uow: UnitOfWork) -> Consumer:
            window_named(uow, name)
            consumer = found(uow.consumers.get(seen.id), seen.id)
            check_unchanged(consumer, seen)
            changed = consumer.replace(windows=wanted.windows)
            uow.consumers.save(changed)
            note(uow, changed.id, login, details, now)
            self._plans.changed(uow, name, [changed.id], now)
            return changed

        return self._store.write(job)


def window_named(uow: UnitOfWork, name: str) -> NamedWindow:
    """NotFound."""
    window = uow.windows.get(name)
    if window is None:
        raise NotFound(f"there is no window or freeze {name!r}")
    return window


def check_enforceable(store: Store, consumer_id: str, now: int) -> Consumer:
    """The host as it was looked at. InvalidInput when nothing would start there any more if its windows were enforced;
    Unsupported; NotFound."""

    def read(uow: UnitOfWork) -> tuple[Consumer, list[NamedWindow]]:
        consumer = found(uow.consumers.get(consumer_id), consumer_id)
        return consumer, uow.windows.of(consumer)

    consumer, windows = store.read(read)
    lacking = missing([ENFORCED_WINDOWS], consumer.agent.features) if consumer.agent else []
    if lacking and consumer.agent:
        raise Unsupported(
            f"the agent of {consumer_id}, version {consumer.agent.version}, cannot enforce windows: it lacks {since(lacking)}"
        )
    fix = "bind a window that opens first"
    enforced = consumer.replace(enforced=True)
    refuse_closing("enforced", fix, (consumer, windows), (enforced, windows), now)
    return consumer


def check_unchanged(consumer: Consumer, seen: Consumer) -> None:
    """Conflict: what was checked is written only if nothing of it has changed meanwhile."""
    if (consumer.windows, consumer.enforced) != (seen.windows, seen.enforced):
        raise Conflict(f"the windows of {seen.id} are no longer those that were read")


def note(uow: UnitOfWork, consumer_id: str, login: str, details: dict[str, Any], now: int) -> None:
    """Into the host's history: who changed when work may start there. details: `bound`, `unbound` or `enforced`."""
    uow.history.add(
        HistoryEvent(
            consumer_id=consumer_id,
            type=HistoryType.WINDOWS_CHANGED,
            at=now,
            originator=login,
            details=msgspec.json.encode(details),
        )
    )


def _read(
    uow: UnitOfWork, name: str, consumer_id: str
) -> tuple[Consumer, list[NamedWindow], NamedWindow]:
    """The host, the windows and freezes that hold there, and the one it is about."""
    window = window_named(uow, name)
    consumer = found(uow.consumers.get(consumer_id), consumer_id)
    return consumer, uow.windows.of(consumer), window


def _without(consumer: Consumer, name: str) -> Consumer:
    return consumer.replace(windows=[each for each in consumer.windows if each != name])
