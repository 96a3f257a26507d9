"""Keeps: tells each connected agent its host's own calendar whenever what it says has changed (docs/WIRE.md, rule 10)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from pulp.common.failpoints import failpoint
from pulp.messaging.base import Bus
from pulp.rmi.messages import Keep
from pulp.rmi.versions import ENFORCED_WINDOWS
from pulp.server.async_ import outgoing
from pulp.server.async_.sessions import Session, Sessions
from pulp.server.db.base import Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.window import calendar_of

BATCH = 200


def keep_of(uow: UnitOfWork, consumer: Consumer) -> Keep | None:
    """None as long as nothing has ever been said of the host's calendar."""
    if consumer.keep_plan == 0:
        return None
    return Keep(
        plan=consumer.keep_plan,
        enforced=consumer.enforced,
        calendar=calendar_of(consumer, uow.windows.of(consumer)),
    )


class Keeps:
    """What is owed to whom is remembered only as long as they are connected: a hello is answered with the newest. Only the
    dispatcher's thread sends, so that no request that was planned by a calendar goes out before it."""

    def __init__(self, bus: Bus, store: Store, sessions: Sessions) -> None:
        self._bus = bus
        self._store = store
        self._sessions = sessions
        self._news: deque[Sequence[str] | None] = deque()
        self._owed: dict[str, None] = {}

    def changed(self, consumer_ids: Sequence[str] | None) -> None:
        """What these hosts' calendars say has been stored; None: every host's. From any thread."""
        self._news.append(consumer_ids)

    def step(self) -> bool:
        """Send one bounded batch; True when there is more."""
        self._note()
        self._send(list(islice(self._owed, BATCH)))
        return bool(self._owed)

    def before(self, consumer_ids: Iterable[str]) -> None:
        """Before anything is asked of these: what they are owed goes first."""
        self._note()
        self._send([each for each in consumer_ids if each in self._owed])

    def _note(self) -> None:
        while self._news:
            ids = self._news.popleft()
            if ids is None:
                ids = [session.consumer_id for session in self._sessions.all()]
            self._owed |= dict.fromkeys(each for each in ids if self._session(each))

    def _session(self, consumer_id: str) -> Session | None:
        """That of an agent that understands."""
        session = self._sessions.of(consumer_id)
        return session if session and ENFORCED_WINDOWS in session.features else None

    def _send(self, consumer_ids: Sequence[str]) -> None:
        if not consumer_ids:
            return
        for consumer_id, keep in self._store.read(lambda uow: _keeps(uow, consumer_ids)):
            session = self._session(consumer_id)
            if session is not None and keep.plan > session.keep_plan:
                session.keep_plan = keep.plan
                self._bus.send(session.peer, [outgoing.message(keep)])
                failpoint("server.keep.sent")
        for consumer_id in consumer_ids:
            del self._owed[consumer_id]


def _keeps(uow: UnitOfWork, consumer_ids: Sequence[str]) -> list[tuple[str, Keep]]:
    found = ((each, uow.consumers.get(each)) for each in consumer_ids)
    keeps = ((each, keep_of(uow, consumer)) for each, consumer in found if consumer is not None)
    return [(each, keep) for each, keep in keeps if keep is not None]
