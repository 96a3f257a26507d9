"""A package tool as a child process that loses nothing when we die: a session of its own, and files for its output."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pulp_agent.handlers.packages.processes import ScriptEnder

_POLL = 0.05  # s between two looks at the child
_PATIENCE = 5.0  # s a child may take to end after SIGINT before it is killed


class Child:
    """Starts `command` in a session of its own. Its output is appended to `log`; a pipe would kill it with us (SIGPIPE)."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        with log.open("ab") as output:
            output.write(f"$ {' '.join(command)}\n".encode())
            output.flush()
            self._log, self._begin = log, output.tell()
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def text(self) -> str:
        """What this child has written so far."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode("utf-8", "replace")

    def wait_stoppable(self, tick: Callable[[], None]) -> int:
        """Wait for the end; `tick` is called often, and when it raises the child is ended and the error goes on."""
        try:
            return self._wait(tick)
        except BaseException:
            self._stop()
            raise

    def wait_committed(self, tick: Callable[[], None], ender: ScriptEnder) -> int:
        """Wait for the end, however long the tool takes; `ender` deals with scripts that hang."""

        def both() -> None:
            tick()
            ender.tick()

        return self._wait(both)

    def _wait(self, tick: Callable[[], None]) -> int:
        while True:
            try:
                status = self._process.wait(_POLL)
            except subprocess.TimeoutExpired:
                tick()
            else:
                return status

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Tail:
    """The lines of a file that another process appends to, each once and only when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        yield from whole.decode("utf-8", "replace").splitlines()
