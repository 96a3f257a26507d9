"""Nothing lost, nothing twice: a real server and a simulated fleet are killed at random under a steady stream of installs.

    ./dev bench soak --minutes 20 --agents 500

Real processes, wire, TLS, SQLite and agent journals; only the package work is simulated, and each execution writes a line of
its own, with an fsync, to a file that nothing under test reads. Requests go over REST with an Idempotency-Key and are repeated
until they are acknowledged. At the end every acknowledged request must be in one final state, executed at most once, and have
exactly one entry in history; `pulp-server check` must find nothing. The exit code is 1 if any of this is not so.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from world import Program, World, WorldError, run_once

from pulp.common.ids import new_id
from pulp.server.check import ENDINGS, check
from pulp.server.db.base import TaskFilter, UnitOfWork
from pulp.server.db.sqlite.readers import Readers

GROUP = 125  # simulated agents that share a process, and die together
CLIENTS = 4
PATIENCE = 240.0
"""Seconds after the last kill until everything must be over: agents come back after a minute at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`every`: seconds from one kill to the next, on average. `rate`: requests a second."""

    seconds: float
    agents: int
    rate: float
    every: float
    seed: int


@dataclass(slots=True)
class Told:
    """What clients and killer saw."""

    acknowledged: list[str] = field(default_factory=list)
    repeated: int = 0
    too_late: int = 0
    kills: Counter[str] = field(default_factory=Counter)


class Fleets:
    """The simulated agents, some hundred to a process."""

    def __init__(self, world: World, agents: int) -> None:
        self._world = world
        self.executions: list[Path] = []
        self.programs: list[Program] = []
        self._register(agents)
        homes = sorted((world.path / "agents").iterdir())
        for number, begin in enumerate(range(0, agents, GROUP)):
            folder = world.path / f"agents-{number}"
            folder.mkdir()
            for home in homes[begin : begin + GROUP]:
                home.rename(folder / home.name)
            self._add(number, folder)

    def _register(self, agents: int) -> None:
        token = self._world.post("/registration-tokens", {"uses": agents})["token"]
        folder = self._world.path / "agents"
        folder.mkdir()
        options = ["--register", agents, "--server", self._world.url, "--token", token]
        options += ["--ca", self._world.ca, "--seconds", 0]
        run_once(self._argv(folder, *options), self._world.env, limit=600)

    def _add(self, number: int, folder: Path) -> None:
        executions = self._world.path / f"executions-{number}"
        options = ["--journals", "file", "--executions", executions, "--seed", number]
        options += ["--longest", 1.0, "--fails", 0.05]
        log = self._world.path / "logs" / f"fleet-{number}.log"
        self.executions.append(executions)
        self.programs.append(Program(self._argv(folder, *options), env=self._world.env, log=log))

    @staticmethod
    def _argv(*parts: object) -> list[str | Path]:
        return [sys.executable, "-m", "pulp_agent.fleet", *map(str, parts)]

    def executed(self) -> tuple[Counter[str], Counter[str]]:
        """Executions and resumptions by task."""
        first: Counter[str] = Counter()
        resumed: Counter[str] = Counter()
        for path in self.executions:
            for line in path.read_text().splitlines() if path.exists() else ():
                task_id, _, again = line.partition(" ")
                (resumed if again else first)[task_id] += 1
        return first, resumed


class Client(threading.Thread):
    """Asks for installs at a steady rate, each until it is acknowledged; calls a few of them off again."""

    def __init__(self, world: World, plan: Plan, number: int, told: Told, until: float) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._plan = plan
        self._told = told
        self._until = until
        self._random = random.Random(f"{plan.seed}-{number}")
        self._http = world.another_client()
        self.problem = ""

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            self._http.close()

    def _run(self) -> None:
        pause, due = CLIENTS / self._plan.rate, time.monotonic()
        while (now := time.monotonic()) < self._until:
            due = max(due + pause, now - 1.0)
            time.sleep(max(0.0, due - now))
            task_id = self._ask()
            if task_id is None:
                self._told.too_late += 1
                continue
            self._told.acknowledged.append(task_id)
            if self._random.random() < 0.05:
                with suppress(httpx.TransportError):
                    self._http.post(f"/tasks/{task_id}/cancel")

    def _ask(self) -> str | None:
        """None: when it could be asked at last, its window was over, and nothing was stored."""
        number = self._random.randint(1, self._plan.agents)
        path, headers = (
            f"/consumers/sim-{number:04d}/actions/install",
            {"Idempotency-Key": new_id()},
        )
        body = {"packages": ["nginx"], **self._timing()}
        while True:
            with suppress(httpx.TransportError):
                answer = self._http.post(path, json=body, headers=headers)
                if answer.status_code == 202:
                    return str(answer.json()["id"])
                if answer.status_code == 422 and "is in the past" in answer.text:
                    return None
                if answer.status_code != 503:
                    raise WorldError(f"{answer.status_code} {answer.text}")
            self._told.repeated += 1
            time.sleep(0.2)

    def _timing(self) -> dict[str, Any]:
        now, kind = datetime.now(UTC), self._random.random()
        if kind < 0.1:
            length = self._random.choice(["3s", "20s", "2m"])
            return {"window": {"begin": _in(now, self._random.uniform(0, 5)), "duration": length}}
        if kind < 0.2:
            return {"not_before": _in(now, self._random.uniform(0, 5))}
        return {"deliver_within": "2m"} if kind < 0.3 else {}


def _in(now: datetime, seconds: float) -> str:
    return (now + timedelta(seconds=seconds)).isoformat()


def kill_at_random(world: World, fleets: Fleets, plan: Plan, told: Told, until: float) -> None:
    """SIGKILL, a short pause, and up again."""
    chance = random.Random(plan.seed)
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, chance.uniform(0.5, 1.5) * plan.every))
        if chance.random() < 0.5:
            told.kills["server"] += 1
            world.server.kill()
            time.sleep(chance.choice([0, 0, 0.5, 2]))
            world.start_server()
        else:
            told.kills["agents"] += 1
            fleet = chance.choice(fleets.programs)
            fleet.kill()
            time.sleep(chance.choice([0, 0, 0.5, 2]))
            fleet.start()


def wait_for_the_end(world: World, told: Told) -> None:
    """Until no task is open, or patience ends; what is open then is counted as such."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        states = ("scheduled", "waiting", "held", "running")
        if not any(world.get("/tasks", state=state, limit=1)["items"] for state in states):
            return
        time.sleep(0.5)


# --- the reckoning


def reckon(world: World, fleets: Fleets, told: Told) -> dict[str, Any]:
    """Read from the files, once every process has ended."""
    readers = Readers(world.data / "pulp.db")
    try:
        stored = {record.id: record for record in _all_tasks(readers.run)}
        history = Counter(_entries(readers.run, task_id) for task_id in stored)
        found = [str(v) for v in check(_ReadOnly(readers.run))]  # type: ignore[arg-type]
    finally:
        readers.close()
    first, resumed = fleets.executed()
    done = [i for i, record in stored.items() if record.state.value == "finished"]
    return {
        "acknowledged": len(told.acknowledged),
        "repeated_requests": told.repeated,
        "refused_as_too_late": told.too_late,
        "kills": dict(told.kills),
        "states": dict(Counter(record.state.value for record in stored.values())),
        "executions_per_task": dict(Counter(first[i] for i in stored)),
        "resumed_executions": sum(resumed.values()),
        "history_entries_per_task": dict(history),
        "violations": found,
        "wrong": {
            "acknowledged twice": len(told.acknowledged) - len(set(told.acknowledged)),
            "acknowledged and lost": len(set(told.acknowledged) - stored.keys()),
            "stored and never acknowledged": len(stored.keys() - set(told.acknowledged)),
            "not in a final state": sum(not record.state.final for record in stored.values()),
            "executed more than once": sum(count > 1 for count in first.values()),
            "finished without an execution": sum(not first[i] + resumed[i] for i in done),
            "without exactly one history entry": sum(n for k, n in history.items() if k != 1),
            "violations": len(found),
        },
    }


def _all_tasks(read: Callable[..., Any]) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = read(lambda uow, after=after: uow.tasks.page(TaskFilter(), after, 1000))
        yield from page.items
        after = page.next
        if after is None:
            return


def _entries(read: Callable[..., Any], task_id: str) -> int:
    def job(uow: UnitOfWork) -> int:
        return sum(event.type in ENDINGS for event in uow.history.of_task(task_id))

    return int(read(job))


class _ReadOnly:
    def __init__(self, read: Callable[..., Any]) -> None:
        self.read = read


# --- the run


def soak(work: Path, plan: Plan) -> dict[str, Any]:
    told = Told()
    with World(work / "world", settings={"PULP_TASKS_SWEEP": "10s"}) as world:
        world.start_server()
        fleets = Fleets(world, plan.agents)
        try:
            for program in fleets.programs:
                program.start()
            until = time.monotonic() + plan.seconds
            clients = [Client(world, plan, number, told, until) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            kill_at_random(world, fleets, plan, told, until)
            for client in clients:
                client.join()
                if client.problem:
                    raise WorldError(f"{client.name}: {client.problem}")
            wait_for_the_end(world, told)
        finally:
            for program in fleets.programs:
                program.kill()
        world.server.stop()
        return reckon(world, fleets, told)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--agents", type=int, default=500)
    parser.add_argument("--rate", type=float, default=40, help="requests a second")
    parser.add_argument("--every", type=float, default=8, help="seconds between kills, on average")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and end what was started
    plan = Plan(
        seconds=60 * args.minutes,
        agents=args.agents,
        rate=args.rate,
        every=args.every,
        seed=args.seed,
    )
    print(f"soak: {plan}", flush=True)
    work = Path(tempfile.mkdtemp(prefix="pulp-soak-"))
    counts = soak(work, plan)
    print(json.dumps(counts, indent=2))
    if any(counts["wrong"].values()):
        print(f"FAILED; everything is kept in {work}")
        return 1
    shutil.rmtree(work)
    print("sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
