"""The agent's end of dnf's worker: starts it, calls it and reads its answers; knows no command's meaning."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import NotFound

_POLL = 0.05  # s between two ticks
_CHUNK = 65536  # bytes


class _Error(Struct, frozen=True):
    code: str
    message: str
    names: list[str] = []


class _Answer(Struct, frozen=True):
    id: int
    progress: tuple[float, str] | None = None
    value: Any = None
    error: _Error | None = None


class WorkerDied(Exception):
    """The worker ended without an answer; its text says how."""


class WorkerProcess:
    """One worker, in a session of its own, with our stderr. It ends by itself when it finds nobody at the other end, but never in
    a transaction."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._decoder = msgspec.json.Decoder(_Answer)
        self._unread = b""
        self._id = 0
        self.busy = False
        """Whether it has been given a command that it has not answered."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(
        self,
        command: str,
        arguments: Mapping[str, Any],
        *,
        log: Path | None,
        progress: Callable[[float, str], None],
        tick: Callable[[], None],
    ) -> Any:
        """The command's value. `tick` is called often; what it raises goes on to the caller.

        Raises WorkerDied, and the worker's own failure as a HandlerError.
        """
        self._id += 1
        order = {
            **arguments,
            "id": self._id,
            "command": command,
            "log": str(log) if log else None,
        }
        self.busy = True
        self._send(msgspec.json.encode(order) + b"\n")
        while (answer := self._decoder.decode(self._line(tick))).progress is not None:
            progress(*answer.progress)
        self.busy = False
        if answer.error is not None:
            raise _failure(answer.error)
        return answer.value

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  it was asked for
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._death() from error

    def _line(self, tick: Callable[[], None]) -> bytes:
        assert self._process.stdout is not None  # noqa: S101  it was asked for
        source = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            tick()
            if select.select([source], [], [], _POLL)[0]:
                data = os.read(source, _CHUNK)
                if not data:
                    raise self._death()
                self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _death(self) -> WorkerDied:
        status = self._process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with {status}"
        return WorkerDied(f"dnf's worker {how}")

    def kill(self) -> None:
        """End it at once, with all that it has started. Only outside of a transaction."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Let it go: it ends when it has done what it is at, which is waited for."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def _failure(error: _Error) -> HandlerError:
    if error.code == "not-found":
        return NotFound(error.names, error.message)
    return HandlerError(error.code, error.message)
