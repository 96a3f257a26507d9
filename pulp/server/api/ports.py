"""What the API needs of its neighbours, as it needs it: bootstrap hands in the parts."""

from __future__ import annotations

from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """What every agent is told at registration; `heartbeat` is in seconds."""

    ca: tuple[str, ...]
    signing_keys: tuple[str, ...]
    urls: tuple[str, ...]
    target: str = "replies"
    confirm: Literal["outcome", "message"] = "outcome"
    heartbeat: int = 30
