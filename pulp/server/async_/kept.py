"""Answers that an earlier release kept, because it had no class that could take them: their tasks end once one has."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pulp.rmi.versions import Known
from pulp.server.async_.applying import Applying
from pulp.server.db.base import Store, StoreUnavailable, UnitOfWork
from pulp.server.domain.task import TaskRecord
from pulp.server.tasking.task import TaskKinds

log = logging.getLogger(__name__)

BATCH = 100


class KeptAnswers:
    """Goes once through what is kept: the classes do not change while a server runs."""

    def __init__(self, store: Store, kinds: TaskKinds, methods: Known) -> None:
        self._store = store
        self._kinds = kinds
        self._methods = methods
        self._seen: int | None = 0  # up to this seq; None: all

    def step(self, now: int) -> bool:
        """Take one bounded batch; True when there may be more."""
        if self._seen is None:
            return False
        after = self._seen
        records = self._store.read(lambda uow: uow.tasks.answered(after, BATCH))
        for record in records:
            if self._kinds.runs(record):
                self._resume(record, now)
        self._seen = records[-1].seq if len(records) == BATCH else None
        return self._seen is not None

    def _resume(self, record: TaskRecord, now: int) -> None:
        """A class whose own code raises loses its writes; the task ends without it, as on arrival."""
        try:
            self._store.write(self._job(record, now, plainly=False))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a kept answer could not be applied", extra={"task_id": record.id})
            self._store.write(self._job(record, now, plainly=True))

    def _job(self, record: TaskRecord, now: int, *, plainly: bool) -> Callable[[UnitOfWork], None]:
        def job(uow: UnitOfWork) -> None:
            applying = Applying(
                self._kinds,
                uow,
                record.consumer_id or "",
                now,
                plainly=plainly,
                methods=self._methods,
            )
            applying.resume(record.id)

        return job
