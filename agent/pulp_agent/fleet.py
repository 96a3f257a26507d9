"""Many simulated agents in one process: the real core, journal, connection and wire; only the package work is simulated.

`python -m pulp_agent.fleet --help`. Prints one JSON object a line: when all agents are online, and the counts at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import msgspec

from pulp.common.errors import PulpError
from pulp.common.times import SECOND
from pulp.messaging.amqp.client import Pump
from pulp.rmi.interfaces import METHODS
from pulp.rmi.messages import InstalledPackage
from pulp.rmi.versions import FEATURES
from pulp_agent import __version__
from pulp_agent.daemon import Agent
from pulp_agent.desk import Me
from pulp_agent.events import ProfileRead, RestartRefused
from pulp_agent.executor import Post
from pulp_agent.home import Home
from pulp_agent.journal import Journal, MemoryJournal, open_journal
from pulp_agent.link import AmqpConnector, LinkKeeper
from pulp_agent.records import AnyRecord
from pulp_agent.simulation import ExecutionLog, SimulatedExecutor, SimulatedFetcher, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`journals`: on disk as a real agent's (`file`), or in memory; `profiles`: report packages after every change."""

    work: Work
    journals: str = "memory"
    executions: Path | None = None
    profiles: bool = False
    seed: int = 0


class _Household:
    """Keeps nothing; a profile differs each time it is read."""

    def __init__(self, profiles: bool) -> None:
        self._profiles = profiles
        self._read = 0
        self.post: Post = lambda event: None

    def read_profile(self) -> None:
        if self._profiles:
            self._read += 1
            package = InstalledPackage(name="simulated", version=str(self._read), arch="all")
            digest = sha256(package.version.encode()).hexdigest()
            self.post(ProfileRead(digest, [package]))

    def restart_host(self, call_id: str) -> None:
        self.post(RestartRefused("A simulated host has nothing that could restart it."))

    def store_certificate(self, certificate: str, ca: Sequence[str]) -> None:
        pass

    def use_server(
        self, urls: Sequence[str], ca: Sequence[str], signing_keys: Sequence[str]
    ) -> None:
        pass


class Fleet:
    """`homes` are registered data directories, one per agent. Lives on the running loop."""

    def __init__(self, homes: Sequence[Home], plan: Plan) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        self._random = Random(plan.seed)
        self._log = ExecutionLog(plan.executions) if plan.executions else None
        self._pump = Pump(asyncio.get_running_loop())
        self._changed = asyncio.Event()
        self._agents = [self._make(home) for home in homes]

    def _make(self, home: Home) -> tuple[Agent, LinkKeeper]:
        random = Random(self._random.random())
        journal, records = self._journal(home)
        household = _Household(self._plan.profiles)
        executor = SimulatedExecutor(self._plan.work, random, self.counts, self._log)
        fetcher = SimulatedFetcher(self._plan.work, random, self.counts)
        agent = Agent(_me(home, journal.id), records, journal, executor, fetcher, household)
        household.post = agent.post
        link = LinkKeeper(
            AmqpConnector(home, pump=self._pump),
            seq=agent.durable_seq,
            changed=self._changed.set,
            random=random,
        )
        return agent, link

    def _journal(self, home: Home) -> tuple[Journal, list[AnyRecord]]:
        if self._plan.journals == "memory":
            return MemoryJournal(), []
        journal, records, _ = open_journal(home.journal)
        return journal, records

    def start(self) -> None:
        for agent, link in self._agents:
            agent.start(link)

    @property
    def online(self) -> int:
        return sum(link.state == "online" for _, link in self._agents)

    async def all_online(self) -> None:
        while self.online < len(self._agents):
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        await asyncio.gather(*(agent.stop() for agent, _ in self._agents))
        if self._log is not None:
            self._log.close()

    def result(self) -> dict[str, Any]:
        problems = Counter(link.problem for _, link in self._agents if link.problem)
        return {
            "agents": len(self._agents),
            "online": self.online,
            **{name: self.counts[name] for name in COUNTED},
            "problems": dict(problems.most_common(5)),
        }


COUNTED = ("executed", "succeeded", "failed", "canceled", "confirmed", "fetched")


def _me(home: Home, journal_id: str) -> Me:
    registration = home.registration()
    return Me(
        names=frozenset({registration.consumer_id, registration.uid}),
        version=__version__,
        methods=METHODS,
        features=FEATURES,
        boot_id=f"simulated-{registration.uid}",
        timezone="UTC",
        os={"id": "simulated"},
        journal_id=journal_id,
        confirm=registration.confirm,
        heartbeat=registration.heartbeat * SECOND,
    )


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        if args.register:
            _register(args)
        homes = [Home(p) for p in sorted(args.homes.iterdir()) if (p / "profile.json").exists()]
        _runner()(_live(homes[: args.agents], args))
    except PulpError as error:
        sys.stderr.write(f"fleet: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pulp_agent.fleet", description=__doc__)
    parser.add_argument(
        "homes", type=Path, help="folder with one registered data directory per agent"
    )
    parser.add_argument("--agents", type=int, metavar="N", help="run the first N (default: all)")
    parser.add_argument("--seconds", type=float, help="stop by itself (default: at SIGTERM)")
    parser.add_argument("--shortest", type=float, default=0.0, help="seconds of work, at least")
    parser.add_argument("--longest", type=float, default=0.0, help="seconds of work, at most")
    parser.add_argument("--fails", type=float, default=0.0, help="share of calls that fail, 0 to 1")
    parser.add_argument("--progress", type=int, default=2, help="progress reports per call")
    parser.add_argument("--journals", choices=("memory", "file"), default="memory")
    parser.add_argument("--executions", type=Path, metavar="FILE", help="the id of every execution")
    parser.add_argument(
        "--profiles", action="store_true", help="report packages after every change"
    )
    parser.add_argument("--seed", type=int, default=0)
    register = parser.add_argument_group("register missing agents first")
    register.add_argument("--register", type=int, metavar="N", help="sim-0001 to sim-N")
    register.add_argument("--server", metavar="URL")
    register.add_argument("--token", help="a registration token for at least N uses")
    register.add_argument("--ca", type=Path, metavar="FILE")
    register.add_argument("--fingerprint", metavar="SHA256")
    return parser


def _register(args: argparse.Namespace) -> None:
    from pulp_agent.https import Https, Trust
    from pulp_agent.register import Wish, register

    https = Https(Trust(ca=args.ca, fingerprint=args.fingerprint))
    for number in range(1, args.register + 1):
        name = f"sim-{number:04d}"
        home = Home(args.homes / name)
        if not (home.path / "profile.json").exists():
            register(home, Wish(server=args.server, token=args.token, consumer_id=name), https)


def _runner() -> Any:
    """uvloop where it is installed: a simulated fleet should cost little beside the server it measures."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _live(homes: Sequence[Home], args: argparse.Namespace) -> None:
    work = Work(
        shortest=args.shortest, longest=args.longest, fails=args.fails, progress=args.progress
    )
    plan = Plan(
        work=work,
        journals=args.journals,
        executions=args.executions,
        profiles=args.profiles,
        seed=args.seed,
    )
    fleet, begin = Fleet(homes, plan), monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    fleet.start()
    waiting = asyncio.create_task(_announce(fleet, begin))
    try:
        async with asyncio.timeout(args.seconds):
            await stop.wait()
    except TimeoutError:
        pass
    waiting.cancel()
    result = fleet.result()
    await fleet.stop()
    _print({"event": "end", "seconds": round(monotonic() - begin, 3), **result})


async def _announce(fleet: Fleet, begin: float) -> None:
    await fleet.all_online()
    _print({"event": "online", "agents": fleet.online, "seconds": round(monotonic() - begin, 3)})


def _print(value: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
