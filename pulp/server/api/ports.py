"""What the API needs of its neighbours, as it needs it: bootstrap hands in the parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pulp.server.db.base import UnitOfWork
from pulp.server.domain.task import TaskError, TaskRecord


class Queue(Protocol):
    """The task queue (`tasking.fifo.FIFOQueue`); it wakes itself after the commit."""

    def enqueue(self, uow: UnitOfWork, record: TaskRecord) -> TaskRecord: ...

    def cancel(self, uow: UnitOfWork, record: TaskRecord, *, by: str, now: int) -> TaskRecord: ...

    def end(
        self, uow: UnitOfWork, record: TaskRecord, error: TaskError, now: int
    ) -> TaskRecord: ...

    def call_off(self, records: Iterable[TaskRecord]) -> None: ...


class Authority(Protocol):
    """Issues client certificates (`crypto.ca.Authority`). BadCsr when the request must not be signed."""

    def issue_client(self, csr_pem: str, *, common_name: str) -> str: ...


class Links(Protocol):
    """The agents' live connections, by uid."""

    def ping(self, uid: str) -> float:
        """Round trip in ms; a PulpError with code `agent-offline` when there is no answer."""

    def close(self, uid: str) -> None:
        """Cut the connection, if there is one."""


class Plans(Protocol):
    """What was planned by the hosts' calendars (`async_.plans.Plans`)."""

    def changed(
        self, uow: UnitOfWork, name: str | None, consumer_ids: Sequence[str] | None, now: int
    ) -> None:
        """Called last in the writing unit of work that changed what these consumers' calendars say, with all of it written.

        name: the window or freeze it is about, also one that no host is bound to; None when something else changed, such as
        `enforced`. consumer_ids None: every consumer, as the window holds everywhere or did. There may be 10,000 of them: do here
        what one statement does to all (`consumers.raise_keep_plan`, by which `consumers.to_replan` finds them), and the rest
        after the commit in units of work of your own, so that nobody waits for it and a crash loses none of it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """What every agent is told at registration; `heartbeat` is in seconds."""

    ca: tuple[str, ...]
    signing_keys: tuple[str, ...]
    urls: tuple[str, ...]
    target: str = "replies"
    confirm: Literal["outcome", "message"] = "outcome"
    heartbeat: int = 30
