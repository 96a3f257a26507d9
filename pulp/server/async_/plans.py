"""What was planned by the hosts' calendars, and changes with them."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.server.db.base import UnitOfWork


class Plans:
    """`api.ports.Plans`."""

    def changed(
        self, uow: UnitOfWork, name: str | None, consumer_ids: Sequence[str] | None, now: int
    ) -> None:
        """Mark the hosts: what their calendars say is newer than what they know."""
        uow.consumers.raise_keep_plan(consumer_ids)
