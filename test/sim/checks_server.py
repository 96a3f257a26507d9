"""Rules about what the server says and acknowledges, and whom it lets in."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import msgspec

from pulp.messaging.base import Grant, Message, PeerCertificate
from pulp.rmi import codec
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import (
    FINALS,
    Accepted,
    Cancel,
    Canceled,
    Hello,
    Keep,
    Profile,
    Query,
    Renewed,
    Replan,
    Request,
    Started,
    Welcome,
)
from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryType
from pulp.server.domain.task import QUEUED, REBOOTING, TaskRecord, TaskState
from sim.rules import Rules

if TYPE_CHECKING:
    from sim.connection import Connection, Packet

STORED = "1 stored before it is sent"
SETTLED = "1 settled after the commit"


class ServerChecks(Rules):
    # --- says ---

    def server_sends(self, connection: Connection, message: Message) -> None:
        self.leaks(message.body)
        told = codec.decode_for_agent(message.body, message.content_encoding)
        uow = self.look(STORED)
        match told:
            case Request() if told.id not in self.pings:
                self._request(uow, connection, told)
            case Cancel(id=call_id):
                connection.canceled.add(call_id)
                record = uow.tasks.get(call_id)
                if record and not record.state.final and record.cancel_requested_at is None:
                    self.broken(STORED, "a cancel", record)
            case Replan():
                self._replan(uow, connection, told)
            case Keep():
                consumer = uow.consumers.by_uid(connection.peer.identity)
                if consumer is not None and consumer.keep_plan < told.plan:
                    self.broken(STORED, "a calendar", told)
                self.plans[connection.peer.identity].append(message.body)
            case Query(id=call_id):
                if uow.tasks.get(call_id) is None:
                    self.broken(STORED, "a query about nothing", call_id)
            case Welcome() | Renewed():
                self._of_consumer(uow, connection, told)

    def _replan(self, uow: SqliteUnit, connection: Connection, told: Replan) -> None:
        record = uow.tasks.get(told.id)
        if record is not None and record.plan < told.plan:
            self.broken(STORED, "a plan", told, record)
        if record is not None and record.plan == told.plan and record.expires != told.expires:
            self.broken("2 a plan number is of one plan", told, record)
        self.plans[connection.peer.identity].append(msgspec.json.encode(told))

    def _of_consumer(
        self, uow: SqliteUnit, connection: Connection, told: Welcome | Renewed
    ) -> None:
        consumer = uow.consumers.by_uid(connection.peer.identity)
        if isinstance(told, Renewed):
            if consumer and f"fp:{told.certificate}" not in consumer.fingerprints:
                self.broken(STORED, "a certificate", told)
            return
        if consumer is None or consumer.agent is None:
            self.broken(STORED, "a welcome before the hello")
        connection.welcomed_at = self.world.now
        for other in connection.network.connections.values():
            same = other.peer.identity == connection.peer.identity and other is not connection
            closed = other.server_done and other.closed_at != self.world.now
            heard = other.welcomed_at is not None and not closed
            if same and heard and _journal(other) != _journal(connection):
                self.broken("9 of two hosts with one identity one is refused", connection.peer)

    def _request(self, uow: SqliteUnit, connection: Connection, request: Request) -> None:
        record = uow.tasks.get(request.id)
        if record is None or record.call is None:
            self.broken(STORED, request.id, record)
        if record.state is TaskState.SCHEDULED or record.phase == QUEUED:
            self.broken(STORED, record)
        consumer = uow.consumers.get(record.consumer_id or "")
        if consumer is not None and consumer.uid != connection.peer.identity:
            self.broken("9 a request goes to its consumer only", record, connection.peer)
        if record.window and "window" not in request.needs:
            self.broken("8 what restricts is named in needs", request)
        text, before = msgspec.json.encode(request), self.requests.get(request.id)
        if before and before != text and msgspec.json.decode(before)["plan"] == request.plan:
            self.broken("2 the same request every time", before, text)
        self.requests[request.id] = text
        connection.requested.add(record.id)
        self._bounded(uow, connection, record)
        if record.sent_at == self.world.now:
            self._first(uow, connection, record)

    def _bounded(self, uow: SqliteUnit, connection: Connection, record: TaskRecord) -> None:
        opened = uow.tasks.unaccepted(record.consumer_id or "")
        unaccepted = [r for r in opened if r.id in connection.requested]
        if len(unaccepted) > self.most_unaccepted:
            self.broken("6 a bounded number of calls is unaccepted", len(unaccepted), record)

    def _first(self, uow: SqliteUnit, connection: Connection, record: TaskRecord) -> None:
        features = connection.agent.daemon._me.features  # type: ignore[attr-defined]
        if record.window and "window" not in features:
            self.broken("8 nothing is sent that the agent cannot take", record)
        for older in uow.tasks.unsent(record.consumer_id or "", 1000):
            if older.seq < record.seq and older.not_before is None:
                self.broken("6 requests go out in order", older, record)

    # --- acknowledges ---

    def server_settles(self, packet: Packet) -> None:
        """Nothing is acknowledged before what it caused is committed."""
        uow = self.look(SETTLED)
        try:
            said = codec.decode_for_server(packet.message.body, packet.message.content_encoding)
        except RemoteCallError:
            return
        consumer = uow.consumers.by_uid(packet.peer.identity)
        if consumer is None:
            return
        match said:
            case Hello():
                self._hello_settled(uow, packet.connection, consumer, said)
            case Profile():
                if uow.consumers.profile(consumer.id) is None:
                    self.broken(SETTLED, said)
            case Accepted() | Started():
                record = uow.tasks.get(said.id)
                mine = record is not None and record.consumer_id == consumer.id
                if record and mine and record.state is TaskState.WAITING:
                    self.broken(SETTLED, said, record)
                if record and mine and isinstance(said, Accepted):
                    self._opening_settled(consumer, record, said)
            case final if isinstance(final, FINALS) and final.id not in self.pings:
                self._final_settled(uow, consumer, final)

    def _hello_settled(
        self, uow: SqliteUnit, connection: Connection, consumer: Consumer, hello: Hello
    ) -> None:
        if consumer.agent is None:
            self.broken(SETTLED, hello)
        listed = {call.id for call in hello.calls}
        for record in uow.tasks.unaccepted(consumer.id)[: self.most_unaccepted]:
            known = record.id in connection.requested or record.id in listed
            if record.cancel_requested_at is None and not known:
                self.broken("1 what was not accepted is sent again at the hello", record)
        for record in uow.tasks.open_of(consumer.id):
            if record.phase == REBOOTING and _left(record) != hello.boot_id:
                self.broken("6 a host that is back ends what waited for it", record, hello)
        for call in hello.calls:
            record = uow.tasks.get(call.id)
            over = record is None or record.state.final
            if over and call.state != "done" and call.id not in connection.canceled:
                self.broken("1 what is over here is called off there", call, record)

    def _opening_settled(self, consumer: Consumer, record: TaskRecord, said: Accepted) -> None:
        """What was said later may have been stored together with it."""
        told = self.openings[consumer.uid, said.id]
        if record.state is not TaskState.HELD or said.starts not in told:
            return
        if record.starts not in told[told.index(said.starts) :]:
            self.broken("6 a held task says when it starts", said, record)

    def _final_settled(self, uow: SqliteUnit, consumer: Consumer, said: Any) -> None:
        record = uow.tasks.get(said.id)
        kept = {e.type for e in uow.history.of_task(said.id)}
        if record is None:
            if HistoryType.ORPHAN_RESULT not in kept:
                self.broken("4 an orphan's result is kept", said)
        elif record.consumer_id == consumer.id:
            if not record.state.final and record.answer is None:
                self.broken(SETTLED, said, record)
            if not record.state.final:
                return  # kept for the class that knows it
            if not _same_end(record, said) and HistoryType.LATE_RESULT not in kept:
                self.broken("4 a late result is kept", said, record)

    # --- lets in, goes on ---

    def admits(
        self, connection: Connection, certificate: PeerCertificate, grant: Grant | None
    ) -> None:
        if grant is None:
            return
        consumer = self.disk.look().consumers.by_uid(grant.identity)
        if consumer is None or certificate.fingerprint not in consumer.fingerprints:
            self.broken("9 only the stored certificate is let in", certificate, grant)

    def step_failed(self, name: str, error: Exception) -> None:
        self.broken("6 no step of a thread fails", name, "".join(traceback.format_exception(error)))

    def comes_to_rest(self, connections: dict[int, Connection]) -> None:
        """The dispatcher has nothing more to do: what waits for an absent agent is out of the others' way."""
        uow = self.disk.look()
        there = {c.peer.identity for c in connections.values()}
        for claim in uow.tasks.claimable(100):
            consumer = uow.consumers.get(claim.consumer_id or "")
            if consumer is not None and consumer.uid not in there:
                self.broken("6 tasks of absent agents are parked", claim)


def _left(record: TaskRecord) -> str:
    """The start of the host that was to end."""
    return str(msgspec.json.decode(record.answer or b"{}")["value"]["boot_id"])


def _journal(connection: Connection) -> str:
    return str(connection.agent.daemon._me.journal_id)  # type: ignore[attr-defined]


def _same_end(record: TaskRecord, said: Any) -> bool:
    if hasattr(said, "value"):
        return record.result is not None
    if record.error is None:
        return False
    if record.rule is not None and record.rule.void:
        return isinstance(said, Canceled) or record.error.code == getattr(said, "code", "")
    code = getattr(said, "code", "canceled")
    return bool(record.error.code == code or record.state.value == "canceled" == code)
