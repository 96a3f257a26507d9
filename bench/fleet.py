"""What a task costs: a real server in this process, a simulated fleet (real agent core and wire, TLS) in another.

    ./dev bench fleet --agents 500 --tasks 10000

Throughput: tasks are stored in groups and CPU time of this process is taken from the first enqueue to the last committed
end, without REST; every agent sends accepted, started, two progress messages and a final. Latency: one POST at a time over
HTTPS, until the task's end and its history entry are committed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from pulp_agent.home import Home as AgentHome
from pulp_agent.register import Wish, register

from pulp.common import logs
from pulp.rmi.interfaces import PackageSpec
from pulp.server import bootstrap, config
from pulp.server.api.packages import InstallPackages, PackagesArguments
from pulp.server.api.types import LoginBody, RegisterBody, RegistrationTokenBody
from pulp.server.bootstrap import PulpServer
from pulp.server.db.base import TaskChange
from pulp.server.domain.task import TaskState
from pulp.server.domain.user import Principal, Role
from pulp.server.home import Home
from pulp.server.tasking.deadlines import Timing

PASSWORD = "bench-password"
ADMIN = Principal("admin", Role.ADMIN)
HOUR = 3_600_000


class Ends:
    """Counts committed ends of tasks, and when each came."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.states: dict[str, TaskState] = {}
        self._change = threading.Condition()

    def __call__(self, changes: Sequence[TaskChange]) -> None:
        now = time.perf_counter()
        ended = [c for c in changes if c.state.final]
        if ended:
            with self._change:
                for change in ended:
                    self.at.setdefault(change.id, now)
                    self.states[change.id] = change.state
                self._change.notify_all()

    def wait_for(self, count: int, timeout: float = 120) -> None:
        with self._change:
            if not self._change.wait_for(lambda: len(self.at) >= count, timeout):
                raise SystemExit(f"only {len(self.at)} of {count} tasks ended")

    def wait_for_id(self, task_id: str, timeout: float = 30) -> float:
        with self._change:
            if not self._change.wait_for(lambda: task_id in self.at, timeout):
                raise SystemExit(f"task {task_id} did not end")
            return self.at[task_id]


@contextmanager
def running_server(work: Path) -> Iterator[PulpServer]:
    data = work / "server"
    overrides = {
        "server.data": str(data),
        "rest.host": "127.0.0.1",
        "rest.port": 0,
        "messaging.host": "127.0.0.1",
        "messaging.port": 0,
        "rest.names": ["127.0.0.1"],
    }
    settings = config.read(None, {}, overrides).settings
    Home(data).create(["127.0.0.1"])
    bootstrap.create_first_admin(settings, "admin", PASSWORD)
    server = bootstrap.build(settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Direct:
    """Registers without HTTPS: what is measured comes later."""

    def __init__(self, server: PulpServer) -> None:
        self._consumers = server.core.apis.consumers

    def post(self, server: str, route: str, body: bytes) -> tuple[int, bytes]:
        made = self._consumers.register(msgspec.json.decode(body, type=RegisterBody))
        return 201, msgspec.json.encode(made)


def register_all(server: PulpServer, work: Path, agents: int) -> None:
    token = str(server.core.apis.tokens.create(ADMIN, RegistrationTokenBody(uses=agents)).token)
    for name in consumers(agents):
        wish = Wish(server="https://127.0.0.1", token=token, consumer_id=name)
        register(AgentHome(work / "agents" / name), wish, Direct(server))  # type: ignore[arg-type]


@contextmanager
def running_fleet(work: Path, options: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    command = [
        *(sys.executable, "-u", "-m", "pulp_agent.fleet", str(work / "agents")),
        *("--seconds", "300", *options),
    ]
    fleet = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert fleet.stdout is not None
        online = json.loads(fleet.stdout.readline())
        print(f"fleet: {online['agents']} agents online", flush=True)
        yield fleet
    finally:
        fleet.terminate()
        out, _ = fleet.communicate(timeout=30)
        print("fleet:", out.strip().splitlines()[-1][:300])


def consumers(agents: int) -> list[str]:
    return [f"sim-{n:04d}" for n in range(1, agents + 1)]


def throughput(server: PulpServer, agents: int, tasks: int, outstanding: int) -> dict[str, Any]:
    ends = Ends()
    server.core.store.subscribe(ends)
    ids = consumers(agents)
    enqueued: dict[str, float] = {}
    process = psutil.Process()
    cpu, wall = process.cpu_times(), time.perf_counter()
    for begin in range(0, tasks, 50):
        enqueued |= enqueue(server, [ids[n % agents] for n in range(begin, min(begin + 50, tasks))])
        ends.wait_for(len(enqueued) - outstanding)
    ends.wait_for(tasks)
    wall = time.perf_counter() - wall
    after = process.cpu_times()
    check_history(server, ends)
    waits = [ends.at[i] - enqueued[i] for i in enqueued]
    used = after.user + after.system - cpu.user - cpu.system
    return {
        "tasks": tasks,
        "server_cpu_us_per_task": round(used / tasks * 1e6),
        "tasks_per_second": round(tasks / wall),
        **percentiles(waits),
        "server_rss_mb": process.memory_info().rss >> 20,
    }


def enqueue(server: PulpServer, targets: Sequence[str]) -> dict[str, float]:
    core, now = server.core, int(time.time() * 1000)
    args = PackagesArguments(packages=[PackageSpec(name="nginx")])
    timing = Timing(deliver_within=HOUR, timeout=HOUR)
    records = [
        InstallPackages.new(args, consumer_id=t, requested_by="bench", now=now, timing=timing)
        for t in targets
    ]
    at = time.perf_counter()
    futures = [core.store.submit(lambda uow, r=r: core.queue.enqueue(uow, r)) for r in records]
    for future in futures:
        future.result()
    return {r.id: at for r in records}


def check_history(server: PulpServer, ends: Ends) -> None:
    """Each task has exactly one history entry, and it says what the task says."""
    wrong = 0
    for task_id, state in ends.states.items():
        events = server.core.store.read(lambda uow, i=task_id: uow.history.of_task(i))
        expected = "packages_installed" if state is TaskState.FINISHED else "action_failed"
        wrong += [e.type.value for e in events] != [expected]
    if wrong:
        raise SystemExit(f"{wrong} of {len(ends.states)} tasks have another history than their end")


def latency(server: PulpServer, work: Path, rounds: int) -> dict[str, Any]:
    ends = Ends()
    server.core.store.subscribe(ends)
    login = server.core.apis.users.login(LoginBody(login="admin", password=PASSWORD))
    context = ssl.create_default_context(cafile=work / "server" / "ca.pem")
    client = http.client.HTTPSConnection("127.0.0.1", server.rest.port, context=context)
    headers = {"Authorization": f"Bearer {login.token}", "Content-Type": "application/json"}
    body = b'{"packages":["nginx"]}'
    waits = []
    for number in range(rounds + 20):
        begin = time.perf_counter()
        client.request("POST", "/api/v1/consumers/sim-0001/actions/install", body, headers)
        answer = client.getresponse()
        task = msgspec.json.decode(answer.read())
        if answer.status != 202:
            raise SystemExit(f"POST answered {answer.status}: {task}")
        if number >= 20:
            waits.append(ends.wait_for_id(task["id"]) - begin)
    client.close()
    return {"posts": rounds, **percentiles(waits)}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_ms": round(statistics.median(ordered) * 1000, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--outstanding", type=int, default=500, help="tasks under way at a time")
    parser.add_argument("--posts", type=int, default=300, help="requests of the latency part")
    parser.add_argument("--longest", type=float, default=0.5, help="seconds of simulated work")
    args = parser.parse_args()
    logs.configure("warning", "text", sys.stderr)
    work = Path(tempfile.mkdtemp(prefix="pulp-bench-"))
    try:
        with running_server(work) as server:
            register_all(server, work, args.agents)
            with running_fleet(work, ["--longest", str(args.longest)]):
                print("throughput:", throughput(server, args.agents, args.tasks, args.outstanding))
            with running_fleet(work, ["--agents", "1"]):
                print("latency:", latency(server, work, args.posts))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
