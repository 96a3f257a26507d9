"""ConsumerHistoryApi: what really happened on a host, also on one that is no longer registered."""

from __future__ import annotations

import re

from pulp.server.api.access import require
from pulp.server.api.errors import NotFound
from pulp.server.api.paging import listed
from pulp.server.api.types import HistoryEventView, ListView
from pulp.server.api.views import history_item, history_view
from pulp.server.db.base import Page, Store, UnitOfWork
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.user import Principal, Role

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class ConsumerHistoryApi:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list(
        self,
        who: Principal,
        consumer_id: str,
        *,
        types: frozenset[HistoryType] = frozenset(),
        begin: int | None = None,
        end: int | None = None,
        newest_first: bool = True,
        after: str | None = None,
        limit: int = 100,
    ) -> ListView[HistoryEventView]:
        """`begin` and `end` are ms UTC, both inclusive; logs are left out. NotFound for an id that never was a consumer."""
        require(who, Role.VIEWER)

        def job(uow: UnitOfWork) -> Page[HistoryEvent]:
            if uow.consumers.get(consumer_id) is None and not uow.history.knows(consumer_id):
                raise NotFound(f"there is no consumer {consumer_id!r}, and there never was")
            return uow.history.page(
                consumer_id,
                types=types,
                begin=begin,
                end=end,
                newest_first=newest_first,
                after=after,
                limit=limit,
            )

        return listed(lambda: self._store.read(job), history_item)

    def show(self, who: Principal, consumer_id: str, entry: str) -> HistoryEventView:
        """One entry with all of its details. NotFound."""
        require(who, Role.VIEWER)
        event = None
        if _NUMBER.fullmatch(entry):
            event = self._store.read(lambda uow: uow.history.get(consumer_id, int(entry)))
        if event is None:
            raise NotFound(f"the history of {consumer_id!r} has no entry {entry!r}")
        return history_view(event)
