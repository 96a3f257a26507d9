"""What an agent's message says, as parts of a stored task. Pure."""

from __future__ import annotations

import msgspec

from pulp.rmi.messages import (
    Canceled,
    Failed,
    Final,
    Message,
    Progress,
    Rejected,
    Succeeded,
)
from pulp.server.domain.task import TaskError, TaskRecord, TaskState

OUTSIDE_WINDOWS = "outside-windows"

_decoder: msgspec.json.Decoder[Final] = msgspec.json.Decoder(Final)


def final_of(answer: bytes) -> Final:
    """The final that a task keeps as its `answer`."""
    return _decoder.decode(answer)


def error_of(record: TaskRecord, final: Failed | Rejected | Canceled) -> TaskError:
    """What the agent's final says of why the task did not finish."""
    match final:
        case Failed():
            return TaskError(code=final.code, message=final.message, details=bytes(final.details))
        case Rejected():
            return TaskError(code=final.code, message=_refusal(final))
    if why := voided(record):
        return TaskError(code="window-missed", message=why)
    by = record.cancel_requested_by
    message = f"Canceled by {by}." if by else "The agent canceled the call."
    return TaskError(code="canceled", message=message)


def voided(record: TaskRecord) -> str:
    """Why the server itself has called it off: nothing is left of its window. Empty where it has not."""
    return record.rule.void if record.rule else ""


def _refusal(final: Rejected) -> str:
    if final.code == OUTSIDE_WINDOWS:
        return (
            "The host's windows are enforced, and nothing may change it outside of them:"
            f" expected {final.expected}, found {final.found}. Ask for it in such a window."
        )
    return f"The agent refused the call: expected {final.expected}, found {final.found}."


def says_the_same(record: TaskRecord, final: Final) -> bool:
    """Whether the ended task ended as this final says: then it is a repetition."""
    if record.answer is not None:
        return record.answer == msgspec.json.encode(final)
    match final:
        case Succeeded():
            return record.result is not None
        case Failed() | Rejected():
            return record.error is not None and record.error.code == final.code
        case Canceled():
            ended = TaskState.MISSED if voided(record) else TaskState.CANCELED
            return record.state is ended


def timed(record: TaskRecord, final: Message, now: int) -> TaskRecord:
    """A final implies accepted and started; its own times are the agent's."""
    started = record.started_at
    finished: int | None = now
    if isinstance(final, Succeeded | Failed):
        started = final.started or started
        finished = final.finished or now
    return record.replace(
        accepted_at=record.accepted_at or now, started_at=started, finished_at=finished
    )


def progressed(record: TaskRecord, progress: Progress) -> TaskRecord:
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
