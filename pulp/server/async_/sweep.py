"""The slow sweep: what was sent and got no answer is sent again, for whatever reason it was lost on the way; and a call that
its agent took and has long been silent about is asked for (`query`), so that nothing counts as running for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pulp.common.times import MINUTE, SECOND
from pulp.server.async_.gateway import Gateway
from pulp.server.async_.sessions import Sessions
from pulp.server.db.base import Store
from pulp.server.domain.task import SENT, TaskRecord, TaskState

UNANSWERED = 30 * SECOND
"""An agent accepts within milliseconds; a call that is this old and unaccepted was lost."""
SILENT = 10 * MINUTE
"""An agent that is connected is asked this often about a call it has and says nothing new of."""
CHUNK = 100  # consumers looked at in one step


class Sweep:
    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        gateway: Gateway,
        *,
        interval: int,
        has_room: Callable[[str], None],
    ) -> None:
        """interval: ms between the starts of two rounds over all connected consumers. `has_room`: the queue is to look
        at this consumer's backlog, for what filled its room may have ended unaccepted."""
        self._store = store
        self._sessions = sessions
        self._gateway = gateway
        self._interval = interval
        self._has_room = has_room
        self._left: deque[str] = deque()
        self._next_round = 0
        self._asked: dict[str, int] = {}  # task id → when its agent was last asked

    def step(self, now: int) -> int:
        """Look at a few connected consumers; the moment of the next step (ms UTC)."""
        if not self._left:
            if now < self._next_round:
                return self._next_round
            self._left.extend(session.consumer_id for session in self._sessions.all())
            self._next_round = now + self._interval
            self._asked = {i: at for i, at in self._asked.items() if now - at < SILENT}
        for _ in range(min(CHUNK, len(self._left))):
            self._look_at(self._left.popleft(), now)
        return now if self._left else self._next_round

    def _look_at(self, consumer_id: str, now: int) -> None:
        self._has_room(consumer_id)
        records = self._store.read(lambda uow: uow.tasks.open_of(consumer_id))
        records = [r for r in records if r.answer is None]
        unsure = [r for r in records if r.call is not None and _is_unanswered(r, now)]
        for record in unsure:
            if record.cancel_requested_at is not None:
                self._gateway.cancel(record)
        self._gateway.send([r for r in unsure if r.cancel_requested_at is None])
        for record in records:
            if self._is_silent(record, now):
                self._asked[record.id] = now
                self._gateway.query(record)

    def _is_silent(self, record: TaskRecord, now: int) -> bool:
        if record.state not in (TaskState.HELD, TaskState.RUNNING):
            return False
        heard = max(record.accepted_at or 0, record.starts or 0, record.started_at or 0)
        return now - max(heard, self._asked.get(record.id, 0)) >= SILENT


def _is_unanswered(record: TaskRecord, now: int) -> bool:
    asked = record.cancel_requested_at
    if asked is not None:
        return not record.cancel_refused and now - asked >= UNANSWERED
    sent = record.sent_at or now
    return record.state is TaskState.WAITING and record.phase == SENT and now - sent >= UNANSWERED
