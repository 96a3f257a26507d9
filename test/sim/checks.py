"""The ten invariants (ARCHITECTURE.md), checked at every step that could break one. Each rule is named by its invariant's number."""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from pulp_agent.calls import CallTable, Phase
from pulp_agent.events import Outcome, StartJob, Success
from pulp_agent.records import AnyRecord

from pulp.messaging.base import Grant, Message, PeerCertificate
from pulp.rmi import codec
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import (
    FINALS,
    Accepted,
    Cancel,
    Failed,
    Hello,
    Profile,
    Progress,
    Query,
    Renewed,
    Request,
    Started,
    Unknown,
    Welcome,
)
from pulp.server.api.waiting import waiting_for
from pulp.server.check import violations
from pulp.server.db.base import TaskChange
from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryType
from pulp.server.domain.task import QUEUED, TaskRecord, TaskState
from sim.host import SECRET, Folder, Host
from sim.journal import decode
from sim.store import Disk
from sim.world import Violation, World

if TYPE_CHECKING:
    from sim.network import Connection, Packet

LEAKS = (SECRET.encode(), b"Traceback (most", b'File \\"')
CLOSING = 10_000  # ms after which an agent has noticed that a window has closed


class Checks:
    def __init__(self, world: World, disk: Disk, most_unaccepted: int) -> None:
        self.world = world
        self.disk = disk
        self.most_unaccepted = most_unaccepted
        self.restored = 0  # how often the server's store went back
        self.tasks: dict[str, TaskRecord] = {}
        self.acknowledged: dict[str, str] = {}  # task → who asked
        self.results: dict[str, list[tuple[str, Outcome]]] = defaultdict(
            list
        )  # with the host's uid
        self.pings: set[str] = set()
        self.untakable: set[str] = set()
        self.requests: dict[str, bytes] = {}
        self.executions = 0

    def broken(self, rule: str, *what: object) -> None:
        raise Violation(rule, " ".join(map(str, what)))

    def look(self, rule: str) -> SqliteUnit:
        """The committed state; whoever speaks in the middle of a transaction speaks too early."""
        if self.disk.in_transaction:
            self.broken(rule, "in the middle of a transaction")
        return self.disk.look()

    # --- the server's store ---

    def committed(self, changes: Sequence[TaskChange]) -> None:
        """Right after each commit."""
        uow = self.disk.look()
        for task_id in dict.fromkeys(change.id for change in changes):
            record = uow.tasks.get(task_id)
            if record is None:
                self.broken("4 a stored task stays stored", task_id)
            else:
                self._committed(uow, record)

    def _committed(self, uow: SqliteUnit, record: TaskRecord) -> None:
        before = self.tasks.get(record.id)
        self.world.note("stored", record.id[:8], record.state.value, record.phase, record.parked)
        if before is not None and before.state.final and record != before:
            self.broken("4 a final state never changes", before, "->", record)
        if before is not None and before.cancel_requested_at and not record.cancel_requested_at:
            self.broken("1 a cancel is durable", record.id)
        self.tasks[record.id] = record
        for fault in violations(uow, record):
            self.broken(f"{fault.invariant} the store's own check", fault)
        if not record.state.final:
            self._waits(uow, record)
        elif before is None or not before.state.final:
            self._ended(uow, record)

    def _waits(self, uow: SqliteUnit, record: TaskRecord) -> None:
        consumer = uow.consumers.get(record.consumer_id) if record.consumer_id else None
        if record.deadline is None:
            self.broken("6 every open task has a deadline", record)
        if waiting_for(record, consumer, self.world.now) is None:
            self.broken("6 every open task says what it waits for", record)
        if uow.history.of_task(record.id):
            self.broken("5 no history before the end", record)

    def went_back(self, tasks: dict[str, TaskRecord], acknowledged: dict[str, str]) -> None:
        """The server's store is an older copy again: what it has forgotten was never promised."""
        self.restored += 1
        self.tasks, self.acknowledged = dict(tasks), dict(acknowledged)
        self.requests.clear()

    def _ended(self, uow: SqliteUnit, record: TaskRecord) -> None:
        events = uow.history.of_task(record.id)
        for text in (
            record.result or b"",
            msgspec.json.encode(record.error),
            *(e.details for e in events),
        ):
            self._leaks(text)
        if record.state is TaskState.FINISHED:
            self._succeeded(
                record, [e.details for e in events if e.type.value.startswith("packages")]
            )
        if record.state is TaskState.CANCELED and record.id in self.results:
            consumer = uow.consumers.get(record.consumer_id or "")
            uid = consumer.uid if consumer else ""
            done = [o for by, o in self.results[record.id] if by == uid and o.changed]
            if done and record.error and record.error.code == "canceled":
                self.broken("4 canceled means that nothing was changed", record, done)

    def _succeeded(self, record: TaskRecord, details: list[bytes]) -> None:
        successes = [bytes(o.value) for _, o in self.results[record.id] if isinstance(o, Success)]
        if record.result not in successes:
            self.broken("5 success only when the host had it", record, self.results[record.id])
        if not record.kind.startswith("packages.") or record.kind == "packages.refresh_profile":
            return
        result = msgspec.json.decode(record.result or b"null")
        owed = result.get("changed", False) and not result.get("dry_run", False)
        if len(details) != owed:
            self.broken("5 one history entry for a confirmed change", record, details)
        if owed:
            told = [p["name"] for p in msgspec.json.decode(details[0])["packages"]]
            if told != [c["name"] for c in result["changes"]]:
                self.broken("5 history says what the agent reports", record, details)

    def _leaks(self, text: bytes) -> None:
        if any(leak in text for leak in LEAKS):
            self.broken("10 no traceback or secret leaves a process", text)

    # --- what the server says ---

    def server_sends(self, connection: Connection, message: Message) -> None:
        self._leaks(message.body)
        told = codec.decode_for_agent(message.body, message.content_encoding)
        uow = self.look("1 stored before sent")
        match told:
            case Request():
                if not told.id in self.pings:
                    self._request(uow, connection, told)
            case Cancel():
                record = uow.tasks.get(told.id)
                if record and not record.state.final and record.cancel_requested_at is None:
                    self.broken("1 a cancel is stored before it is sent", record)
            case Query():
                if uow.tasks.get(told.id) is None:
                    self.broken("1 stored before sent", "a query about nothing", told.id)
            case Welcome():
                consumer = uow.consumers.by_uid(connection.peer.identity)
                if consumer is None or consumer.agent is None:
                    self.broken("1 stored before sent", "a welcome before the hello was stored")
            case Renewed():
                consumer = uow.consumers.by_uid(connection.peer.identity)
                if consumer and f"fp:{told.certificate}" not in consumer.fingerprints:
                    self.broken("1 stored before sent", "a certificate that is not stored", told)

    def _request(self, uow: SqliteUnit, connection: Connection, request: Request) -> None:
        record = uow.tasks.get(request.id)
        if record is None or record.call is None:
            self.broken("1 stored before sent", request.id, record)
            return
        if record.state is TaskState.SCHEDULED or record.phase == QUEUED:
            self.broken("1 stored as sent before it is sent", record)
        consumer = uow.consumers.get(record.consumer_id or "")
        if consumer is not None and consumer.uid != connection.peer.identity:
            self.broken("9 a request goes to its consumer only", record, connection.peer)
        first = record.sent_at == self.world.now
        if record.window and "window" not in request.needs:
            self.broken("8 what restricts is named in needs", request)
        if first and record.window and "window" not in self._features(connection):
            self.broken("8 nothing is sent that the agent cannot take", record)
        text = msgspec.json.encode(request)
        if self.requests.setdefault(request.id, text) != text:
            self.broken("2 the same request every time", self.requests[request.id], text)
        if record.consumer_id is not None:
            self._flow(uow, connection, record)

    @staticmethod
    def _features(connection: Connection) -> frozenset[str]:
        return connection.agent.daemon._me.features  # type: ignore[attr-defined,no-any-return]

    def _flow(self, uow: SqliteUnit, connection: Connection, record: TaskRecord) -> None:
        """On one connection at most so many calls are unaccepted, and they go out in the order they were asked for."""
        consumer_id = record.consumer_id or ""
        connection.requested.add(record.id)
        unaccepted = [r for r in uow.tasks.unaccepted(consumer_id) if r.id in connection.requested]
        if len(unaccepted) > self.most_unaccepted:
            self.broken("6 a bounded number of calls is unaccepted", consumer_id, len(unaccepted))
        if record.sent_at != self.world.now:
            return
        for older in uow.tasks.unsent(consumer_id, 1000):
            if older.seq < record.seq and older.not_before is None:
                self.broken("6 requests go out in order", older, record)

    def server_settles(self, packet: Packet) -> None:
        """Nothing is acknowledged before what it caused is committed."""
        rule = "1 settled after the commit"
        uow = self.look(rule)
        try:
            said = codec.decode_for_server(packet.message.body, packet.message.content_encoding)
        except RemoteCallError:
            return
        consumer = uow.consumers.by_uid(packet.peer.identity)
        if consumer is None:
            return
        if isinstance(said, Hello) and consumer.agent is None:
            self.broken(rule, said)
        if isinstance(said, Profile) and uow.consumers.profile(consumer.id) is None:
            self.broken(rule, said)
        if isinstance(said, FINALS):
            self._final_settled(uow, rule, consumer, said)
        if isinstance(said, Accepted | Started):
            record = uow.tasks.get(said.id)
            if record and record.consumer_id == consumer.id and record.state is TaskState.WAITING:
                self.broken(rule, said, record)

    def _final_settled(self, uow: SqliteUnit, rule: str, consumer: Consumer, said: Any) -> None:
        if said.id in self.pings:
            return
        record = uow.tasks.get(said.id)
        kept = {e.type for e in uow.history.of_task(said.id)}
        if record is None:
            if HistoryType.ORPHAN_RESULT not in kept:
                self.broken("4 an orphan's result is kept", said)
        elif record.consumer_id == consumer.id:
            if not record.state.final:
                self.broken(rule, said, record)
            if not self._same_end(record, said) and HistoryType.LATE_RESULT not in kept:
                self.broken("4 a late result is kept", said, record)

    @staticmethod
    def _same_end(record: TaskRecord, said: Any) -> bool:
        if hasattr(said, "value"):
            return record.result is not None
        if record.error is None:
            return False
        code = getattr(said, "code", "canceled")
        return record.error.code == code or record.state.value == "canceled" == code

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

    # --- what the agents say and do ---

    def journaled(self, host: Host, *, whole: bool = False) -> None:
        """Keep the index of what is safely on the host's disk."""
        disk = host.disk
        if whole or host.indexed > disk.synced:
            host.index, host.indexed = CallTable(), 0
        for line in disk.lines[host.indexed : disk.synced]:
            host.index.apply(decode(line))
        host.indexed = disk.synced

    def compacted(self, host: Host, records: list[AnyRecord]) -> None:
        before = CallTable(records)
        self.journaled(host, whole=True)
        if before.open != host.index.open or set(before.tombstones) - set(host.index.tombstones):
            self.broken("3 compaction keeps everything", before.open, host.index.open)

    def agent_sends(self, connection: Connection, message: Message) -> None:
        self._leaks(message.body)
        host: Host = connection.agent.host  # type: ignore[attr-defined]
        told = codec.decode_for_server(message.body, message.content_encoding)
        rule = "3 journaled before it is told"
        if isinstance(told, Hello):
            unsynced = [c for c in told.calls if c.id not in host.index.open]
            if unsynced or told.journal_seq > host.disk.base + host.disk.synced:
                self.broken(rule, told)
        call_id: str = getattr(told, "id", "")
        if not call_id or call_id in self.pings:
            if host.index.knows(call_id):
                self.broken("3 a ping is not journaled", told)
            return
        if isinstance(told, FINALS):
            self._final_told(host, rule, told)
        call = host.index.open.get(call_id)
        if isinstance(told, Accepted) and call is None:
            self.broken(rule, told)
        if isinstance(told, Started | Progress) and (call is None or call.phase is Phase.WAITING):
            self.broken(rule, told)
        if isinstance(told, Unknown) and host.index.knows(call_id):
            self.broken("3 a known call is not unknown", told)

    def _final_told(self, host: Host, rule: str, told: Any) -> None:
        index, call = host.index, host.index.open.get(told.id)
        if isinstance(told, Failed) and told.code == "already-answered" and call is None:
            if told.id not in index.tombstones:
                self.broken(rule, told)
            return
        if call.final is None if call else told.id not in index.tombstones:
            self.broken(rule, told)
        text = msgspec.json.encode(told)
        if host.answers.setdefault(told.id, text) != text:
            self.broken("3 one answer for ever", host.answers[told.id], text)

    def agent_accepts(self, connection: Connection, message: Message) -> None:
        host: Host = connection.agent.host  # type: ignore[attr-defined]
        try:
            heard = codec.decode_for_agent(message.body, message.content_encoding)
        except RemoteCallError as error:
            if error.call_id and not host.index.knows(error.call_id):
                self.broken("8 what cannot be read is refused, not dropped", error)
            return
        if isinstance(heard, Request | Cancel) and not heard.id in self.pings:
            if not host.index.knows(heard.id):
                self.broken("3 journaled before it is accepted", heard)

    def agent_starts(self, host: Host, job: StartJob) -> None:
        call = host.index.open.get(job.id)
        if job.id in self.untakable:
            self.broken("8 what an agent cannot take is refused", job)
        if call is None or call.phase is not Phase.RUNNING:
            self.broken("3 journaled before it is started", job)
            return
        folder = host.disk.spool.get(job.id)
        if folder is not None and folder.began:
            return  # its repair: the execution began in time
        wall, window = host.wall, call.window
        if window and not window.begin <= wall < window.end:
            self.broken("7 nothing starts outside its window", window, wall, job)
        if wall > call.expires:
            self.broken("7 nothing starts after it expired", call.expires, wall, job)
        if window:
            seen = host.used.setdefault((window.begin, window.end), None)
            if seen is not None and self.world.now - seen > CLOSING:
                self.broken("7 a window that was seen to close stays closed", window, wall, job)

    def job_begins(self, host: Host, call_id: str, folder: Folder) -> None:
        others = [j.id for j in host.jobs if j.id != call_id and j.folder.holder is j]
        if _changes_host(folder) and any(
            _changes_host(host.disk.spool[i]) for i in others if i in host.disk.spool
        ):
            self.broken("3 calls that change the host run one at a time", call_id, others)

    def transaction(self, host: Host, call_id: str) -> None:
        self.executions += 1
        if host.changed_by.get(call_id):
            self.broken("3 executed at most once", host.name, call_id)
        call = host.index.open.get(call_id)
        if call is None or call.final is not None:
            self.broken("3 nothing is done after the answer", host.name, call_id, call)

    def job_results(self, host: Host, call_id: str, outcome: Outcome) -> None:
        self.results[call_id].append((host.uid, outcome))

    def agent_forgets(self, host: Host, ids: Sequence[str]) -> None:
        if self.restored:
            return
        uow = self.disk.look()
        for call_id in ids:
            record = uow.tasks.get(call_id)
            orphan = record is None and any(
                e.type is HistoryType.ORPHAN_RESULT for e in uow.history.of_task(call_id)
            )
            if not orphan and (record is None or not record.state.final):
                self.broken("3 a final is kept until the server has it", call_id, record)

    # --- at the end ---

    def ended(self) -> Iterator[tuple[str, Any]]:
        """Once all is quiet."""
        uow = self.disk.look()
        for task_id, who in self.acknowledged.items():
            record = uow.tasks.get(task_id)
            if record is None:
                yield "1 what was acknowledged is stored", task_id
            elif not record.state.final:
                yield "6 nothing waits for ever", record
            elif record != self.tasks[task_id]:
                yield "4 a final state never changes", record
            elif record.requested_by != who:
                yield "5 the originator is the user who asked", (record, who)
            else:
                for fault in violations(uow, record):
                    yield f"{fault.invariant} the store's own check", fault


def _changes_host(folder: Folder) -> bool:
    return folder.request is not None and folder.request.method != "Packages.profile"
