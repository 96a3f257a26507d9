"""ReplyListener: brings what the agents say to the tasks. One bounded batch a step; a delivery is settled only after all it
caused is committed, and is kept when the store is away."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pulp.common.failpoints import failpoint
from pulp.messaging.base import Bus, Delivery, Peer
from pulp.rmi import codec
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import (
    PROTOCOL,
    REPLIES,
    Failed,
    Hello,
    Message,
    Profile,
    ProfileHash,
    Renew,
    ToServer,
)
from pulp.rmi.versions import TODAY, Repertoire
from pulp.server.async_.applying import Applied, Applying
from pulp.server.async_.inbox import Gone, Inbox
from pulp.server.async_.kept import KeptAnswers
from pulp.server.async_.reception import Reception
from pulp.server.async_.sessions import Session, Sessions
from pulp.server.db.base import Store, StoreUnavailable, UnitOfWork
from pulp.server.domain.task import TaskRecord
from pulp.server.tasking.fifo import FIFOQueue
from pulp.server.tasking.task import TaskKinds

log = logging.getLogger(__name__)

BATCH = 500
MOST_UNREADABLE = 20
"""Unreadable messages of one connection that are kept; after that it is closed."""

_FINAL_TYPES = ("succeeded", "failed", "canceled", "rejected")


@dataclass(slots=True)
class _Work:
    """The messages of one batch about one call."""

    session: Session
    call_id: str
    messages: list[Message] = field(default_factory=list)


_Works = dict[tuple[str, str], _Work]
"""By consumer and call: what one host says of a call must never be taken for another's word."""


def _work(works: _Works, session: Session, call_id: str) -> _Work:
    return works.setdefault((session.consumer_id, call_id), _Work(session, call_id))


class ReplyListener:
    def __init__(
        self,
        *,
        bus: Bus,
        store: Store,
        kinds: TaskKinds,
        queue: FIFOQueue,
        inbox: Inbox,
        sessions: Sessions,
        reception: Reception,
        tell_newest: Callable[[TaskRecord], None],
        repertoire: Repertoire = TODAY,
    ) -> None:
        """tell_newest: that of the Gateway."""
        self._bus = bus
        self._store = store
        self._kinds = kinds
        self._queue = queue
        self._inbox = inbox
        self._sessions = sessions
        self._reception = reception
        self._tell_newest = tell_newest
        self._methods = repertoire.methods
        self._kept = KeptAnswers(store, kinds, self._methods)
        self.counts: Counter[str] = Counter()

    def step(self, now: int) -> bool:
        """Take one batch from the inbox; True when more is waiting. StoreUnavailable keeps the whole batch for later."""
        resuming = self._kept.step(now)
        events = self._inbox.take(BATCH)
        for segment in _segments(events):
            try:
                self._batch(segment, now)
            except StoreUnavailable:
                self._inbox.put_back(events)
                raise
            failpoint("server.reply.committed")
            self._bus.settle([e for e in segment if not isinstance(e, Gone)])
            failpoint("server.reply.settled")
            events = events[len(segment) :]
        return len(self._inbox) > 0 or resuming

    # --- one batch: hellos first, since they make the sessions; then the rest in order; the departed last ---

    def _batch(self, events: Sequence[Delivery | Gone], now: int) -> None:
        deliveries = [e for e in events if not isinstance(e, Gone)]
        read = [(d, self._read(d)) for d in deliveries]
        hellos = [(d.peer, m) for d, m in read if isinstance(m, Hello)]
        if hellos:
            self._reception.welcome(hellos, now)
        works: _Works = {}
        others: list[Future[Any]] = []
        for delivery, message in read:
            if not isinstance(message, Hello):
                others += self._sort(delivery, message, works, now)
        self._apply(list(works.values()), now)
        for future in others:
            future.result()
        self._reception.leave([e.peer for e in events if isinstance(e, Gone)], now)

    def _read(self, delivery: Delivery) -> ToServer | RemoteCallError:
        raw = delivery.message
        try:
            message = codec.decode_for_server(raw.body, raw.content_encoding)
        except RemoteCallError as e:
            self.counts["unreadable"] += 1
            return e
        self.counts[raw.subject] += 1
        return message

    def _sort(
        self,
        delivery: Delivery,
        message: ToServer | RemoteCallError,
        works: _Works,
        now: int,
    ) -> list[Future[Any]]:
        """Put a reply to its call's work; the jobs of what belongs to no call."""
        session = self._sessions.on(delivery.peer)
        if session is None:
            self._refuse(delivery.peer)
            return []
        match message:
            case RemoteCallError():
                return self._keep_unreadable(session, delivery, message, works, now)
            case Profile():
                return [self._reception.save_profile(session, message, now)]
            case ProfileHash():
                return [self._reception.confirm_profile(session, message, now)]
            case Renew():
                return self._reception.renew(session, message, now)
            case reply if isinstance(reply, REPLIES):
                _work(works, session, reply.id).messages.append(reply)
        return []

    def _refuse(self, peer: Peer) -> None:
        """Without a hello nobody knows whose words these are; what was said is said again after one."""
        self._bus.close(peer, "amqp:illegal-state", "the first message must be a hello")

    # --- calls ---

    def _apply(self, works: Sequence[_Work], now: int) -> None:
        jobs = [(w, self._store.submit(self._job(w, now, plainly=False))) for w in works]
        resend: list[TaskRecord] = []
        for work, future in jobs:
            applied = self._outcome(work, future, now)
            if applied.record is not None and applied.record.state.final:
                failpoint("server.end.committed")
            if applied.accepted:
                self._note_accepted(work.session, work.call_id)
            if applied.record is not None and not applied.record.state.final:
                self._say_again(applied, applied.record, resend)
        if resend:
            self._resend(resend, now)

    def _say_again(self, applied: Applied, record: TaskRecord, resend: list[TaskRecord]) -> None:
        if applied.resend:
            resend.append(record)
        if applied.held_again and (record.plan > 1 or record.cancel_requested_at is not None):
            self._tell_newest(record)

    def _job(self, work: _Work, now: int, *, plainly: bool) -> Callable[[UnitOfWork], Applied]:
        def job(uow: UnitOfWork) -> Applied:
            applying = Applying(
                self._kinds,
                uow,
                work.session.consumer_id,
                now,
                plainly=plainly,
                methods=self._methods,
            )
            return applying.apply(work.call_id, work.messages)

        return job

    def _outcome(self, work: _Work, future: Future[Applied], now: int) -> Applied:
        """A class whose own code raises loses its writes; the task ends as `internal` and the reply is settled."""
        try:
            return future.result()
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a reply could not be applied", extra={"task_id": work.call_id})
            self.counts["internal"] += 1
            return self._store.write(self._job(work, now, plainly=True))

    def _note_accepted(self, session: Session, call_id: str) -> None:
        session.unaccepted.discard(call_id)
        self._queue.has_room(session.consumer_id)

    def _resend(self, records: Sequence[TaskRecord], now: int) -> None:
        self._queue.send_again(records)
        log.info(
            "calls sent again: their agents never had them",
            extra={"count": len(records), "at": now},
        )

    # --- what cannot be read ---

    def _keep_unreadable(
        self,
        session: Session,
        delivery: Delivery,
        error: RemoteCallError,
        works: _Works,
        now: int,
    ) -> list[Future[Any]]:
        """Keep it raw for a person to look at. If it was a call's final, the call is over, and that is all that is known."""
        session.unreadable += 1
        if session.unreadable > MOST_UNREADABLE:
            self._bus.close(delivery.peer, "amqp:decode-error", f"too much is unreadable: {error}")
            return []
        log.warning(
            "unreadable message kept",
            extra={"consumer_id": session.consumer_id, "why": str(error)},
        )
        if error.call_id and error.type in _FINAL_TYPES:
            final = Failed(
                id=error.call_id, code="unreadable-result", message=str(error), v=PROTOCOL
            )
            _work(works, session, final.id).messages.append(final)
        body, reason = delivery.message.body, str(error)
        consumer_id = session.consumer_id
        return [
            self._store.submit(
                lambda uow: uow.unreadable.add(
                    at=now, consumer_id=consumer_id, reason=reason, body=body
                )
            )
        ]


def _segments(events: Sequence[Delivery | Gone]) -> list[list[Delivery | Gone]]:
    """Cut a batch so that within a segment nothing is received after a departure: who left and came back did so in this order."""
    segments: list[list[Delivery | Gone]] = [[]]
    for event in events:
        last = segments[-1]
        if last and isinstance(last[-1], Gone) and not isinstance(event, Gone):
            segments.append([])
        segments[-1].append(event)
    return segments
