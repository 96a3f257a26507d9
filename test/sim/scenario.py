"""One seed's story: a fleet, its users, and everything that goes wrong; then the network is made whole and all must end."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pulp_agent.daemon
import pulp_agent.link

import pulp.common.ids
import pulp.server.api.registration
import pulp.server.async_.gateway
import pulp.server.async_.hello
import pulp.server.async_.replies
import pulp.server.tasking.fifo
import pulp.server.tasking.scheduler
from pulp.common.errors import PulpError
from pulp.server.api.secrets import digest_of
from pulp.server.api.types import (
    ActionBody,
    PackagesActionBody,
    RegisterBody,
    UpdateAllBody,
    WindowBody,
)
from pulp.server.db.base import StoreUnavailable
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.user import Principal, RegistrationToken, Role
from sim.agent import AgentProcess
from sim.checks import Checks
from sim.host import Host, patched
from sim.network import Network
from sim.server import Server
from sim.store import Disk
from sim.world import START, Crash, Process, Violation, World

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
USERS = ("ann", "bob", "eve")


class Scenario:
    def __init__(self, seed: int) -> None:
        self.world = world = World(seed)
        rng = world.random
        self.disk = Disk()
        self.most = rng.choice((2, 4, 32))
        self.checks = Checks(world, self.disk, self.most)
        self.network = Network(world, self.checks)
        self.network.slowest = rng.choice((20, 200, 3000))
        self.network.server_credit = rng.choice((2, 64))
        self.scale = rng.choice((MINUTE, 20 * MINUTE, 8 * HOUR))
        self.sweep = MINUTE if self.scale < HOUR else 30 * MINUTE
        world.crash_rate = rng.choice((0.0, 0.003, 0.012, 0.03))
        self.trouble = rng.choice((0.1, 0.3, 0.5))
        self.disk_full = False
        self.server: Server | None = None
        self.hosts: list[Host] = []
        self.agents: dict[str, AgentProcess] = {}
        self._names = 0
        self._copies: list[tuple[bytes, dict[str, TaskRecord], dict[str, str]]] = []

    # --- the story ---

    def run(self) -> None:
        with _patches(self.world, self.most) as errors:
            self._set_up()
            for _ in range(self.world.random.randint(25, 60)):
                self.world.run(self.world.now + self.world.spread(10, self.scale // 2))
                self._something()
                self._check_logs(errors)
            self._make_whole()
            self._quiet()
            self._check_logs(errors)
            for rule, what in self.checks.ended():
                raise Violation(rule, str(what))

    def _set_up(self) -> None:
        self.world.chaos = False
        self._start_server()
        for number in range(self.world.random.randint(1, 6)):
            self._register(f"web{number}")
        self.world.chaos = True

    def _something(self) -> None:
        if self.world.chance(self.trouble):
            self.world.run_one(self._fault())
        elif self.server is not None and self.server.alive:
            server = self.server
            self.world.run_one(lambda: self._visit(server))

    def _check_logs(self, errors: list[str]) -> None:
        for agent in self.agents.values():
            errors += [str(e) for e in agent.loop.errors]
        if errors:
            raise Violation("10 no code of ours raises", errors[0])

    # --- users ---

    def _visit(self, server: Server) -> None:
        """Somebody asks something of the API; what is answered is acknowledged."""
        who = Principal(self.world.random.choice(USERS), Role.ADMIN)
        act = self.world.random.choices(
            (
                self._act,
                self._burst,
                self._cancel,
                self._unregister,
                self._register_again,
                self._ping,
            ),
            (60, 4, 20, 1, 2, 3),
        )[0]
        try:
            act(server, who)
        except PulpError as error:
            self.world.note("refused", error.code, str(error)[:80])

    def _names_of_consumers(self) -> list[str]:
        return sorted({host.consumer_id for host in self.hosts})

    def _act(self, server: Server, who: Principal, name: str | None = None) -> None:
        rng, api = self.world.random, server.consumers
        name = name or rng.choice(self._names_of_consumers())
        timing = self._timing()
        kind = rng.choices(
            ("install", "update", "remove", "update_all", "refresh"), (8, 3, 3, 1, 1)
        )[0]
        if kind == "refresh":
            view = api.refresh_profile(who, name, ActionBody(**timing))
        elif kind == "update_all":
            body = UpdateAllBody(dry_run=rng.random() < 0.1, **timing)
            view = api.update_all(who, name, body)
        else:
            self._names += 1
            packages = PackagesActionBody(
                packages=[f"p{self._names}"], dry_run=rng.random() < 0.1, **timing
            )
            view = getattr(api, kind)(who, name, packages)
        self.checks.acknowledged[view.id] = who.login
        self.world.note(
            who.login, "asks", kind, name, view.id, *(f"{k}={v}" for k, v in timing.items())
        )

    def _timing(self) -> dict[str, Any]:
        rng, now, scale = self.world.random, self.world.now, self.scale
        timing: dict[str, Any] = {
            "timeout": f"{rng.choice((2, 60, 7200))}s",
            "deliver_within": f"{max(1, self.world.spread(SECOND, 20 * scale) // SECOND)}s",
        }
        if rng.random() < 0.35:
            begin = now + rng.choice((-scale, scale // 10, scale, 3 * scale))
            end = max(now + SECOND, begin + self.world.spread(2 * SECOND, 3 * scale))
            timing["window"] = WindowBody(begin=_moment(begin), end=_moment(end))
        elif rng.random() < 0.15:
            timing["not_before"] = _moment(now + self.world.spread(SECOND, scale))
        return timing

    def _burst(self, server: Server, who: Principal) -> None:
        name = self.world.random.choice(self._names_of_consumers())
        for _ in range(self.world.random.randint(3, 12)):
            self._act(server, who, name)

    def _cancel(self, server: Server, who: Principal) -> None:
        opened = [t.id for t in self.checks.tasks.values() if not t.state.final]
        if opened:
            task_id = self.world.random.choice(opened)
            server.tasks.cancel(who, task_id)
            self.world.note(who.login, "cancels", task_id)

    def _ping(self, server: Server, who: Principal) -> None: ...

    def _unregister(self, server: Server, who: Principal) -> None:
        name = self.world.random.choice(self._names_of_consumers())
        self.world.note(who.login, "unregisters", name)
        server.consumers.unregister(who, name)

    def _register_again(self, server: Server, who: Principal) -> None:
        self._replace_host(self.world.random.choice(self._names_of_consumers()), server)

    # --- hosts ---

    def _register(self, name: str) -> None:
        server = self.server
        if server is not None and server.alive:
            self._replace_host(name, server)

    def _replace_host(self, name: str, server: Server) -> None:
        """A host registers with a token of its own; one that had the name before loses it."""
        secret = f"token{len(self.hosts)}"
        token = RegistrationToken(
            id=f"id-{secret}",
            digest=digest_of(secret),
            created_by="ann",
            created_at=self.world.now,
            expires_at=self.world.now + DAY,
            consumer_id=name,
        )
        server.store.write(lambda uow: uow.tokens.add(token))
        answer = server.consumers.register(RegisterBody(id=name, csr=f"csr-{secret}", token=secret))
        for host in self.hosts:
            if host.consumer_id == name and self.world.chance(0.7):
                self._switch_off(host)
        host = Host(self.world, self.checks, name, answer.consumer.uid, f"{name}.{len(self.hosts)}")
        host.disk.certificates.append(f"fp:{answer.certificate}")
        host.skew = self.world.random.choice((0, 0, 0, 400, -3 * MINUTE, 30 * MINUTE))
        host.old = self.world.chance(0.1)
        self.hosts.append(host)
        self._start_agent(host)

    def _start_agent(self, host: Host) -> None:
        if host.name in self.agents and self.agents[host.name].alive:
            return
        try:
            self.agents[host.name] = AgentProcess(host, self.network, self._agent_died)
        except Crash:
            self._agent_died(host)

    def _agent_died(self, host: Host) -> None:
        """systemd starts it again, mostly soon."""
        pause = (
            self.world.spread(50, 5000)
            if self.world.chance(0.8)
            else self.world.spread(50, self.scale)
        )
        self.world.later(pause, lambda: self._start_agent(host))

    def _switch_off(self, host: Host) -> None:
        agent = self.agents.get(host.name)
        if agent is not None:
            agent.revive = lambda _host: None
            self.world.kill(agent)

    # --- faults ---

    def _fault(self) -> Callable[[], None]:
        faults = {
            self._crash_server: 4,
            self._crash_agent: 6,
            self._stop_agent: 3,
            self._lose_power: 4,
            self._kill_job: 6,
            self._cut: 10,
            self._go_away: 4,
            self._step_clock: 5,
            self._fill_journal: 2,
            self._fill_store: 2,
        }
        return self.world.random.choices(list(faults), list(faults.values()))[0]

    def _any_host(self) -> Host:
        return self.world.random.choice(self.hosts)

    def _crash_server(self) -> None:
        if self.server is not None:
            self.world.kill(self.server)

    def _crash_agent(self) -> None:
        agent = self.agents.get(self._any_host().name)
        if agent is not None:
            self.world.kill(agent)

    def _stop_agent(self) -> None:
        host = self._any_host()
        agent = self.agents.get(host.name)
        if agent is not None and agent.alive:
            self.world.note(host.name, "is stopped")
            host.old = host.old and self.world.chance(0.5)
            agent.stop()

    def _lose_power(self) -> None:
        host = self._any_host()
        agent = self.agents.get(host.name)
        self.world.note(host.name, "loses power")
        if agent is not None:
            self.world.kill(agent)
        host.power_lost()
        host.booted = self.world.now

    def _kill_job(self) -> None:
        jobs = [job for host in self.hosts for job in host.jobs]
        if jobs:
            self.world.kill(self.world.random.choice(jobs))

    def _cut(self) -> None:
        self.network.break_any()

    def _go_away(self) -> None:
        host = self._any_host()
        self.world.note(host.name, "is cut off")
        host.away = True
        for connection in list(self.network.connections.values()):
            if connection.agent is self.agents.get(host.name):
                connection.break_(agent_learns=30_000, server_learns=60_000)
        self.world.later(self.world.spread(SECOND, 10 * self.scale), lambda: self._come_back(host))

    def _come_back(self, host: Host) -> None:
        host.away = False
        agent = self.agents.get(host.name)
        if agent is not None and agent.alive:
            agent.quit_waiting()

    def _step_clock(self) -> None:
        host = self._any_host()
        step = self.world.random.choice((-HOUR, HOUR, -self.scale, self.scale, -host.skew))
        host.skew += step
        self.world.note(host.name, "clock steps", step)
        agent = self.agents.get(host.name)
        if agent is not None and agent.alive:
            agent.clock_stepped()

    def _fill_journal(self) -> None:
        host = self._any_host()
        host.journal_full = True
        self.world.note(host.name, "disk full")
        self.world.later(
            self.world.spread(SECOND, self.scale), lambda: setattr(host, "journal_full", False)
        )

    def _fill_store(self) -> None:
        self.disk_full = True
        self.world.note("server disk full")
        self.world.later(
            self.world.spread(SECOND, MINUTE), lambda: setattr(self, "disk_full", False)
        )

    # --- the server ---

    def _start_server(self) -> None:
        if self.server is not None and self.server.alive:
            return
        try:
            self.server = Server(
                self.world,
                self.disk,
                self.network,
                self.checks,
                sweep=self.sweep,
                full=lambda: self.disk_full,
                visitor=self._visit,
                died=self._server_died,
            )
            self.server.start()
        except Crash:
            pass
        except StoreUnavailable:
            if self.server is not None:
                self.world.kill(self.server)

    def _server_died(self) -> None:
        self.world.later(self.world.spread(50, 20_000), self._start_server)

    # --- the end ---

    def _make_whole(self) -> None:
        world = self.world
        world.note("--- the network is made whole ---")
        world.chaos = False
        self.disk_full = False
        self.network.slowest = 20
        for host in self.hosts:
            host.journal_full = False
            if host.away:
                self._come_back(host)
        if self.server is None or not self.server.alive:
            world.later(0, self._start_server)

    def _quiet(self) -> None:
        """Until nothing is open; what waits longest is a call that its agent took and forgot."""
        world, limit = self.world, self.world.now + 60 * DAY
        while True:
            world.run(world.now + MINUTE if world.now < limit - 59 * DAY else world.now + HOUR)
            if self._settled():
                return
            if world.now > limit:
                raise Violation("6 nothing waits for ever", self._unsettled())

    def _settled(self) -> bool:
        return not self._unsettled()

    def _unsettled(self) -> str:
        for task_id in self.checks.acknowledged:
            record = self.checks.tasks.get(task_id)
            if record is not None and not record.state.final:
                return f"task {record}"
        uow = self.disk.look()
        for host in self.hosts:
            agent = self.agents.get(host.name)
            consumer = uow.consumers.by_uid(host.uid)
            if consumer is None or agent is None or not agent.alive:
                continue
            for call in agent.daemon.core.table.open.values():
                return f"{host.name} keeps {call}"
        return ""


def _moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


class _Uuid:
    def __init__(self, world: World) -> None:
        self._world = world

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(int=self._world.random.getrandbits(128), version=4)


class _Log(logging.Handler):
    """What is logged with a traceback is a bug, wherever it is swallowed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.errors.append(self.format(record))


@contextmanager
def _patches(world: World, most: int) -> Iterator[list[str]]:
    """Chance is the seed's; limits are small, so that they are reached; errors that are logged are collected."""
    rng = world.random
    batch = rng.choice((1, 3, 200))
    registration = {
        "csr_key_fingerprint": lambda csr: f"key:{csr}",
        "fingerprint": lambda certificate: f"fp:{certificate}",
    }
    log = _Log()
    with ExitStack() as stack:
        for module, names in (
            (pulp.common.ids, {"uuid": _Uuid(world)}),
            (pulp.server.api.registration, registration),
            (pulp.server.async_.gateway, {"MOST_UNACCEPTED": most}),
            (pulp.server.async_.hello, {"MOST_UNACCEPTED": most}),
            (pulp.server.async_.replies, {"BATCH": rng.choice((1, 3, 500))}),
            (pulp.server.tasking.fifo, {"BATCH": batch}),
            (pulp.server.tasking.scheduler, {"BATCH": batch}),
            (pulp_agent.daemon, {"LONGEST_SLEEP": 3600.0}),
            (pulp_agent.link, {"instant": lambda: _Now(world)}),
        ):
            stack.enter_context(patched(module, names))
        loggers = [logging.getLogger(name) for name in ("pulp", "pulp_agent")]
        before = [(logger.level, logger.propagate) for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.ERROR)
            logger.propagate = False
            logger.addHandler(log)
        try:
            yield log.errors
        finally:
            for logger, (level, propagate) in zip(loggers, before, strict=True):
                logger.removeHandler(log)
                logger.setLevel(level)
                logger.propagate = propagate


class _Now:
    def __init__(self, world: World) -> None:
        self.wall = world.now
