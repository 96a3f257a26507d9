"""The fleet of one simulation: a server that is always started again, and hosts whose agents are."""

from __future__ import annotations

from collections.abc import Callable

from pulp.server.api.secrets import digest_of
from pulp.server.api.types import RegisterBody
from pulp.server.db.base import StoreUnavailable
from pulp.server.domain.user import RegistrationToken
from sim import kinds
from sim.agent import AgentProcess
from sim.checks import Checks
from sim.checks_plans import outdated
from sim.host import Host
from sim.network import Network
from sim.server import Server
from sim.store import Disk
from sim.world import Crash, World

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


class Fleet:
    """`scale`: ms between two things that happen, roughly; `visitor` is what users do in the middle of others' steps. `planned`:
    the server has windows and freezes, which give calls their rules and hosts their calendars; else the simulation makes them up.
    `scheduled`: there are schedules. `restarting`: users ask for restarts of hosts; decided without chance, so that the other
    stories stay as they were.
    """

    def __init__(self, world: World) -> None:
        rng = world.random
        self.world = world
        self.disk = Disk()
        self.most_unaccepted = rng.choice((2, 4, 32))
        self.checks = Checks(world, self.disk, self.most_unaccepted)
        self.network = Network(world, self.checks)
        self.network.slowest = rng.choice((20, 200, 3000))
        self.network.server_credit = rng.choice((2, 64))
        self.scale: int = rng.choice((MINUTE, 20 * MINUTE, 8 * HOUR))
        self.planned = rng.random() < 0.4
        self.scheduled = rng.random() < 0.25
        self.restarting = world.seed % 4 == 3
        self.disk_full = False
        self.flaky: float = rng.choice((0.0, 0.0, 0.02))  # of the server's commits fail
        self.visitor: Callable[[Server], None] = lambda _server: None
        self.server: Server | None = None
        self.hosts = self.checks.hosts
        self.agents: dict[str, AgentProcess] = {}

    # --- the server ---

    def start_server(self) -> None:
        if self.server is not None and self.server.alive:
            return
        if self.world.chance(0.1):
            self.checks.upgraded = not self.checks.upgraded
        try:
            self.server = Server(
                self.world,
                self.disk,
                self.network,
                self.checks,
                sweep=MINUTE if self.scale < HOUR else 30 * MINUTE,
                full=self._store_fails,
                visitor=self.visitor,
                died=self._server_died,
                classes=kinds.NEXT if self.checks.upgraded else kinds.PRESENT,
            )
            self.server.start()
        except Crash:
            pass
        except StoreUnavailable:
            if self.server is not None:
                self.world.kill(self.server)

    def _store_fails(self) -> bool:
        return self.disk_full or (self.world.chaos and self.world.chance(self.flaky))

    def _server_died(self) -> None:
        self.world.later(self.world.spread(50, 20_000), self.start_server)

    @property
    def living_server(self) -> Server | None:
        return self.server if self.server is not None and self.server.alive else None

    # --- hosts ---

    def consumers(self) -> list[str]:
        return sorted({host.consumer_id for host in self.hosts})

    def any_host(self) -> Host:
        return self.world.random.choice(self.hosts)

    def agent(self, host: Host) -> AgentProcess | None:
        """Its agent, if it lives."""
        agent = self.agents.get(host.name)
        return agent if agent is not None and agent.alive else None

    def register(self, server: Server, name: str) -> None:
        """A host registers with a token of its own; one that had the name before loses it, and may not know."""
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
                self.switch_off(host)
        self.add_host(name, answer.consumer.uid, f"fp:{answer.certificate}")

    def add_host(self, consumer_id: str, uid: str, certificate: str) -> Host:
        name = f"{consumer_id}.{len(self.hosts)}"
        host = Host(self.world, self.checks, consumer_id, uid, name)
        host.disk.certificates.append(certificate)
        host.skew = self.world.random.choice((0, 0, 0, 400, -3 * MINUTE, 30 * MINUTE))
        host.old = self.world.chance(0.1)
        host.go_down = lambda booted: self.restart(host, booted)
        self.hosts.append(host)
        self.start_agent(host)
        return host

    def start_agent(self, host: Host) -> None:
        if host.off or self.agent(host) is not None:
            return
        try:
            self.agents[host.name] = AgentProcess(host, self.network, self._agent_died)
        except Crash:
            self._agent_died(host)

    def _agent_died(self, host: Host) -> None:
        """systemd starts it again, mostly soon."""
        soon = self.world.chance(0.8)
        pause = self.world.spread(50, 5000 if soon else self.scale)
        self.world.later(pause, lambda: self.start_agent(host))

    def end_agent(self, host: Host) -> None:
        agent = self.agent(host)
        if agent is not None:
            self.world.kill(agent)

    def restart(self, host: Host, booted: int) -> None:
        """As its system was asked to in this start of it."""
        if host.off or host.booted != booted:
            return
        self.world.note(host.name, "restarts")
        self.end_agent(host)
        host.power_lost()
        host.booted = self.world.now

    def switch_off(self, host: Host) -> None:
        host.off = True
        self.end_agent(host)

    def empty_journal(self, host: Host) -> None:
        host.journal_full = False
        host.disturbed = self.world.now

    def come_back(self, host: Host) -> None:
        host.away = False
        agent = self.agent(host)
        if agent is not None:
            agent.quit_waiting()

    # --- the end ---

    def make_whole(self) -> None:
        """No more faults: everybody can reach everybody, and writes."""
        self.world.note("--- the network is made whole ---")
        self.world.chaos = False
        self.disk_full = False
        self.network.slowest = 20
        for host in self.hosts:
            self.empty_journal(host)
            if host.copy:
                self.switch_off(host)
            if host.away:
                self.come_back(host)
        self.world.later(0, self.start_server)

    def close(self) -> None:
        """The story is over: nothing of it is left waiting for its turn."""
        self.world.chaos = False
        for agent in self.agents.values():
            agent.alive = False
            agent.loop.end()
        self.disk.close()

    def left_behind(self) -> str:
        """A task that nobody moves though its agent is there; asked when the fleet has been whole for a while."""
        uow = self.disk.look()
        for connection in self.network.connections.values():
            consumer = uow.consumers.by_uid(connection.peer.identity)
            if consumer is None or connection.cut or connection.server_done:
                continue
            for record in uow.tasks.unsent(consumer.id, 1000):
                return f"{record} is not sent"
            agent = connection.agent
            known = agent.daemon.core.table  # type: ignore[attr-defined]
            if not agent.host.old and (behind := outdated(uow, consumer, known)):  # type: ignore[attr-defined]
                return behind
            for record in uow.tasks.open_of(consumer.id):
                there = record.accepted_at is not None and record.answer is None
                if there and not known.knows(record.id):
                    return f"{record} is not known to its agent"
        return ""

    def unsettled(self) -> str:
        """What is still open, in a word; empty when all is quiet."""
        for task_id in self.checks.acknowledged:
            record = self.checks.tasks.get(task_id)
            if record is not None and not record.state.final:
                return f"task {record}"
        uow = self.disk.look()
        for host in self.hosts:
            agent, consumer = self.agent(host), uow.consumers.by_uid(host.uid)
            if consumer is not None and agent is not None and host.admitted(consumer):
                for call in agent.daemon.core.table.open.values():
                    return f"{host.name} keeps {call}"
                if restart := agent.daemon.core.table.restart:
                    return f"{host.name} keeps {restart}"
        return ""
