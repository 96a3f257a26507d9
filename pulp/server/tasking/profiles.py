"""A host's installed packages as its agent tells them, unasked or as a task's result: kept, and noted when they changed."""

from __future__ import annotations

import msgspec

from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import StoredProfile
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskRecord


def keep_profile(
    uow: UnitOfWork, profile: StoredProfile, *, packages: int, task: TaskRecord | None = None
) -> None:
    """Keep the newest profile, of so many packages; one that differs from the one before is an event of the consumer's
    history. `task`: the one that asked for it."""
    before = uow.consumers.profile(profile.consumer_id)
    uow.consumers.save_profile(profile)
    if before is None or before.hash == profile.hash:
        return
    details = {"from": before.hash, "to": profile.hash, "packages": packages}
    uow.history.add(
        HistoryEvent(
            consumer_id=profile.consumer_id,
            type=HistoryType.PROFILE_CHANGED,
            at=profile.at,
            originator=task.requested_by if task else "agent",
            task_id=task.id if task else None,
            details=msgspec.json.encode(details),
        )
    )
