"""What has lost its use is dropped, a small chunk at a time so that nobody waits for it: ended sessions, old idempotency keys,
and tasks and history older than they are to be kept."""

from __future__ import annotations

from dataclasses import dataclass

from pulp.common.times import MINUTE
from pulp.server.api.idempotency import KEPT
from pulp.server.db.base import Store, UnitOfWork

EVERY = 10 * MINUTE
CHUNK = 500  # rows of one commit


@dataclass(frozen=True, slots=True)
class Retention:
    """How long (ms) what has ended is kept; None: for ever."""

    tasks: int | None
    history: int | None


class Housekeeper:
    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention

    def step(self, now: int) -> int:
        """Drop one chunk; the moment (ms UTC) of the next one."""
        more = self._store.write(lambda uow: self._tidy(uow, now))
        return now if more else now + EVERY

    def _tidy(self, uow: UnitOfWork, now: int) -> bool:
        uow.users.purge_sessions(now)
        uow.idempotency.purge(now - KEPT)
        keep, dropped = self._retention, [0]
        if keep.tasks is not None:
            dropped.append(uow.tasks.purge(now - keep.tasks, CHUNK))
        if keep.history is not None:
            dropped.append(uow.history.purge(now - keep.history, CHUNK))
        return max(dropped) == CHUNK
