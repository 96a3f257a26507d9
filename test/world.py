"""A throw-away fleet of real processes in one folder: a server, hosts with private package roots and their agents, and
pulp-admin. For the system tests, `./dev demo` and `./dev serve`. Nothing outside the folder is touched; all is on loopback."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from debrepo import Repository, build_repository, make_root
from power import Power

T = TypeVar("T")

BIN = Path(sys.executable).parent
LOGIN = "admin"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TERM", "COLUMNS", "TZ")
"""Of the caller's environment; its PULP_* settings and its systemd are not the world's."""


class WorldError(Exception):
    """Something of the world did not come up or did not end; the text holds the tail of its log."""


class Program:
    """One process with a log of its own, in a session of its own: Ctrl-C reaches it only through its World."""

    def __init__(self, argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path) -> None:
        self.argv = [str(part) for part in argv]
        self.log = log
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def code(self) -> int | None:
        """How it ended by itself; None while it runs, and before the first start."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        assert not self.running, f"{self.argv} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, timeout: float = 20.0) -> None:
        """Ask it to end and wait. WorldError, after a SIGKILL, when it does not end in time or ends badly."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise WorldError(f"{self.argv} did not stop in {timeout} s\n{self.tail()}") from None
        self._process = None
        if code not in (0, -signal.SIGTERM):
            raise WorldError(f"{self.argv} ended with {code}\n{self.tail()}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def tail(self, lines: int = 30) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Host:
    """A managed host: its package root, its agent's data, its agent, and a power switch that stands in for the machine's."""

    def __init__(self, world: World, id_: str) -> None:
        self.id = id_
        self.path = world.path / "hosts" / id_
        self.root = self.path / "root"
        self.data = self.path / "agent"
        self.path.mkdir(parents=True, exist_ok=True)
        self.power = Power(self.path / "power")
        self._env = {
            **self.power.settings,
            **world.env,
            "PULP_AGENT_PACKAGES_APT_CONFIG": str(make_root(self.root, world.repository)),
            "PULP_AGENT_PACKAGES_ROOT": str(self.root),
        }
        self._world = world
        self.agent = self.another_agent(self.data)

    def register(self, token: str) -> None:
        argv: list[str | Path] = [BIN / "pulp-agent", "register", "--data", self.data]
        argv += ["--id", self.id, "--server", self._world.url, "--ca", self._world.ca]
        run_once([*argv, "--token", token], self._env)

    def another_agent(self, data: Path) -> Program:
        """An agent on this host's package root with an identity of its own or a stolen one; its owner stops it."""
        argv: list[str | Path] = [BIN / "pulp-agent", "run", "--data", data]
        log = self._world.path / "logs" / f"{self.id}-{data.name}.log"
        return Program(argv, env=self._env, log=log)

    def installed(self) -> dict[str, str]:
        """Name → version of what dpkg says is installed and configured."""
        status = (self.root / "var/lib/dpkg/status").read_text()
        found = {}
        for stanza in status.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
            if fields.get("Status") == "install ok installed":
                found[fields["Package"]] = fields["Version"]
        return found


class World:
    """A context manager: on leaving, every process that it started has ended. `path` must be empty or new."""

    def __init__(self, path: Path, *, settings: Mapping[str, str] | None = None) -> None:
        """settings: more of them for the programs, as PULP_SECTION_KEY and PULP_AGENT_SECTION_KEY."""
        self.path = path.resolve()
        self.data = self.path / "server"
        (self.path / "logs").mkdir(parents=True)
        self.repository: Repository = build_repository(self.path / "repository")
        self.password = secrets.token_urlsafe(12)
        self.env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.env |= {
            "HOME": str(self.path),
            "PULP_ADMIN_CONFIG": str(self.path / "admin.toml"),
            **(settings or {}),
        }
        self.rest_port, self.messaging_port = free_ports(2)
        self.server = self._server()
        self.hosts: dict[str, Host] = {}
        self._client: httpx.Client | None = None

    def _server(self) -> Program:
        env = {
            **self.env,
            "PULP_REST_HOST": "127.0.0.1",
            "PULP_REST_PORT": str(self.rest_port),
            "PULP_REST_NAMES": "127.0.0.1",
            "PULP_MESSAGING_HOST": "127.0.0.1",
            "PULP_MESSAGING_PORT": str(self.messaging_port),
        }
        argv: list[str | Path] = [BIN / "pulp-server", "run", "--data", self.data]
        run_once([*argv[:1], "init", *argv[2:]], {**env, "PULP_ADMIN_PASSWORD": self.password})
        log = self.path / "logs" / "server.log"
        return Program(argv, env=env, log=log)

    # --- life ---

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End agents, server and whatever package work is left; the first trouble is raised after all have ended."""
        troubles: list[WorldError] = []
        for program in (*(host.agent for host in self.hosts.values()), self.server):
            try:
                program.stop()
            except WorldError as error:
                troubles.append(error)
        self._end_jobs()
        if self._client is not None:
            self._client.close()
        if troubles:
            raise troubles[0]

    def _end_jobs(self) -> None:
        """Package work outlives its agent on purpose."""
        for process in self.jobs():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def jobs(self) -> list[psutil.Process]:
        """The processes of package work that run now: jobs, apt, dpkg and maintainer scripts of this world's hosts."""
        mark = f"{self.path}/hosts/"
        known = {os.getpid(), *(host.agent.pid for host in self.hosts.values())}
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                words = [*process.cmdline(), *process.environ().values()]
                if process.pid not in known and any(mark in word for word in words):
                    found.append(process)
        return found

    # --- server and hosts ---

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.rest_port}"

    @property
    def ca(self) -> Path:
        return self.data / "ca.pem"

    def start_server(self) -> None:
        """Returns once it answers."""
        self.server.start()
        with self._unauthenticated() as client:
            self._until(lambda: _is_ready(client), "the server to answer", [self.server])

    def add_host(self, id_: str) -> Host:
        """A new host: package root, registration, running and connected agent."""
        host = self.hosts[id_] = Host(self, id_)
        host.register(self.token(id_))
        self.start_agent(host)
        return host

    def start_agent(self, host: Host) -> None:
        """Returns once it is connected."""
        host.agent.start()
        self.wait_online(host)

    def wait_online(self, host: Host, online: bool = True, limit: float = 30.0) -> None:
        def is_so() -> bool:
            return bool(self.get(f"/consumers/{host.id}")["online"]) is online

        programs = [self.server, host.agent] if online else [self.server]
        what = f"{host.id} to be {'online' if online else 'offline'}"
        self._until(is_so, what, programs, limit)

    # --- REST ---

    @property
    def rest(self) -> httpx.Client:
        """Logged in as the first admin, at /api/v1."""
        if self._client is None:
            client = self._unauthenticated()
            answer = client.post("/login", json={"login": LOGIN, "password": self.password})
            client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['token']}"
            self._client = client
        return self._client

    def another_client(self) -> httpx.Client:
        """With the same login, for another thread; whoever asks for it closes it."""
        client = self._unauthenticated()
        client.headers["Authorization"] = self.rest.headers["Authorization"]
        return client

    def _unauthenticated(self) -> httpx.Client:
        tls = ssl.create_default_context(cafile=self.ca)
        return httpx.Client(base_url=f"{self.url}/api/v1", verify=tls, timeout=40.0)

    def get(self, path: str, **query: Any) -> Any:
        return _json(self.rest.get(path, params=query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return _json(self.rest.post(path, json=body or {}))

    def token(self, consumer_id: str | None = None) -> str:
        """A one-time registration token."""
        body = {"consumer_id": consumer_id} if consumer_id else {}
        return str(self.post("/registration-tokens", body)["token"])

    def act(self, host: Host, action: str, *packages: str, **body: Any) -> dict[str, Any]:
        """Ask for an action; the new task."""
        if packages:
            body["packages"] = list(packages)
        return dict(self.post(f"/consumers/{host.id}/actions/{action}", body))

    def task(self, task_id: str) -> dict[str, Any]:
        return dict(self.get(f"/tasks/{task_id}"))

    def wait(self, task: Mapping[str, Any], *states: str, timeout: float = 60.0) -> dict[str, Any]:
        """The task once it is in one of these states; without any, once it is over."""
        wanted = states or ("finished", "error", "timed_out", "canceled", "missed")
        deadline = time.monotonic() + timeout
        seen = self.task(task["id"])
        while seen["state"] not in wanted:
            if time.monotonic() > deadline:
                raise WorldError(f"{task['id']} is not {' or '.join(wanted)}: {seen}")
            query = {"wait": 5, "after": seen["revision"]}
            seen = dict(self.get(f"/tasks/{task['id']}", **query))
        return seen

    def history(self, host: Host, **query: Any) -> list[dict[str, Any]]:
        return list(self.get(f"/consumers/{host.id}/history", **query)["items"])

    # --- pulp-admin ---

    def log_in(self) -> str:
        """pulp-admin's own login, kept in the world's folder; what it says."""
        argv: list[str | Path] = [BIN / "pulp-admin", "login", self.url, "--ca", self.ca]
        return run_once(argv, {**self.env, "PULP_ADMIN_PASSWORD": self.password})

    def admin(self, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run pulp-admin, logged in, without a terminal. `code` None: any exit code is fine."""
        if not Path(self.env["PULP_ADMIN_CONFIG"]).exists():
            self.log_in()
        argv = [str(BIN / "pulp-admin"), *args]
        done = subprocess.run(
            argv,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        if code is not None and done.returncode != code:
            raise WorldError(f"{args} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def _until(
        self, is_so: Callable[[], bool], what: str, programs: Sequence[Program], limit: float = 30.0
    ) -> None:
        deadline = time.monotonic() + limit
        while not is_so():
            for program in programs:
                if not program.running:
                    raise WorldError(f"waited for {what}: {program.argv} ended\n{program.tail()}")
            if time.monotonic() > deadline:
                tails = "\n".join(program.tail() for program in programs)
                raise WorldError(f"waited {limit} s for {what}\n{tails}")
            time.sleep(0.05)


def until(is_so: Callable[[], T], what: str, limit: float = 30.0) -> T:
    """The first true answer; WorldError when there is none in `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := is_so()):
        if time.monotonic() > deadline:
            raise WorldError(f"waited {limit} s for {what}")
        time.sleep(0.02)
    return answer


def run_once(argv: Sequence[str | Path], env: Mapping[str, str], *, limit: float = 60) -> str:
    """Run to the end, at most `limit` seconds; its output. WorldError with the output when it fails."""
    done = subprocess.run(
        [str(part) for part in argv],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=limit,
    )
    if done.returncode != 0:
        raise WorldError(f"{argv} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def free_ports(count: int) -> list[int]:
    """Loopback ports below those that the kernel gives to outgoing connections, so that a stopped server finds its own
    port free again."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def _is_ready(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/status").json()["ready"])
    except (httpx.TransportError, KeyError, json.JSONDecodeError):
        return False


def _json(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise WorldError(
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
    return answer.json()


@contextmanager
def world(path: Path, *hosts: str) -> Iterator[World]:
    """A running world with these hosts."""
    with World(path) as made:
        made.start_server()
        for id_ in hosts:
            made.add_host(id_)
        yield made
