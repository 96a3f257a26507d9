"""Rules about what the server has stored, looked at right after each commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from pulp_agent.events import Success

from pulp.server.api.restart_tasks import RestartHost
from pulp.server.api.waiting import waiting_for
from pulp.server.check import violations
from pulp.server.db.base import TaskChange
from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.domain.task import TaskRecord, TaskState
from pulp.server.tasking.deadlines import LOST_AFTER
from sim.checks_schedules import ScheduleChecks
from sim.kinds import Future

_OF_THE_AGENT = ("overrun", "override_used", "boot_id", "restart")
UNANSWERED = "did not report its end"
"""How the server says that it alone has ended an accepted call."""
ENDS_OF_UNKNOWN_KINDS = (
    "accept-timeout",
    "canceled",
    "consumer-unregistered",
    "lost",  # its agent had taken it from a newer server, and lost its memory
    "window-missed",
)


class StoreChecks(ScheduleChecks):
    def committed(self, changes: Sequence[TaskChange]) -> None:
        uow = self.disk.look()
        for task_id in dict.fromkeys(change.id for change in changes):
            record = uow.tasks.get(task_id)
            if record is None:
                self.broken("4 a stored task stays stored", task_id)
            self._committed(uow, record)

    def _committed(self, uow: SqliteUnit, record: TaskRecord) -> None:
        before = self.tasks.get(record.id)
        self.world.note("stored", record.id[:8], record.state.value, record.phase, record.parked)
        if before is not None:
            self._follows(before, record)
        else:
            self.scheduled(uow, record)
        self.tasks[record.id] = record
        for fault in violations(uow, record):
            self.broken(f"{fault.invariant} the store's own check", fault)
        if not record.state.final:
            self._waits(uow, record)
        elif before is None or not before.state.final:
            self._ended(uow, before, record)

    def _follows(self, before: TaskRecord, record: TaskRecord) -> None:
        if before.state.final and record != before:
            self.broken("4 a final state never changes", before, "->", record)
        if before.cancel_requested_at and not record.cancel_requested_at:
            self.broken("1 a cancel is durable", record)
        if before.accepted_at and not record.accepted_at:
            self.broken("1 what was accepted stays accepted", record)

    def _waits(self, uow: SqliteUnit, record: TaskRecord) -> None:
        consumer = uow.consumers.get(record.consumer_id) if record.consumer_id else None
        if record.deadline is None:
            self.broken("6 every open task has a deadline", record)
        if waiting_for(record, consumer, self.world.now) is None:
            self.broken("6 every open task says what it waits for", record)
        if uow.history.of_task(record.id):
            self.broken("5 no history before the end", record)
        if record.state is TaskState.HELD and (record.started_at or record.progress):
            self.broken("4 what is held has not begun", record)

    def _ended(self, uow: SqliteUnit, before: TaskRecord | None, record: TaskRecord) -> None:
        events = uow.history.of_task(record.id)
        texts = [record.result or b"", msgspec.json.encode(record.error)]
        for text in texts + [e.details for e in events]:
            self.leaks(text)
        if record.state is TaskState.FINISHED:
            told = [e.details for e in events if e.type.value.startswith("packages")]
            self._succeeded(record, told)
        elif record.error is not None:
            self._failed(uow, before or record, record, record.error.code)

    def _succeeded(self, record: TaskRecord, details: list[bytes]) -> None:
        if record.kind == RestartHost.kind or b'"restart"' in (record.result or b""):
            self._restarted(record)
            if record.kind == RestartHost.kind:
                return
        done = [bytes(o.value) for _, o in self.results[record.id] if isinstance(o, Success)]
        if _of_the_host(record.result) not in map(_of_the_host, done):
            self.broken("5 success only when a host had it", record, self.results[record.id])
        if record.kind == "packages.refresh_profile":
            return
        result = msgspec.json.decode(record.result or b"null")
        owed = result.get("changed", False) and not result.get("dry_run", False)
        if len(details) != owed:
            self.broken("5 one history entry for a confirmed change", record, details)
        if owed:
            told = [p["name"] for p in msgspec.json.decode(details[0])["packages"]]
            if told != [c["name"] for c in result["changes"]]:
                self.broken("5 history says what the agent reports", record, details)

    def _restarted(self, record: TaskRecord) -> None:
        """A host of the name was started anew since the decision; who says so may be a copy of the one that decided."""
        result = msgspec.json.decode(record.result or b"null")
        if not result.get("rebooting"):
            return
        told = result.get("restart") or {}
        if told.get("from") != result["boot_id"] or told.get("to") in (None, told.get("from")):
            self.broken("4 a restart is over when the host is back", record)
        if int(told["to"]) not in {at for host in self.hosts for at in host.boots}:
            self.broken("4 a restart is over when the host is back", record, "no such start")

    def retried(self, first: str, again: str) -> None:
        record = self.tasks[again]
        if again == first or record.retry_of != first:
            self.broken("2 a retry is a new task that names the first", first, record)

    def _failed(self, uow: SqliteUnit, before: TaskRecord, record: TaskRecord, code: str) -> None:
        void = record.rule is not None and bool(record.rule.void)
        if code == "canceled" or (void and code == "window-missed"):
            self._canceled(uow, record, code)
        if code == "lost":
            self._lost(before, record)
        unknown = record.kind == Future.kind and not self.upgraded
        over = code == "unsupported-version" and self.world.now >= (before.deadline or 0)
        if unknown and not over and code not in ENDS_OF_UNKNOWN_KINDS:
            self.broken("8 what this server cannot run waits", record)

    def _canceled(self, uow: SqliteUnit, record: TaskRecord, code: str) -> None:
        """On the host that says so, or on each of them when the server alone decides. That a copy with the same
        identity did it cannot be known when its answers are lost (seed 3324 of another time)."""
        consumer = uow.consumers.get(record.consumer_id or "")
        if consumer is None:
            return
        if self.restored and record.call is None:
            return  # it was sent and done, and the server has forgotten that
        if code != "canceled" and not self.called_off[record.id]:
            return  # its window is no more, and by its deadline no agent has confirmed that
        changed = {h for h in self.changed[record.id] if h.uid == consumer.uid}
        said = self.called_off[record.id]
        if changed & said if said else changed:
            self.broken("4 canceled means that nothing was changed", record)

    def _lost(self, before: TaskRecord, record: TaskRecord) -> None:
        """By the agent's own word or memory at any time; by the server's alone only after all deadlines and a day.
        That it has the call, and that it has it no more, may come in one batch (seed 130): `before` cannot tell."""
        if record.accepted_at is None or record.id not in self.taken:
            self.broken("1 what was never accepted is sent again", record)
        last = max(before.accept_by, before.expires, before.started_at or 0) + before.timeout
        if (
            UNANSWERED in (record.error.message if record.error else "")
            and self.world.now < last + LOST_AFTER
        ):
            self.broken("6 an accepted call has its time", before, record)

    # --- at the end ---

    def ended(self) -> Iterator[tuple[str, Any]]:
        """Once all is quiet."""
        uow = self.disk.look()
        yield from self.runs_counted(uow)
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


def _of_the_host(value: bytes | None) -> Any:
    """Without what the agent has put in."""
    data = msgspec.json.decode(value or b"null")
    if isinstance(data, dict):
        if data.pop("restart_late", False):
            data["rebooting"] = True  # it would have been, and came too late
        data = {k: v for k, v in data.items() if k not in _OF_THE_AGENT}
    return data
