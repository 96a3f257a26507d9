"""What an agent's messages about one call do to its stored task. Runs inside the store's writing job, so the task's new
state and all that its class writes are one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pulp.rmi.call import CallState, Verdict, advance
from pulp.rmi.checks import read_value
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.interfaces import METHODS
from pulp.rmi.messages import (
    FINALS,
    Accepted,
    Canceled,
    Failed,
    Final,
    Message,
    Progress,
    Rejected,
    Started,
    Succeeded,
)
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import (
    READY,
    SENT,
    Call,
    TaskError,
    TaskRecord,
    TaskState,
)
from pulp.server.tasking.context import Context
from pulp.server.tasking.deadlines import next_look
from pulp.server.tasking.states import Event, move
from pulp.server.tasking.task import TaskKinds, plainly_ended

LOST = TaskError(
    code="lost",
    message="The agent had taken this call and has no record of it any more: its memory was lost or restored.",
)
BROKEN = TaskError(
    code="internal",
    message="The agent did the work, and the server failed to record it; the agent's answer is kept as the result.",
)


@dataclass(frozen=True, slots=True)
class Applied:
    """accepted: the call was not known to be with the agent, and now is. resend: it must be sent again."""

    record: TaskRecord | None = None
    accepted: bool = False
    resend: bool = False


def call_state(record: TaskRecord) -> CallState:
    """The call's state as the stored task says: there is no other memory of it."""
    match record.state:
        case TaskState.SCHEDULED:
            return CallState.UNSENT
        case TaskState.WAITING:
            return CallState.SENT if record.phase == SENT else CallState.UNSENT
        case TaskState.HELD:
            return CallState.HELD
        case TaskState.RUNNING:
            return CallState.READY if record.phase == READY else CallState.RUNNING
        case _:
            return CallState.ENDED


class Applying:
    """One task and the messages that came for it, in order."""

    def __init__(
        self, kinds: TaskKinds, uow: UnitOfWork, consumer_id: str, now: int, *, plainly: bool
    ) -> None:
        """plainly: the class's own code raised; end the task without it, keeping the agent's answer."""
        self._kinds = kinds
        self._uow = uow
        self._consumer_id = consumer_id
        self._ctx = Context.of(uow, now)
        self._plainly = plainly

    def apply(self, task_id: str, messages: Sequence[Message]) -> Applied:
        stored = self._uow.tasks.get(task_id)
        if stored is None:
            self._keep_orphans(task_id, messages)
            return Applied()
        if stored.consumer_id != self._consumer_id:
            return Applied()  # another host's task: whoever says so is not believed
        before, record, resend = call_state(stored), stored, False
        for message in messages:
            record, again = self._take(record, message)
            resend = resend or again
        if record is not stored:
            record = self._uow.tasks.save(record)
        after = call_state(record)
        known = before in (CallState.UNSENT, CallState.SENT)
        return Applied(record, known and after not in (CallState.UNSENT, CallState.SENT), resend)

    def _take(self, record: TaskRecord, message: Message) -> tuple[TaskRecord, bool]:
        state, verdict = advance(call_state(record), message)
        match verdict:
            case Verdict.MOVED:
                return self._move(record, state, message), False
            case Verdict.ENDED:
                return self._end(record, message), False
            case Verdict.LATE:
                self._keep_late(record, message)
            case Verdict.LOST:
                return self._ended(record, LOST), False
            case Verdict.RESEND:
                return record, record.cancel_requested_at is None
            case Verdict.TOO_LATE if _refuses(record):
                return record.replace(cancel_refused=True), False
            case Verdict.REPEATED if isinstance(message, Progress):
                if not record.state.final:
                    return _progressed(record, message), False
        return record, False

    # --- on the way ---

    def _move(self, record: TaskRecord, state: CallState, message: Message) -> TaskRecord:
        changes: dict[str, Any] = {"accepted_at": record.accepted_at or self._ctx.now}
        match state:
            case CallState.HELD:
                starts = message.starts if isinstance(message, Accepted) else None
                changes |= {"state": move(record.state, Event.HELD), "phase": "", "starts": starts}
            case CallState.READY:
                changes |= {"state": move(record.state, Event.READY), "phase": READY}
            case _:
                at = message.at if isinstance(message, Started) else self._ctx.now
                state_ = move(record.state, Event.STARTED)
                changes |= {"state": state_, "phase": "started", "started_at": at}
        moved = record.replace(parked="", parked_at=None, **changes)
        if isinstance(message, Progress):
            moved = _progressed(moved, message)
        return moved.replace(deadline=next_look(moved))

    # --- ends ---

    def _end(self, record: TaskRecord, final: Message) -> TaskRecord:
        record = _timed(record, final, self._ctx.now)
        match final:
            case Succeeded():
                return self._succeeded(record, final)
            case Failed():
                error = TaskError(
                    code=final.code, message=final.message, details=bytes(final.details)
                )
            case Rejected():
                message = (
                    f"The agent refused the call: expected {final.expected}, found {final.found}."
                )
                error = TaskError(code=final.code, message=message)
            case _:
                by = record.cancel_requested_by
                message = f"Canceled by {by}." if by else "The agent canceled the call."
                error = TaskError(code="canceled", message=message)
        return self._ended(record, error)

    def _succeeded(self, record: TaskRecord, final: Succeeded) -> TaskRecord:
        record = record.replace(result=bytes(final.value))
        if self._plainly:
            return plainly_ended(record, BROKEN, self._ctx)
        try:
            value = read_value(final.value, _result_type(record.call), call_id=record.id)
        except RemoteCallError as e:
            return self._ended(record, TaskError(code="unreadable-result", message=str(e)))
        task = self._kinds.load(record)
        task.succeeded(self._ctx, value)
        return task.record

    def _ended(self, record: TaskRecord, error: TaskError) -> TaskRecord:
        if self._plainly:
            return plainly_ended(record, error, self._ctx)
        return self._kinds.ended(record, error, self._ctx)

    # --- what came too late, or for nobody ---

    def _keep_late(self, record: TaskRecord, final: Message) -> None:
        """The same final again is nothing new; another one is what really happened and must stand in the history."""
        if isinstance(final, FINALS) and not says_the_same(record, final):
            self._keep(HistoryType.LATE_RESULT, record.id, record.requested_by, final)

    def _keep_orphans(self, task_id: str, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message, FINALS):
                self._keep(HistoryType.ORPHAN_RESULT, task_id, "agent", message)

    def _keep(self, type_: HistoryType, task_id: str, originator: str, final: Final) -> None:
        self._uow.history.add(
            HistoryEvent(
                consumer_id=self._consumer_id,
                type=type_,
                at=self._ctx.now,
                originator=originator,
                task_id=task_id,
                details=msgspec.json.encode({"answer": final}),
            )
        )


def _refuses(record: TaskRecord) -> bool:
    """Whether a `too-late` is news: a task that has ended meanwhile stays as it is."""
    asked = record.cancel_requested_at is not None and not record.cancel_refused
    return asked and not record.state.final


def says_the_same(record: TaskRecord, final: Final) -> bool:
    """Whether the ended task ended as this final says: then it is a repetition."""
    match final:
        case Succeeded():
            return record.result is not None
        case Failed() | Rejected():
            return record.error is not None and record.error.code == final.code
        case Canceled():
            return record.state is TaskState.CANCELED


def _result_type(call: Call | None) -> Any:
    if call is None:
        return Any
    method = METHODS.get((f"{call.class_}.{call.method}", call.version))
    return method.result if method else Any


def _timed(record: TaskRecord, final: Message, now: int) -> TaskRecord:
    """A final implies accepted and started; its own times are the agent's."""
    started = record.started_at
    finished: int | None = now
    if isinstance(final, Succeeded | Failed):
        started = final.started or started
        finished = final.finished or now
    return record.replace(
        accepted_at=record.accepted_at or now, started_at=started, finished_at=finished
    )


def _progressed(record: TaskRecord, progress: Progress) -> TaskRecord:
    """The percent never falls, whatever the order of arrival."""
    old = msgspec.json.decode(record.progress) if record.progress else {}
    if progress.seq <= old.get("seq", -1):
        return record
    shown = {
        "seq": progress.seq,
        "phase": progress.phase,
        "percent": max(progress.percent, old.get("percent", 0)),
        "message": progress.message,
    }
    return record.replace(phase=progress.phase, progress=msgspec.json.encode(shown))
