"""What has lost its use is dropped: ended sessions, old idempotency keys. Called now and then by the server's slow sweep."""

from __future__ import annotations

from pulp.server.api.idempotency import KEPT
from pulp.server.db.base import Store, UnitOfWork


def tidy(store: Store, now: int) -> int:
    """How many records went."""

    def job(uow: UnitOfWork) -> int:
        return uow.users.purge_sessions(now) + uow.idempotency.purge(now - KEPT)

    return store.write(job)
