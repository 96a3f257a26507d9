"""A world whose processes can be told where to die, and what must hold afterwards. For the system tests of failpoints."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from debrepo import Package
from power import Power
from pulp_agent.backoff import LONGEST
from pulp_agent.calls import CallTable
from pulp_agent.home import Home
from pulp_agent.journal import read_records
from stepped_clock import SteppedClock
from world import Host, World, WorldError, until

from pulp.common.failpoints import VARIABLE
from pulp.common.ids import new_id
from pulp.server.check import check
from pulp.server.db.sqlite.readers import Readers

PATIENCE = LONGEST + 15
"""Seconds in which an agent is back, by its own rule, whatever it has met: its longest delay, and a start of the server."""

FINAL = ("finished", "error", "timed_out", "canceled", "missed")

_ONCE = 'printf "%s\\n" "$DPKG_MAINTSCRIPT_PACKAGE" >>"$DPKG_ROOT/executions"; sync "$DPKG_ROOT/executions"'


class Stage:
    """A context manager: a server, one host at a time, and the folder of their failpoints."""

    def __init__(
        self,
        path: Path,
        *,
        clock: SteppedClock | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """clock: of the hosts; the server has the true one. settings: more of them, of server and hosts."""
        self._points = path / "failpoints"
        self._points.mkdir()
        self.power = Power(path / "power")
        usual = {
            **self.power.settings,
            VARIABLE: str(self._points),
            "PULP_AGENT_PACKAGES_LOCK_TIMEOUT": "30s",
            "PULP_TASKS_SWEEP": "2s",
        }
        self.world = World(path / "world", settings={**usual, **(settings or {})})
        if clock is not None:
            self.clock = clock
            self.world.env |= clock.env
        self._host: Host | None = None
        self._hosts = 0
        self._lost = 0  # connections of this host's agent that ended with the server

    def __enter__(self) -> Stage:
        self.world.start_server()
        return self

    def __exit__(self, *exc: object) -> None:
        self.disarm()
        self.world.close()

    # --- failpoints ---

    def arm(self, name: str, nth: int = 1) -> None:
        (self._points / name).write_text(str(nth))

    def armed(self) -> list[str]:
        return sorted(path.name for path in self._points.iterdir() if path.name[0] != ".")

    def disarm(self) -> None:
        for path in self._points.iterdir():
            path.unlink()

    def reached(self) -> None:
        """Returns once every armed failpoint went off, and who passed it is dead."""
        until(lambda: not self.armed(), f"a process to die at {self.armed()}", 20)
        for path in self._points.iterdir():
            pid = int(path.name.rpartition(".")[2])
            until(lambda pid=pid: _dead(pid), f"process {pid} to die")  # type: ignore[misc]
            path.unlink()

    def play(self, name: str, nth: int, way: Callable[[Stage, str], None]) -> None:
        """One case: a package of its own, on a host that the case before left sound, else on a new one."""
        package = f"{name}.{nth}".replace("_", "-")
        self.publish(package)
        self.begin()
        self.arm(name, nth)
        try:
            way(self, package)
        except BaseException:
            self.disarm()
            self.revive()
            self.drop_host()
            raise

    # --- processes ---

    @property
    def host(self) -> Host:
        if self._host is None:
            self._hosts += 1
            self._host = self.world.add_host(f"host{self._hosts}")
        return self._host

    def begin(self) -> None:
        """An agent whose connections were short comes back ever more patiently, which no case is to wait for."""
        if self.host.agent.running and self._lost > 1:
            self.away()
        if not self.host.agent.running:
            self.world.start_agent(self.host)
            self._lost = 0

    def begin_near(self) -> None:
        """As `begin`, for cases that each end the connection."""
        self._lost = 2
        self.begin()

    def drop_host(self) -> None:
        """The next case begins with another one."""
        if self._host is not None:
            self._host.agent.kill()
        self._host = None

    def away(self) -> None:
        self.host.agent.stop()
        self.world.wait_online(self.host, False)

    def revive(self) -> None:
        """Start again what died, which it may have done only by SIGKILL."""
        server, agent = self.world.server, self._host.agent if self._host else None
        if server.code is not None:
            assert server.code == -signal.SIGKILL, server.tail()
            self.start_server()
        if agent is not None and agent.code is not None:
            assert agent.code == -signal.SIGKILL, agent.tail()
            agent.start()

    def start_server(self) -> None:
        """Again, after it died. It may be asked to die on the way."""
        self._lost += 1
        try:
            self.world.start_server()
        except WorldError:
            if self.world.server.code != -signal.SIGKILL:
                raise
            self._lost += 1
            self.world.start_server()

    # --- tasks ---

    def publish(self, name: str) -> None:
        """A package whose installation is counted by itself, on disk."""
        self.world.repository.publish(Package(name=name, scripts={"postinst": _ONCE}))

    def ask(self, package: str, **body: Any) -> dict[str, Any]:
        """Ask for its installation, again and again with one key until it is acknowledged."""
        path, key = f"/consumers/{self.host.id}/actions/install", new_id()
        body = {"packages": [package], **body}

        def post() -> dict[str, Any] | None:
            self.revive()
            with unanswered():
                answer = self.world.rest.post(path, json=body, headers={"Idempotency-Key": key})
                return dict(answer.raise_for_status().json())
            return None

        return until(post, "the request to be acknowledged", 30) or {}

    def cancel(self, task: dict[str, Any]) -> None:
        """Ask until it is acknowledged, or the task is over."""

        def post() -> bool:
            self.revive()
            with unanswered():
                code = self.world.rest.post(f"/tasks/{task['id']}/cancel").status_code
                return code in (202, 409)
            return False

        until(post, "the cancel to be acknowledged", 30)

    def ended(self, task: dict[str, Any], limit: float = PATIENCE) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            self.revive()
            with unanswered():
                seen = self.world.task(task["id"])
                return seen if seen["state"] in FINAL else None
            return None

        return until(look, f"the end of {task['id']}", limit) or {}

    def over(self, task: dict[str, Any]) -> bool:
        return self.world.task(task["id"])["state"] in FINAL

    # --- what must hold ---

    def settle(self) -> None:
        """Every failpoint went off, and everybody is back."""
        self.reached()
        self.revive()
        self.world.wait_online(self.host, limit=PATIENCE)

    def sound(self, task: dict[str, Any], package: str, *, state: str, history: str) -> None:
        """The task's one end, its one execution or none, its one entry in history, and no trace of a fault anywhere."""
        ended = self.ended(task)
        assert ended["state"] == state, ended
        self.settle()
        until(lambda: not self._open_calls(), "the agent to forget the call", 20)
        assert self.ended(task) == ended, "an end was changed"
        events = [e for e in self.world.history(self.host) if e["task_id"] == task["id"]]
        assert [e["type"] for e in events] == [history]
        assert self.executions(package) == (1 if state == "finished" else 0)
        self.violations_none()
        self._dpkg_clean()

    def executions(self, package: str) -> int:
        """As the package itself and dpkg tell, which must agree."""
        root = self.host.root
        own = root / "executions"
        counted = own.read_text().split().count(package) if own.exists() else 0
        log = root / "var/log/dpkg.log"
        told = log.read_text().count(f" install {package}:all <none> ") if log.exists() else 0
        assert counted == told
        assert (package in self.host.installed()) is (counted > 0)
        return counted

    def violations_none(self) -> None:
        readers = Readers(self.world.data / "pulp.db")
        try:
            assert [str(v) for v in check(_ReadOnly(readers))] == []  # type: ignore[arg-type]
        finally:
            readers.close()

    def _open_calls(self) -> Sequence[str]:
        return list(CallTable(read_records(Home(self.host.data).journal)).open)

    def _dpkg_clean(self) -> None:
        command = ["dpkg", f"--root={self.host.root}", "--audit"]
        audit = subprocess.run(command, capture_output=True, text=True, check=True)
        assert audit.stdout == ""
        assert list((self.host.root / "var/lib/dpkg/updates").iterdir()) == []


def _dead(pid: int) -> bool:
    """With all its threads: a first thread that is a zombie does not mean that the sockets are closed."""
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() == 1
    except psutil.NoSuchProcess:
        return True


class _ReadOnly:
    """As much of a Store as check() uses, beside the server that runs on it."""

    def __init__(self, readers: Readers) -> None:
        self.read = readers.run


@contextmanager
def unanswered() -> Iterator[None]:
    """A server that dies while it is asked."""
    with suppress(httpx.TransportError):
        yield
