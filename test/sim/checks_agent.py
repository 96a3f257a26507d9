"""Rules about what agents write, say and do, and about what really happens on their hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from pulp_agent.call import Call, Phase
from pulp_agent.calls import CallTable
from pulp_agent.events import Outcome, StartFetch, StartJob
from pulp_agent.records import AnyRecord, Kept, Replanned

from pulp.common.times import LAST
from pulp.messaging.base import Message
from pulp.rmi import codec
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.interfaces import Lane
from pulp.rmi.messages import (
    FINALS,
    Accepted,
    Cancel,
    Canceled,
    Failed,
    Hello,
    Keep,
    Override,
    Progress,
    Replan,
    Request,
    Started,
    Unknown,
    WireWindow,
)
from pulp.server.domain.history import HistoryType
from sim import rulebook
from sim.disk import Folder
from sim.host import Host
from sim.journal import decode
from sim.rules import Rules

if TYPE_CHECKING:
    from sim.connection import Connection

TOLD = "3 journaled before it is told"
CLOSING = 10_000  # ms after which an agent has noticed that a window has closed
GIVING_WAY = 70_000  # ms in which a fetch has ended that was told to, though its agent died


class AgentChecks(Rules):
    # --- writes ---

    def journaled(self, host: Host, *, whole: bool = False) -> None:
        """Keep the index of what is safely on the host's disk."""
        disk = host.disk
        if whole or host.indexed > disk.synced:
            host.index, host.indexed = CallTable(), 0
        for line in disk.lines[host.indexed : disk.synced]:
            record = decode(line)
            if not whole:
                self._newest_wins(host, record)
            host.index.apply(record)
        host.indexed = disk.synced

    def _newest_wins(self, host: Host, record: AnyRecord) -> None:
        keep = host.index.hours.keep
        match record:
            case Kept() if keep is not None and record.plan <= keep.plan:
                self.broken("7 the newest calendar counts", host.name, record, keep)
            case Replanned():
                call = host.index.open.get(record.id)
                if call is not None and record.plan <= call.plan:
                    self.broken("7 the newest plan counts", host.name, record, call)

    def compacted(self, host: Host, records: list[AnyRecord]) -> None:
        before = CallTable(records)
        self.journaled(host, whole=True)
        buried = set(before.tombstones) - set(host.index.tombstones)
        if before.open != host.index.open or buried:
            self.broken("3 compaction keeps everything", before.open, host.index.open, buried)

    # --- says ---

    def agent_sends(self, connection: Connection, message: Message) -> None:
        self.leaks(message.body)
        host = _host(connection)
        told = codec.decode_for_server(message.body, message.content_encoding)
        if isinstance(told, Hello):
            unsynced = [c for c in told.calls if c.id not in host.index.open]
            self.taken.update(call.id for call in told.calls)
            if unsynced or told.journal_seq > host.disk.base + host.disk.synced:
                self.broken(TOLD, told)
        call_id: str = getattr(told, "id", "")
        if call_id in self.pings:
            if host.index.knows(call_id):
                self.broken("3 a ping is not journaled", told)
        elif call_id:
            self._of_call(host, told, host.index.open.get(call_id))

    def _of_call(self, host: Host, told: Any, call: Call | None) -> None:
        if isinstance(told, Accepted | Started | Progress):
            self.taken.add(told.id)
        match told:
            case Accepted():
                if call is None:
                    self.broken(TOLD, told)
                if told.state == "held":
                    self.openings[host.uid, told.id].append(told.starts)
            case Started() | Progress():
                if call is None or call.phase is Phase.WAITING:
                    self.broken(TOLD, told)
            case Unknown():
                if host.index.knows(told.id):
                    self.broken("3 a known call is not unknown", told)
            case final if isinstance(final, FINALS):
                self._final_told(host, final, call)

    def _final_told(self, host: Host, told: Any, call: Call | None) -> None:
        if isinstance(told, Canceled):
            self.called_off[told.id].add(host)
            if host in self.changed[told.id]:
                self.broken("4 canceled means that nothing was changed", host.name, told)
        buried = told.id in host.index.tombstones
        if not buried and (call is None or call.final is None):
            self.broken(TOLD, told)
        if buried and isinstance(told, Failed) and told.code == "already-answered":
            return
        text = msgspec.json.encode(told)
        if host.answers.setdefault(told.id, text) != text:
            self.broken("3 one answer for ever", host.answers[told.id], text)

    # --- accepts ---

    def agent_accepts(self, connection: Connection, message: Message) -> None:
        index = _host(connection).index
        try:
            heard = codec.decode_for_agent(message.body, message.content_encoding)
        except RemoteCallError as error:
            if error.call_id and not index.knows(error.call_id):
                self.broken("8 what cannot be read is refused, not dropped", error)
            return
        if isinstance(heard, Keep | Replan):
            self._plan_taken(_host(connection), heard)
        if not isinstance(heard, Request | Cancel) or heard.id in self.pings:
            return
        if not index.knows(heard.id):
            self.broken("3 journaled before it is accepted", heard)
        call = index.open.get(heard.id)
        if isinstance(heard, Cancel) and call and call.phase is Phase.WAITING:
            self.broken("4 a cancel of what has not begun is obeyed", heard, call)

    def _plan_taken(self, host: Host, heard: Keep | Replan) -> None:
        index = host.index
        if isinstance(heard, Keep):
            host.keep = index.hours.keep
            if index.hours.keep is None or index.hours.keep.plan < heard.plan:
                self.broken("7 a calendar is journaled before it is accepted", heard)
            return
        call = index.open.get(heard.id)
        if call is not None and call.phase is Phase.WAITING and call.plan < heard.plan:
            self.broken("7 a plan is journaled before it is accepted", heard, call)

    # --- does ---

    def agent_starts(self, host: Host, job: StartJob) -> None:
        self.began[host.name, job.id] = self.world.now
        going_on = [fetch.id for fetch in host.fetching if fetch.folder.decision is None]
        if going_on and job.method != "Packages.profile":
            self.broken("7 what is fetched gives way to work", going_on, job)
        call = host.index.open.get(job.id)
        if call is None or call.phase is not Phase.RUNNING:
            self.broken("3 journaled before it is started", job)
        if host.index.restart is not None and job.method != "Packages.profile":
            self.broken("3 nothing else begins before a restart that is due", host.name, job)
        if job.id in self.untakable:
            self.broken("8 what an agent cannot take is refused", job)
        folder = host.disk.spool.get(job.id)
        if folder is None or not folder.began:  # else its repair: the execution began in time
            self._in_time(host, call)
            self._in_order(host, call)

    def restarts(self, host: Host, call_id: str) -> None:
        """The agent asks its system to restart the host: once in the host's life, and after its answer."""
        call = host.index.open.get(call_id)
        if host.index.restart is None or (call is not None and call.final is None):
            self.broken("3 its answer is safe before the host goes down", host.name, call)
        if host.asked.setdefault(call_id, host.booted) != host.booted:
            self.broken("3 a host is restarted once for a call", host.name, call_id)
        self.world.note(host.name, "asks for a restart", call_id)

    def _in_time(self, host: Host, call: Call) -> None:
        wall, window = host.wall, call.window
        if wall > call.expires:
            self.broken("7 nothing starts after it expired", wall, call)
        if not _own_windows_allow(host, call):
            self.broken("7 nothing starts outside the host's own windows", wall, call)
        if window is None:
            return
        if not _rule_allows(call, wall):
            self.broken("7 nothing starts outside what its rule allows", wall, call)
        if not window.begin <= wall < _closes(window):
            self.broken("7 nothing starts outside its window", wall, call)
        seen = host.used.setdefault((window.begin, _over(window)), None)
        if seen is not None and self.world.now - seen > CLOSING:
            self.broken("7 a window that was seen to close stays closed", wall, call)

    def _in_order(self, host: Host, call: Call) -> None:
        """Of the calls that change the host the one that was accepted first; held ones do not count."""
        if call.lane is not Lane.HOST or call.attempt:
            return
        for older in host.index.open.values():
            if older is call:
                return
            free = older.window is None and host.wall <= older.expires
            free = free and _own_windows_allow(host, older)
            if free and older.phase is Phase.WAITING and older.lane is Lane.HOST:
                self.broken("3 calls that change the host run in order", older, call)

    def job_begins(self, host: Host, call_id: str, folder: Folder) -> None:
        spool = host.disk.spool
        others = [j.id for j in host.jobs if j.id != call_id and j.folder.holder is j]
        beside = [i for i in others if i in spool and _changes_host(spool[i])]
        if beside and _changes_host(folder):
            self.broken("3 calls that change the host run one at a time", call_id, beside)

    def job_commits(self, host: Host, call_id: str) -> None:
        """For the first time: the point of no return."""
        call = host.index.open.get(call_id)
        if call is not None and call.window is not None and host.wall >= _closes(call.window):
            self.broken("7 nothing is changed that is late in its window", host.wall, call)

    def transaction(self, host: Host, call_id: str) -> None:
        self.executions += 1
        self.changed[call_id].add(host)
        if host.changed_by.get(call_id):
            self.broken("3 executed at most once", host.name, call_id)
        call = host.index.open.get(call_id)
        if call is not None and call.phase is Phase.WAITING:
            self.broken("7 what is fetched ahead changes nothing", host.name, call)
        if call is None or call.final is not None:
            self.broken("3 nothing is done after the answer", host.name, call_id, call)
        task = self.tasks.get(call_id)
        consumer = self.disk.look().consumers.by_uid(host.uid)
        if task is None or consumer is None or task.error is None:
            return
        said = self.called_off[call_id]  # by another with the same identity: it cannot know
        mine = task.consumer_id == consumer.id and (host in said or not said)
        voided = bool(task.rule and task.rule.void and said)
        called_off = task.error.code == "canceled" or voided
        if called_off and mine:
            self.broken("4 canceled means that nothing was changed", host.name, task)

    def agent_fetches(self, host: Host, fetch: StartFetch) -> None:
        """By all that its journal has: a fetch may go ahead of the sync, and of a cancel that came with the request."""
        table = CallTable(map(decode, host.disk.lines))
        call = table.open.get(fetch.id)
        held = call is not None and (call.phase is Phase.WAITING or call.ended == host.wall)
        if call is None or not held or not (call.window and call.window.predownload):
            self.broken("7 only what is held and wishes it is fetched ahead", fetch, call)
        if any((host.name, call.id) in self.began for call in _at_work(table)):
            self.broken("7 nothing is fetched ahead beside work", fetch)

    def fetch_goes_on(self, host: Host, call_id: str) -> None:
        """Looked at once a minute while it runs."""
        for call in _at_work(host.index):
            began = self.began.get((host.name, call.id), self.world.now)
            if self.world.now - began > GIVING_WAY:
                self.broken("7 what is fetched gives way to work", call_id, call)
        waiting = host.index.in_phase(Phase.WAITING) if host.index.restart is None else []
        for call in waiting:
            if call.lane is Lane.HOST and self._kept_waiting(host, call):
                self.broken("7 no work waits for what is fetched", host.wall, call)

    def _kept_waiting(self, host: Host, call: Call) -> bool:
        """Whether nothing but the fetch can be what keeps this call from its start."""
        calm = self.world.now - host.disturbed > GIVING_WAY and not host.journal_full
        calm = calm and host.agent is not None and host.agent.alive
        window, since = call.window, host.wall - GIVING_WAY
        if not calm or _at_work(host.index) or call.taken > since or host.wall > call.expires:
            return False
        begin, last = (window.begin, _closes(window) - window.expected) if window else (0, LAST)
        return begin <= since and host.wall < last and _own_windows_allow(host, call)

    def job_results(self, host: Host, call_id: str, outcome: Outcome) -> None:
        self.results[call_id].append((host.uid, outcome))

    def agent_forgets(self, host: Host, ids: Sequence[str]) -> None:
        """A server whose store went back may have lost what it had confirmed."""
        if self.restored:
            return
        uow = self.disk.look()
        for call_id in ids:
            call, folder = host.index.open.get(call_id), host.disk.spool.get(call_id)
            if call and call.final is None and not (folder and folder.decision == "commit"):
                continue  # what had begun has changed nothing, and was carried over
            record = uow.tasks.get(call_id)
            kept = {e.type for e in uow.history.of_task(call_id)}
            orphan = record is None and HistoryType.ORPHAN_RESULT in kept
            stored = record is not None and (record.state.final or record.answer is not None)
            if not orphan and not stored:
                self.broken("3 a final is kept until the server has it", call_id, record)


def _host(connection: Connection) -> Host:
    host: Host = connection.agent.host  # type: ignore[attr-defined]
    return host


def _own_windows_allow(host: Host, call: Call) -> bool:
    """By the calendar that it has accepted, or by the one that it is about to accept."""
    if call.lane is not Lane.HOST or call.request is None:
        return True
    override = call.request.override
    if isinstance(override, Override) and host.wall <= override.until:
        return True
    dry = msgspec.json.decode(call.request.args).get("dry_run")
    keeps = (host.keep, host.index.hours.keep)
    return bool(dry) or any(
        keep is None or not keep.enforced or rulebook.allows(keep.calendar, host.wall)
        for keep in keeps
    )


def _rule_allows(call: Call, wall: int) -> bool:
    """By the request alone, whatever the agent has made of it since."""
    asked = call.request.window if call.request else None
    if asked is None or call.request is None or call.plan != call.request.plan:
        return True
    if asked.begin <= wall < _closes(asked):
        return True
    return asked.missed == "next" and rulebook.allows(asked.calendar, wall)


def _closes(window: WireWindow) -> int:
    """From here on nothing starts, and nothing that has not changed anything begins to."""
    if window.missed == "grace":
        return window.end + window.grace
    return window.end if window.cutoff_at is None else window.cutoff_at


def _over(window: WireWindow) -> int:
    return max(window.end, _closes(window))


def _at_work(table: CallTable) -> list[Call]:
    """The call that changes the host now."""
    return [call for call in table.in_phase(Phase.RUNNING) if call.lane is Lane.HOST]


def _changes_host(folder: Folder) -> bool:
    return folder.request is not None and folder.request.method != "Packages.profile"
