"""The server's record of work. Times are ms UTC, durations ms, payloads opaque JSON bytes."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pulp.common.calendar import Calendar
from pulp.common.windows import Window

Json = bytes
"""One JSON document, encoded. It is stored and passed on as it is; only its owner looks inside."""


class TaskState(Enum):
    SCHEDULED = "scheduled"
    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    FINISHED = "finished"
    ERROR = "error"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    MISSED = "missed"

    __hash__ = object.__hash__  # Enum's own is Python code, and this is looked up for every message

    @property
    def final(self) -> bool:
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {
        TaskState.FINISHED,
        TaskState.ERROR,
        TaskState.TIMED_OUT,
        TaskState.CANCELED,
        TaskState.MISSED,
    }
)

# Phases the server itself gives; a running task's further phases are its handler's own.
QUEUED = "queued"
SENT = "sent"
READY = "ready"
REBOOTING = "rebooting"  # the agent's final is kept until its host is back with another boot id
ANSWERED = "answered"  # the agent's final is kept; this server has no class to take it

# Reasons why a queued task is parked outside the claim index.
PARKED_OFFLINE = "agent-offline"
PARKED_BUSY = "agent-busy"  # 32 calls are sent and not yet accepted
PARKED_VERSION = "unsupported-version"


class TaskError(Struct, frozen=True, kw_only=True):
    """Why a task did not finish: a stable code and a sentence for a person; `details` is JSON (or b"null")."""

    code: str
    message: str
    details: Json = b"null"


class Call(Struct, frozen=True, kw_only=True):
    """The remote invocation a task has decided on. Stored before it is sent, so that sending can be repeated."""

    class_: str
    method: str
    version: int
    args: Json


class WindowRule(Struct, frozen=True, kw_only=True):
    """What was asked of a maintenance window beyond the one opening in TaskRecord.window (docs/windows.md).

    asked: a window's name, `next` for the host's next opening, "" for one given by its times. names: the windows and freezes that
    `calendar` was made of; a change of one of them re-plans the task. cutoff_at, late: of the present opening; `late`: where its
    grace is over. grace, expected: ms. void: why nothing is left of the window; the call is then called off for that reason.
    """

    asked: str = ""
    names: list[str] = []
    calendar: Calendar | None = None
    cutoff_at: int | None = None
    missed: Literal["miss", "next", "grace"] = "miss"
    grace: int = 0
    late: int | None = None
    expected: int = 0
    predownload: bool = False
    void: str = ""


class TaskOverride(Struct, frozen=True, kw_only=True):
    """Work that changes an enforced host outside its windows: why, who answers for it, and until when (ms UTC) it may start."""

    reason: str
    by: str
    until: int


class TaskRecord(Struct, frozen=True, kw_only=True):
    """One task as stored. `revision` rises by one with every saved change.

    deadline: the next moment at which the server itself must look at the task; None only in a final state.
    parked: "" or the reason why a waiting task is outside the claim index, or an answered one is not ended.
    answer: the agent's final, kept as it came until a server has the class that takes it, or until the host is back from the
        restart that follows it; the call is over.
    """

    id: str
    kind: str
    version: int
    args: Json
    requested_by: str
    created_at: int
    accept_by: int
    expires: int
    timeout: int
    seq: int = 0  # given by the store at add()
    revision: int = 1
    state: TaskState = TaskState.WAITING
    phase: str = QUEUED
    consumer_id: str | None = None
    job_id: str | None = None
    not_before: int | None = None
    window: Window | None = None
    plan: int = 1
    deadline: int | None = None
    parked: str = ""
    parked_at: int | None = None
    call: Call | None = None
    sent_at: int | None = None
    accepted_at: int | None = None
    starts: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    progress: Json | None = None
    result: Json | None = None
    error: TaskError | None = None
    cancel_requested_at: int | None = None
    cancel_requested_by: str | None = None
    cancel_refused: bool = False  # the agent answered that it is too late
    retry_of: str | None = None
    answer: Json | None = None
    rule: WindowRule | None = None
    override: TaskOverride | None = None

    def replace(self, **changes: Any) -> TaskRecord:
        return msgspec.structs.replace(self, **changes)
