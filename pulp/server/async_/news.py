"""News: what connected agents must hear of changed plans: their hosts' calendars, and the calls that were planned anew. Who is
away hears it at the next hello, so nothing here outlives the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from pulp.server.async_.gateway import Gateway
from pulp.server.db.base import Store

BATCH = 200


class News:
    def __init__(self, store: Store, gateway: Gateway, wake: Callable[[], None]) -> None:
        """`wake` sets the dispatcher going."""
        self._store = store
        self._gateway = gateway
        self._wake = wake
        self._moved: deque[str] = deque()

    # --- for everybody, after the commit ---

    def calendars_changed(self, consumer_ids: Sequence[str] | None) -> None:
        """None: every host's."""
        self._gateway.keeps.changed(consumer_ids)
        self._wake()

    def task_moved(self, task_id: str) -> None:
        """It has a new plan, or is called off."""
        self._moved.append(task_id)
        self._wake()

    # --- for the dispatcher thread, which has sent the requests too ---

    def step(self) -> bool:
        """Send one bounded batch; True when there is more."""
        more = self._gateway.keeps.step()
        ids = list(islice(self._moved, BATCH))
        for record in self._store.read(lambda uow: [uow.tasks.get(each) for each in ids]):
            if record is not None and not record.state.final:
                self._gateway.tell_newest(record)
        for _ in ids:
            self._moved.popleft()
        return bool(self._moved) or more
