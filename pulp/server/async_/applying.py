"""What an agent's messages about one call do to its stored task. Runs inside the store's writing job, so the task's new
state and all that its class writes are one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pulp.common.failpoints import failpoint
from pulp.rmi.call import CallState, Verdict, advance
from pulp.rmi.checks import read_value
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.interfaces import METHODS, Lane, Method
from pulp.rmi.messages import (
    FINALS,
    Accepted,
    Canceled,
    Final,
    Message,
    Progress,
    Started,
    Succeeded,
    TooLate,
)
from pulp.rmi.versions import Known
from pulp.server.async_.answers import error_of, final_of, progressed, says_the_same, timed
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import (
    ANSWERED,
    PARKED_VERSION,
    READY,
    REBOOTING,
    SENT,
    TaskError,
    TaskRecord,
    TaskState,
)
from pulp.server.tasking.context import Context
from pulp.server.tasking.deadlines import next_look
from pulp.server.tasking.restarts import Restart
from pulp.server.tasking.states import Event, move
from pulp.server.tasking.task import (
    AsyncTask,
    Task,
    TaskKinds,
    UnsupportedTask,
    plainly_ended,
)

LOST = TaskError(
    code="lost",
    message="The agent had taken this call and has no record of it any more: its memory was lost or restored.",
)
BROKEN = TaskError(
    code="internal",
    message="The agent did the work, and the server failed to record it; the agent's answer is kept as the result.",
)


_NOT_BEGUN = {"started_at": None, "progress": None, "cancel_refused": False}
"""Of a call that is held again: what had begun of it has changed nothing, its next run counts anew, and it can be given up."""


@dataclass(frozen=True, slots=True)
class Applied:
    """accepted: the call was not known to be with the agent, and now is. resend: it must be sent again. held_again: it had begun,
    and a plan or a cancel that was told meanwhile came too late."""

    record: TaskRecord | None = None
    accepted: bool = False
    resend: bool = False
    held_again: bool = False


def call_state(record: TaskRecord) -> CallState:
    """The call's state as the stored task says: there is no other memory of it."""
    if record.answer is not None:
        return CallState.ENDED
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
        self,
        kinds: TaskKinds,
        uow: UnitOfWork,
        consumer_id: str,
        now: int,
        *,
        plainly: bool,
        methods: Known = METHODS,
    ) -> None:
        """plainly: the class's own code raised; end the task without it, keeping the agent's answer."""
        self._kinds = kinds
        self._uow = uow
        self._consumer_id = consumer_id
        self._ctx = Context.of(uow, now)
        self._plainly = plainly
        self._methods = methods
        self._held_again = False

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
            if record.state.final:
                failpoint("server.end.written")
        after = call_state(record)
        known = before in (CallState.UNSENT, CallState.SENT)
        accepted = known and after not in (CallState.UNSENT, CallState.SENT)
        return Applied(record, accepted, resend, self._held_again)

    def _take(self, record: TaskRecord, message: Message) -> tuple[TaskRecord, bool]:
        state, verdict = advance(call_state(record), message)
        match verdict:
            case Verdict.MOVED:
                return self._move(record, state, message), False
            case Verdict.ENDED if isinstance(message, FINALS):
                return self._end(record, message), False
            case Verdict.LATE:
                self._keep_late(record, message)
            case Verdict.LOST:
                return self._ended(record, LOST), False
            case Verdict.RESEND:
                return record, record.cancel_requested_at is None
            case Verdict.TOO_LATE if _refuses(record, message):
                return record.replace(cancel_refused=True), False
            case Verdict.REPEATED if not record.state.final:
                return _news(record, message), False
        return record, False

    # --- on the way ---

    def _move(self, record: TaskRecord, state: CallState, message: Message) -> TaskRecord:
        changes: dict[str, Any] = {"accepted_at": record.accepted_at or self._ctx.now}
        match state:
            case CallState.HELD:
                starts = message.starts if isinstance(message, Accepted) else None
                changes |= {"state": move(record.state, Event.HELD), "phase": "", "starts": starts}
                changes |= _NOT_BEGUN
            case CallState.READY:
                changes |= {"state": move(record.state, Event.READY), "phase": READY}
            case _:
                at = message.at if isinstance(message, Started) else self._ctx.now
                state_ = move(record.state, Event.STARTED)
                changes |= {"state": state_, "phase": "started", "started_at": at}
        if state is CallState.HELD and record.state is TaskState.RUNNING and record.phase != READY:
            self._plan_again()
        moved = record.replace(parked="", parked_at=None, **changes)
        if isinstance(message, Progress):
            moved = progressed(moved, message)
        return moved.replace(deadline=next_look(moved))

    def _plan_again(self) -> None:
        """What runs is left alone where plans change; what is held again after that goes by the newest."""
        self._held_again = True
        consumer = self._uow.consumers.get(self._consumer_id)
        if consumer is not None:
            self._uow.consumers.save(consumer.to_replan())

    # --- ends ---

    def resume(self, task_id: str) -> None:
        """End the task with the answer that was kept: for a class this server did not have, if it has it now; for a host that
        restarts, if it is back."""
        record = self._uow.tasks.get(task_id)
        if record is None or record.answer is None or record.state.final:
            return
        final = final_of(record.answer)
        ended = self._end(record.replace(answer=None, parked="", parked_at=None), final)
        if ended.answer is None or ended.phase != record.phase:
            self._uow.tasks.save(ended)

    def _end(self, record: TaskRecord, final: Final) -> TaskRecord:
        ending = timed(record, final, self._ctx.now)
        if self._plainly:
            return self._plain_end(ending, final)
        try:
            task = self._kinds.load(ending)
        except UnsupportedTask:
            if isinstance(final, Canceled):
                return plainly_ended(ending, error_of(ending, final), self._ctx)
            return self._keep_answer(record, final)
        if isinstance(final, Succeeded):
            self._succeed(task, final)
        else:
            task.failed(self._ctx, error_of(ending, final))
        return task.record

    def _plain_end(self, record: TaskRecord, final: Final) -> TaskRecord:
        if isinstance(final, Succeeded):
            record = record.replace(result=bytes(final.value))
            return plainly_ended(record, BROKEN, self._ctx)
        return plainly_ended(record, error_of(record, final), self._ctx)

    def _succeed(self, task: Task, final: Succeeded) -> None:
        task.record = task.record.replace(result=bytes(final.value))
        try:
            value = self._value(task, final)
        except RemoteCallError as e:
            task.failed(self._ctx, TaskError(code="unreadable-result", message=str(e)))
        else:
            if not self._awaits_restart(task, value, final):
                task.succeeded(self._ctx, value)

    def _awaits_restart(self, task: Task, value: Any, final: Succeeded) -> bool:
        """Whether its host has still to come back: the answer is kept until then. One that is back already, or has gone and come
        before it could say so, ends the task."""
        awaited = task.restarts(value) if isinstance(task, AsyncTask) else None
        if not isinstance(task, AsyncTask) or awaited is None:
            return False
        consumer, now = self._uow.consumers.get(self._consumer_id), self._ctx.now
        boot = consumer.agent.boot_id if consumer and consumer.agent else ""
        if boot in ("", awaited.boot_id):
            task.record = task.record.replace(
                state=move(task.record.state, Event.STARTED),
                phase=REBOOTING,
                answer=msgspec.json.encode(final),
                finished_at=None,
                progress=None,
                deadline=now + awaited.back_within,
            )
            return True
        took = max(0, now - final.finished)
        restart = Restart(from_=awaited.boot_id, to=boot, took=took, reasons=awaited.reasons)
        task.restarted(self._ctx, restart)
        return False

    def _value(self, task: Task, final: Succeeded) -> Any:
        """RemoteCallError, also for the answer of a mere reading that was cut: its empty lists would be taken at their word."""
        method = self._method(task)
        if method is not None and method.lane is Lane.READ and final.truncated is True:
            raise RemoteCallError(
                f"the result of call {final.id} was too large to be sent whole, and its lists were left out",
                reason="unreadable-result",
                call_id=final.id,
            )
        return read_value(final.value, method.result if method else Any, call_id=final.id)

    def _method(self, task: Task) -> Method | None:
        """By the version that was called; a restored store may not know the call."""
        call = task.record.call
        if call is not None:
            return self._methods.get((f"{call.class_}.{call.method}", call.version))
        return task.method if isinstance(task, AsyncTask) else None

    def _keep_answer(self, record: TaskRecord, final: Final) -> TaskRecord:
        """The call is over, and its class is not known here: only that class may say what its end means."""
        kept = record.replace(
            state=move(record.state, Event.STARTED),
            phase=ANSWERED,
            accepted_at=record.accepted_at or self._ctx.now,
            parked=PARKED_VERSION,
            parked_at=self._ctx.now,
            answer=msgspec.json.encode(final),
        )
        return kept.replace(deadline=next_look(kept))

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


def _news(record: TaskRecord, message: Message) -> TaskRecord:
    """Within the same state: how far it is, or that its opening has moved. A listed call says nothing of its opening."""
    match message:
        case Progress():
            return progressed(record, message)
        case Accepted(state="held", starts=int(starts)) if record.state is TaskState.HELD:
            return record if starts == record.starts else record.replace(starts=starts)
    return record


def _refuses(record: TaskRecord, message: Message) -> bool:
    """Whether a `too-late` is news: one about a plan changes nothing, and a task that has ended meanwhile stays as it is."""
    if not isinstance(message, TooLate) or message.of != "cancel":
        return False
    asked = record.cancel_requested_at is not None and not record.cancel_refused
    return asked and not record.state.final
