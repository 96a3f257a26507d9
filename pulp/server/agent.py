"""Agent: synchronous remote calls, for what is no task. The caller's thread waits for the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from msgspec import Struct

from pulp.common.errors import PulpError
from pulp.common.ids import new_id
from pulp.rmi.interfaces import Method
from pulp.rmi.messages import Failed, Final, Rejected, Succeeded
from pulp.rmi.remotes import Packages, System


class AgentOffline(PulpError):
    code = "agent-offline"


class AgentFailed(PulpError):
    """The agent answered, and not with success; `code` is its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Pending:
    """Calls whose callers wait: call id → future. Used by callers' threads and by the bus's."""

    def __init__(self) -> None:
        self._futures: dict[str, Future[Final]] = {}
        self._lock = threading.Lock()

    def open(self) -> tuple[str, Future[Final]]:
        future: Future[Final] = Future()
        call_id = new_id()
        with self._lock:
            self._futures[call_id] = future
        return call_id, future

    def close(self, call_id: str) -> None:
        with self._lock:
            self._futures.pop(call_id, None)

    def waits_for(self, call_id: str | None) -> bool:
        return call_id in self._futures

    def resolve(self, final: Final) -> None:
        with self._lock:
            future = self._futures.pop(final.id, None)
        if future is not None:
            future.set_result(final)


Send = Callable[[str, str, Method, Struct], bool]
"""(consumer id, call id, method, args) → whether the agent is connected and it went out."""


class Agent:
    """The remote interfaces of one consumer, each call awaited for `timeout` seconds.

    AgentOffline when it is not connected or does not answer; AgentFailed when it answers with a failure.
    """

    def __init__(
        self, consumer_id: str, pending: Pending, send: Send, *, timeout: float = 10.0
    ) -> None:
        self._consumer_id = consumer_id
        self._pending = pending
        self._send = send
        self._timeout = timeout
        self.packages: Packages[Any] = Packages(self._invoke)
        self.system: System[Any] = System(self._invoke)

    def _invoke(self, method: Method, args: Struct) -> Any:
        call_id, future = self._pending.open()
        try:
            if not self._send(self._consumer_id, call_id, method, args):
                raise AgentOffline(f"The agent of {self._consumer_id} is not connected.")
            return self._value(future.result(self._timeout))
        except FutureTimeout:
            raise AgentOffline(
                f"The agent of {self._consumer_id} did not answer within {self._timeout:g} s."
            ) from None
        finally:
            self._pending.close(call_id)

    @staticmethod
    def _value(final: Final) -> Any:
        match final:
            case Succeeded():
                return final.value
            case Failed():
                raise AgentFailed(final.code, final.message)
            case Rejected():
                raise AgentFailed(final.code, f"The agent refused the call: {final.found}")
            case _:
                raise AgentFailed("canceled", "The agent canceled the call.")
