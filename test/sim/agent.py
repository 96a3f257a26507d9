"""An agent's process on a simulated host: the real daemon, core, link keeper and sessions on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from random import Random

from pulp_agent.daemon import Agent
from pulp_agent.desk import Me
from pulp_agent.events import ProfileRead, RenewalDue, RestartRefused, TimeIs
from pulp_agent.journal import JournalError
from pulp_agent.link import LinkKeeper
from pulp_agent.records import AnyRecord

from pulp.messaging.amqp.link import LinkEvents
from pulp.messaging.base import PeerCertificate
from pulp.rmi.interfaces import METHODS
from pulp.rmi.versions import FEATURES
from sim.connection import Connection
from sim.disk import Disk
from sim.executor import SimExecutor
from sim.fetching import SimFetcher
from sim.host import Host
from sim.journal import decode, encode
from sim.loop import VirtualLoop
from sim.network import Network
from sim.world import Process

OLD_METHODS = {k: m for k, m in METHODS.items() if m.path not in ("Packages.remove",)}
OLD_FEATURES = frozenset({"cancel", "query"})


class SimJournal:
    """`pulp_agent.journal.Journal` on a simulated disk; appends and syncs are durable steps."""

    def __init__(self, host: Host, process: Process) -> None:
        self._host = host
        self._process = process
        self._failed = False
        self.id = host.disk.journal_id

    @property
    def _disk(self) -> Disk:
        return self._host.disk

    @property
    def seq(self) -> int:
        return self._disk.base + self._disk.synced

    def records(self) -> list[AnyRecord]:
        return [decode(line) for line in self._disk.lines]

    def append(self, records: Sequence[AnyRecord], *, sync: bool) -> None:
        if self._failed or self._host.journal_full:
            self._failed = True
            raise JournalError("the journal cannot be written")
        names = " ".join(type(record).__name__ for record in records)
        self._process.durable(f"journal {names}", lambda: self._append(records))
        if sync:
            self.sync()

    def _append(self, records: Sequence[AnyRecord]) -> None:
        self._disk.lines += [encode(record) for record in records]

    def sync(self) -> None:
        if self._host.journal_full:
            self._failed = True
            raise JournalError("the journal cannot be synced")
        if self._disk.synced < len(self._disk.lines):
            self._process.durable("journal sync", self._sync)

    def _sync(self) -> None:
        self._disk.synced = len(self._disk.lines)
        self._host.checks.journaled(self._host)

    def recover(self) -> list[AnyRecord]:
        if self._host.journal_full:
            raise JournalError("the journal cannot be recovered")
        del self._disk.lines[self._disk.synced :]
        self._failed = False
        self._host.checks.journaled(self._host, whole=True)
        return self.records()

    def wants_compaction(self) -> bool:
        return len(self._disk.lines) > max(12, 4 * self._disk.compacted)

    def compact(self, records: Iterable[AnyRecord]) -> None:
        lines = [encode(record) for record in records]
        if self._host.journal_full:
            self._failed = True
            raise JournalError("the journal cannot be compacted")
        self._process.durable("journal compact", lambda: self._replace(lines))

    def _replace(self, lines: list[bytes]) -> None:
        disk, before = self._disk, self.records()
        disk.base += len(disk.lines) - len(lines)
        disk.lines[:] = lines
        disk.synced = disk.compacted = len(lines)
        self._host.checks.compacted(self._host, before)

    def close(self) -> None: ...


class _Connector:
    """`link.Connector`: by the host's newest certificate, or an older one while that is refused."""

    def __init__(self, host: Host, process: AgentProcess, network: Network) -> None:
        self._host = host
        self._process = process
        self._network = network
        self._used = ""
        self._distrusted = False

    async def connect(self, events: LinkEvents) -> Connection:
        made: asyncio.Future[Connection] = self._process.loop.create_future()
        self._used = self._certificate()
        self._network.dial(
            self._process,
            events,
            PeerCertificate(self._host.uid, self._used),
            reachable=lambda: not self._host.away,
            made=lambda link: self._settle(made, lambda: made.set_result(link)),
            failed=lambda error: self._fail(made, error),
        )
        return await made

    def _certificate(self) -> str:
        *older, newest = self._host.disk.certificates
        if older and self._distrusted:
            self._distrusted = False
            return older[-1]
        return newest

    def _settle(self, made: asyncio.Future[Connection], call: Callable[[], None]) -> None:
        if not made.done():
            self._process.loop.enter(call)

    def _fail(self, made: asyncio.Future[Connection], error: Exception) -> None:
        """While nothing can be reached the attempt hangs, so that a week away is not a million events."""
        network = self._network
        if self._host.away or network.ear is None or not network.ear.process.alive:
            self._process.later(
                network.world.spread(1_000, 3_600_000) if network.world.chaos else 60_000,
                lambda: self._settle(made, lambda: made.set_exception(error)),
            )
            self._process.waiting = lambda: self._settle(made, lambda: made.set_exception(error))
        else:
            self._settle(made, lambda: made.set_exception(error))

    def welcomed(self) -> None:
        certificates = self._host.disk.certificates
        if self._used == certificates[-1]:
            del certificates[:-1]

    def refused(self) -> bool:
        *older, newest = self._host.disk.certificates
        self._distrusted = bool(older) and self._used == newest
        return not self._distrusted


class _Household:
    def __init__(self, host: Host, process: AgentProcess) -> None:
        self._host = host
        self._process = process

    def read_profile(self) -> None:
        self._process.later(self._host.world.spread(10, 2000), self._read)

    def _read(self) -> None:
        self._process.post(ProfileRead(self._host.profile_hash, []))

    def restart_host(self, call_id: str) -> None:
        """Some systems refuse, some do nothing; the others go down, if not at once."""
        host, world = self._host, self._host.world
        host.checks.restarts(host, call_id)
        if world.chance(0.05):
            self._process.later(20, lambda: self._process.post(RestartRefused("not now")))
        elif world.chance(0.95):
            booted = host.booted
            world.later(world.spread(10, 20_000), lambda: host.go_down(booted))

    def store_certificate(self, certificate: str, ca: Sequence[str]) -> None:
        self._process.durable(
            "certificate", lambda: self._host.disk.certificates.append(f"fp:{certificate}")
        )

    def use_server(
        self, urls: Sequence[str], ca: Sequence[str], signing_keys: Sequence[str]
    ) -> None: ...


class AgentProcess(Process):
    """One life of `pulp-agent run`."""

    def __init__(self, host: Host, network: Network, revive: Callable[[Host], None]) -> None:
        super().__init__(host.world, host.name)
        self.revive = revive
        self.host = host
        self.network = network
        self.loop = VirtualLoop(self)
        self.waiting: Callable[[], None] = lambda: None
        self.loop.enter(self._start)

    def _start(self) -> None:
        host = self.host
        self.world.note(host.name, "starts")
        host.agent, host.disturbed = self, self.world.now
        journal = SimJournal(host, self)
        host.keep = host.index.hours.keep
        me = Me(
            names=frozenset({host.consumer_id, host.uid}),
            version="0" if host.old else "1",
            methods=OLD_METHODS if host.old else METHODS,
            features=OLD_FEATURES if host.old else FEATURES,
            boot_id=str(host.booted),
            timezone="UTC",
            os={},
            journal_id=journal.id,
            confirm="outcome",
        )
        executor, household = SimExecutor(host, self), _Household(host, self)
        fetcher = SimFetcher(host, self)
        executor.sweep()
        self.daemon = Agent(
            me, journal.records(), journal, executor, fetcher, household, clock=host.instant
        )
        self.link = LinkKeeper(
            _Connector(host, self, self.network),
            seq=self.daemon.durable_seq,
            random=Random(self.world.random.random()),
        )
        self.daemon.start(self.link)
        household.read_profile()

    def died(self) -> None:
        self.loop.end()
        self.network.process_ended(self)
        self.revive(self.host)

    # --- what happens to it ---

    def post(self, event: object) -> None:
        self.loop.enter(lambda: self.daemon.post(event))  # type: ignore[arg-type]

    def clock_stepped(self) -> None:
        """It looks at the wall clock every few seconds while anything waits for it."""
        self.later(self.world.spread(10, 5000), lambda: self.post(TimeIs()))

    def renew(self, csr: str) -> None:
        self.post(RenewalDue(csr))

    def stop(self) -> None:
        """As systemd would: an orderly end, while its jobs go on."""
        task = self.loop.enter(lambda: self.loop.create_task(self.daemon.stop()))
        task.add_done_callback(lambda _done: self.world.kill(self))

    def quit_waiting(self) -> None:
        """Connect again now."""
        waiting, self.waiting = self.waiting, lambda: None
        waiting()
