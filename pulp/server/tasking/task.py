"""Tasks: a task is data (kind, version, args) and the class of its kind says how it runs and how it ends.

Subclasses override run(), succeeded() and failed(); whatever those write through the context commits together with the
task's new state, or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from pulp.common.errors import PulpError
from pulp.common.ids import new_id
from pulp.rmi.interfaces import Method
from pulp.server.domain.history import HistoryType
from pulp.server.domain.task import QUEUED, TaskError, TaskRecord, TaskState
from pulp.server.tasking.context import Context
from pulp.server.tasking.deadlines import Timing, plan
from pulp.server.tasking.restarts import Restart, Restarting, with_restart
from pulp.server.tasking.states import Event, end_of, move

log = logging.getLogger(__name__)

Args = dict[str, Any]
Upgrader = Callable[[Args], Args]
"""Lifts stored arguments by exactly one version."""


class UnsupportedTask(PulpError):
    """This server cannot run the stored kind or version; the task stays stored and visible."""

    code = "unsupported-version"


class Task:
    """Work that is done within its own run()."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    arguments: ClassVar[type[Struct]]
    upgraders: ClassVar[Mapping[int, Upgrader]] = {}

    def __init__(self, record: TaskRecord, args: Any) -> None:
        self.record = record
        self.args = args

    @classmethod
    def new(
        cls, args: Struct, *, consumer_id: str | None, requested_by: str, now: int, timing: Timing
    ) -> TaskRecord:
        """A record ready for FIFOQueue.enqueue()."""
        deadlines = plan(now, timing)
        later = timing.not_before is not None and timing.not_before > now
        return TaskRecord(
            id=new_id(),
            kind=cls.kind,
            version=cls.version,
            args=msgspec.json.encode(args),
            requested_by=requested_by,
            created_at=now,
            consumer_id=consumer_id,
            not_before=timing.not_before,
            window=timing.window,
            rule=timing.rule,
            override=timing.override,
            state=TaskState.SCHEDULED if later else TaskState.WAITING,
            phase="" if later else QUEUED,
            accept_by=deadlines.accept_by,
            expires=deadlines.expires,
            timeout=timing.timeout,
            deadline=deadlines.accept_by,
        )

    def again(self, *, requested_by: str, now: int, timing: Timing) -> TaskRecord:
        """A new task that asks for the same once more; this one stays as it ended."""
        record = self.new(
            self.args,
            consumer_id=self.record.consumer_id,
            requested_by=requested_by,
            now=now,
            timing=timing,
        )
        return record.replace(retry_of=self.record.id)

    def run(self, ctx: Context) -> Struct | None:
        """Do the work, or for an AsyncTask decide the remote call; the value of a plain Task is its result."""
        raise NotImplementedError

    def succeeded(self, ctx: Context, result: Any) -> None:
        """The work is confirmed done. `result` is what run() gave, or the agent, as the result type of the called method."""
        self._end(ctx, Event.SUCCEEDED, "", None)

    def failed(self, ctx: Context, error: TaskError) -> None:
        """The work ended in another way: failed, canceled, timed out or missed; the error's code says which."""
        self._end(ctx, Event.FAILED, error.code, error)
        end = end_of(error.code)
        details = {"action": self.record.kind, "code": error.code, "message": error.message}
        ctx.history.add(self.record, end.history, details | {"details": msgspec.Raw(error.details)})

    def _end(self, ctx: Context, event: Event, code: str, error: TaskError | None) -> None:
        record = self.record
        self.record = record.replace(
            state=move(record.state, event, code),
            phase="",
            parked="",
            parked_at=None,
            deadline=None,
            answer=None,
            error=error,
            finished_at=record.finished_at or ctx.now,
        )


class AsyncTask(Task):
    """Work done by an agent: run() fires a remote call and returns; the agent's final answer ends the task.

    `method`: what run() calls, where that is one thing. Answers are read by the call that is stored; a restored store may know
    nothing of a call that its agent has carried out.
    """

    method: ClassVar[Method | None] = None

    @property
    def may_restart(self) -> bool:
        """Whether a restart of the host can be a part of it."""
        return False

    def restarts(self, result: Any) -> Restarting | None:
        """What must happen after this result before the task is over; None: nothing."""
        return None

    def restarted(self, ctx: Context, restart: Restart) -> None:
        """The host is back; succeeded() follows in the same unit of work."""
        result = with_restart(self.record.result, restart)
        self.record = self.record.replace(result=result, finished_at=None)
        ctx.history.add(self.record, HistoryType.REBOOTED, restart)


class TaskKinds:
    """The registry: bootstrap hands it the classes; nothing registers itself."""

    def __init__(self, classes: Sequence[type[Task]]) -> None:
        self._classes: dict[str, type[Task]] = {}
        for cls in classes:
            if cls.kind in self._classes:
                raise ValueError(f"task kind {cls.kind} is declared twice")
            self._classes[cls.kind] = cls

    def runs(self, record: TaskRecord) -> bool:
        """Whether there is a class for the stored kind and a way to its version; the arguments are not looked at."""
        try:
            self._class(record)
        except UnsupportedTask:
            return False
        return True

    def load(self, record: TaskRecord) -> Task:
        """The task of a stored record, its arguments lifted to this server's version.

        UnsupportedTask names what was expected and found."""
        cls = self._class(record)
        return cls(record, _arguments(cls, record))

    def _class(self, record: TaskRecord) -> type[Task]:
        cls = self._classes.get(record.kind)
        if cls is None:
            raise UnsupportedTask(f"this server knows no task kind {record.kind!r}")
        if record.version > cls.version:
            raise UnsupportedTask(
                f"task kind {record.kind!r} version {record.version} is newer than this server's {cls.version}"
            )
        for version in range(record.version, cls.version):
            if version not in cls.upgraders:
                raise UnsupportedTask(
                    f"no way from {record.kind!r} version {version} to {version + 1}"
                )
        return cls

    def ended(self, record: TaskRecord, error: TaskError, ctx: Context) -> TaskRecord:
        """The open task ended with an error through its class, or plainly where this server does not know the class."""
        try:
            task = self.load(record)
        except UnsupportedTask:
            return plainly_ended(record, error, ctx)
        task.failed(ctx, error)
        return task.record


def _arguments(kind: type[Task], record: TaskRecord) -> Struct:
    try:
        if record.version == kind.version:
            return msgspec.json.decode(record.args, type=kind.arguments)
        return msgspec.convert(_lifted(kind, record), kind.arguments)
    except msgspec.MsgspecError as error:
        raise UnsupportedTask(f"{_told(kind, record)}: {error}") from error


def _lifted(kind: type[Task], record: TaskRecord) -> Args:
    """An upgrader that meets what it did not foresee stops its own task, and nothing else."""
    args: Args = msgspec.json.decode(record.args)
    for version in range(record.version, kind.version):
        try:
            args = kind.upgraders[version](args)
        except Exception as error:
            told = f"{_told(kind, record)}: the step from {version} to {version + 1} failed"
            log.exception("stored arguments cannot be lifted", extra={"task_id": record.id})
            raise UnsupportedTask(told) from error
    return args


def _told(kind: type[Task], record: TaskRecord) -> str:
    return f"the arguments stored for {record.kind!r} version {record.version} cannot be read as version {kind.version}"


def plainly_ended(record: TaskRecord, error: TaskError, ctx: Context) -> TaskRecord:
    """The open task ended without its class's own code: for kinds unknown here, and for code that raised."""
    task = Task(record, None)
    task.failed(ctx, error)
    return task.record
