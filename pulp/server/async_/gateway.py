"""The way to the agents: who can take how much now, and the sending itself. Nothing here is remembered but by the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from pulp.common.clock import Clock
from pulp.common.failpoints import failpoint
from pulp.messaging.base import Bus, Message, Peer
from pulp.rmi.interfaces import Method
from pulp.rmi.versions import ENFORCED_WINDOWS, TODAY, Repertoire
from pulp.server.async_ import outgoing
from pulp.server.async_.agent import AsyncAgent
from pulp.server.async_.keeps import Keeps
from pulp.server.async_.sessions import Session, Sessions
from pulp.server.db.base import Store, UnitOfWork
from pulp.server.domain.task import TaskRecord, TaskState

MOST_UNACCEPTED = 32
"""Calls that may be sent to one agent and not yet accepted (WIRE.md rule 4)."""


class Gateway:
    """Implements tasking.context.AgentGateway."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        sessions: Sessions,
        clock: Clock,
        repertoire: Repertoire = TODAY,
    ) -> None:
        self._bus = bus
        self._store = store
        self._sessions = sessions
        self._clock = clock
        self._repertoire = repertoire
        self.keeps = Keeps(bus, store, sessions)

    def room(self, consumer_id: str) -> int:
        session = self._sessions.of(consumer_id)
        if session is None:
            return -1
        if len(session.unaccepted) >= MOST_UNACCEPTED:
            session.unaccepted &= self._unaccepted(consumer_id)
        return max(0, MOST_UNACCEPTED - len(session.unaccepted))

    def _unaccepted(self, consumer_id: str) -> set[str]:
        return self._store.read(lambda uow: {r.id for r in uow.tasks.unaccepted(consumer_id)})

    def proxy(self, uow: UnitOfWork, record: TaskRecord) -> AsyncAgent:
        session = self._session(record)
        if session is None:
            raise ConnectionError(f"{record.consumer_id} left while its task was run")
        keeps = ENFORCED_WINDOWS in session.features
        enforced = not keeps and _is_enforced(uow, session.consumer_id)
        return AsyncAgent(record, session, self._repertoire, enforced=enforced)

    def send(self, records: Sequence[TaskRecord]) -> None:
        outbox: dict[Peer, list[Message]] = defaultdict(list)
        self.keeps.before({r.consumer_id for r in records if r.consumer_id is not None})
        for record in records:
            session = self._session(record)
            if session is not None:
                session.unaccepted.add(record.id)
                outbox[session.peer].append(outgoing.request(record))
        for peer, messages in outbox.items():
            self._bus.send(peer, messages)
            failpoint("server.request.sent")

    def cancel(self, record: TaskRecord) -> None:
        session = self._session(record)
        if session is not None:
            self._bus.send(session.peer, [outgoing.cancel(record.id)])
            failpoint("server.cancel.sent")

    def replan(self, record: TaskRecord) -> None:
        """Tell the agent the call's newest plan, if it is connected and has the call, or was sent it by this connection."""
        session = self._session(record)
        if session is None:
            return
        if record.state is not TaskState.WAITING or record.id in session.unaccepted:
            self._bus.send(session.peer, [outgoing.replan(record, session.features)])
            failpoint("server.replan.sent")

    def tell_newest(self, record: TaskRecord) -> None:
        """The call is to be given up, or goes by another plan: what its agent may not know, or was told too early."""
        if record.cancel_requested_at is not None:
            self.cancel(record)
        else:
            self.replan(record)

    def query(self, record: TaskRecord) -> None:
        """Ask where the call stands, if its agent is connected."""
        session = self._session(record)
        if session is not None:
            self._bus.send(session.peer, [outgoing.query(record.id)])

    def call_now(self, consumer_id: str, call_id: str, method: Method, args: Struct) -> bool:
        """Send a call that is no task; False when the consumer is not connected."""
        session = self._sessions.of(consumer_id)
        if session is None:
            return False
        now = self._clock.now()
        self._bus.send(session.peer, [outgoing.immediate(consumer_id, call_id, method, args, now)])
        return True

    def _session(self, record: TaskRecord) -> Session | None:
        return self._sessions.of(record.consumer_id) if record.consumer_id else None


def _is_enforced(uow: UnitOfWork, consumer_id: str) -> bool:
    consumer = uow.consumers.get(consumer_id)
    return consumer is not None and consumer.enforced
