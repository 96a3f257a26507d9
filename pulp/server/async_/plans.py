"""What was planned by the hosts' calendars, and changes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pulp.server.db.base import UnitOfWork

Changed = Callable[[Sequence[str] | None], None]


class Plans:
    """`api.ports.Plans`."""

    def __init__(self, *changed: Changed) -> None:
        """`changed`: to be called after the commit with the hosts whose calendars have changed, None: every one. They must not
        block."""
        self._changed = changed

    def changed(
        self, uow: UnitOfWork, name: str | None, consumer_ids: Sequence[str] | None, now: int
    ) -> None:
        """Mark the hosts: what their calendars say is newer than what they know. After the commit their agents are told, and what
        waits for windows there is planned anew; an agent that is away hears of it at its next hello."""
        uow.consumers.raise_keep_plan(consumer_ids)
        for tell in self._changed:
            uow.after_commit(lambda tell=tell: tell(consumer_ids))  # type: ignore[misc]
