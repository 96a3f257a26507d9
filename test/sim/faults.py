"""Everything that goes wrong: processes, disks, power, clocks, the network, memories lost, and peers that talk nonsense."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from pulp.common.ids import new_id
from pulp.messaging.amqp.link import Incoming, Outcome
from pulp.messaging.base import Message, PeerCertificate
from pulp.rmi.interfaces import PackagesResult
from pulp.rmi.messages import Started, Succeeded, Unknown
from pulp.server.domain.task import TaskRecord
from sim.fleet import HOUR, MINUTE, SECOND, Fleet
from sim.host import Host, Snapshot
from sim.network import Connection

NONSENSE = (
    b"\xff\x00",
    b'{"type":"unheard-of","v":9}',
    b'{"type":"succeeded","v":1}',
    b'{"type":"started","v":1,"id":"x","at":"soon"}',
)
"""From an agent."""

UNTAKABLE = (
    {"method": "explode"},
    {"needs": ["time-travel"]},
    {"version": 7},
    {"v": 2},
    {"args": {"packages": []}},
    {"timeout": "long"},
    {"type": "demand"},
)
"""How a request of another release may differ from one that can be taken."""


class Faults:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._world = fleet.world
        self._snapshots: list[tuple[Host, Snapshot]] = []
        self._backups: list[tuple[bytes, dict[str, TaskRecord], dict[str, str]]] = []
        self._faults: dict[Callable[[], None], int] = {
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
            self._renew: 2,
            self._talk_nonsense: 2,
            self._lie: 2,
            self._impersonate: 1,
            self._redeliver: 3,
            self._say_unknown: 1,
            self._ask_the_untakable: 2,
        }
        if self._world.chance(0.25):
            self._faults |= {
                self._snapshot_host: 2,
                self._restore_host: 2,
                self._lose_journal: 1,
                self._copy_host: 1,
            }
        if self._world.chance(0.2):
            self._faults |= {self._back_up: 3, self._restore: 3}

    def happen(self) -> None:
        fault = self._world.random.choices(list(self._faults), list(self._faults.values()))[0]
        self._world.run_one(fault)

    # --- processes ---

    def _crash_server(self) -> None:
        if self._fleet.server is not None:
            self._world.kill(self._fleet.server)

    def _crash_agent(self) -> None:
        self._fleet.end_agent(self._fleet.any_host())

    def _stop_agent(self) -> None:
        """An orderly restart, perhaps for an upgrade."""
        host = self._fleet.any_host()
        agent = self._fleet.agent(host)
        if agent is not None:
            self._world.note(host.name, "is stopped")
            host.old = host.old and self._world.chance(0.5)
            agent.stop()

    def _kill_job(self) -> None:
        jobs = [job for host in self._fleet.hosts for job in host.jobs]
        if jobs:
            self._world.kill(self._world.random.choice(jobs))

    def _lose_power(self) -> None:
        host = self._fleet.any_host()
        self._world.note(host.name, "loses power")
        self._fleet.end_agent(host)
        host.power_lost()
        host.booted = self._world.now

    # --- the network ---

    def _cut(self) -> None:
        self._fleet.network.break_any()

    def _go_away(self) -> None:
        host = self._fleet.any_host()
        self._world.note(host.name, "is cut off")
        host.away = True
        for connection in list(self._fleet.network.connections.values()):
            if connection.agent is self._fleet.agents.get(host.name):
                connection.break_(agent_learns=30_000, server_learns=60_000)
        pause = self._world.spread(SECOND, 10 * self._fleet.scale)
        self._world.later(pause, lambda: self._fleet.come_back(host))

    # --- clocks and disks ---

    def _step_clock(self) -> None:
        host, scale = self._fleet.any_host(), self._fleet.scale
        step = self._world.random.choice((-HOUR, HOUR, -scale, scale, -host.skew))
        host.skew += step
        self._world.note(host.name, "clock steps", step)
        agent = self._fleet.agent(host)
        if agent is not None:
            agent.clock_stepped()

    def _fill_journal(self) -> None:
        host = self._fleet.any_host()
        host.journal_full = True
        self._world.note(host.name, "disk full")
        pause = self._world.spread(SECOND, self._fleet.scale)
        self._world.later(pause, lambda: setattr(host, "journal_full", False))

    def _fill_store(self) -> None:
        fleet, pause = self._fleet, self._world.spread(SECOND, MINUTE)
        fleet.disk_full = True
        self._world.note("server disk full")
        self._world.later(pause, lambda: setattr(fleet, "disk_full", False))

    def _renew(self) -> None:
        agent = self._fleet.agent(self._fleet.any_host())
        if agent is not None:
            agent.renew(f"csr{self._world.random.randrange(1000)}")

    # --- memory ---

    def _snapshot_host(self) -> None:
        host = self._fleet.any_host()
        self._world.note(host.name, "snapshot is taken")
        self._snapshots.append((host, host.snapshot()))

    def _restore_host(self) -> None:
        if self._snapshots:
            host, snapshot = self._world.random.choice(self._snapshots)
            self._world.note(host.name, "goes back to a snapshot")
            self._fleet.end_agent(host)
            host.restore(snapshot)

    def _lose_journal(self) -> None:
        host = self._fleet.any_host()
        self._world.note(host.name, "loses its journal")
        self._fleet.end_agent(host)
        host.forget()

    def _copy_host(self) -> None:
        """Another host with the same certificate, and a journal of its own."""
        host = self._fleet.any_host()
        if host.copy or len(self._fleet.hosts) > 12:
            return
        copy = self._fleet.add_host(host.consumer_id, host.uid, host.disk.certificates[-1])
        copy.copy = True
        pause = self._world.spread(SECOND, 4 * self._fleet.scale)
        self._world.later(pause, lambda: self._fleet.switch_off(copy))

    def _back_up(self) -> None:
        checks = self._fleet.checks
        self._world.note("server is backed up")
        kept = dict(checks.tasks), dict(checks.acknowledged)
        self._backups.append((self._fleet.disk.copy(), *kept))

    def _restore(self) -> None:
        if self._backups:
            copy, tasks, acknowledged = self._world.random.choice(self._backups)
            self._world.note("server goes back to a backup")
            self._crash_server()
            self._fleet.disk.restore(copy)
            self._fleet.checks.went_back(tasks, acknowledged)

    # --- nonsense ---

    def _connection(self) -> Connection | None:
        connections = list(self._fleet.network.connections.values())
        return self._world.random.choice(connections) if connections else None

    def _talk_nonsense(self) -> None:
        connection = self._connection()
        if connection is not None:
            body = self._world.random.choice(NONSENSE)
            self._fleet.network.inject_up(connection, _message(body, "nonsense"))

    def _lie(self) -> None:
        """A host speaks about another one's task."""
        connection = self._connection()
        if connection is None:
            return
        consumer = self._fleet.disk.look().consumers.by_uid(connection.peer.identity)
        mine = consumer.id if consumer else ""
        tasks = self._fleet.checks.tasks.values()
        others = [t.id for t in tasks if t.consumer_id != mine and not t.state.final]
        if others:
            task_id, now = self._world.random.choice(others), self._world.now
            value = Raw(msgspec.json.encode(PackagesResult(backend="lie", changed=True)))
            lie = self._world.random.choice(
                (
                    Succeeded(id=task_id, value=value, started=now, finished=now),
                    Started(id=task_id, at=now),
                )
            )
            self._world.note(connection.agent.name, "lies about", task_id)
            self._fleet.network.inject_up(
                connection, _message(msgspec.json.encode(lie), "lie", task_id)
            )

    def _redeliver(self) -> None:
        """A request comes twice, as it may from a broker."""
        connection = self._connection()
        if connection is not None and connection.requested:
            call_id = self._world.random.choice(sorted(connection.requested))
            body = self._fleet.checks.requests.get(call_id)
            if body is not None:
                self._fleet.network.inject_down(connection, _message(body, "again", call_id))

    def _say_unknown(self) -> None:
        """An answer to a query that nobody remembers."""
        connection = self._connection()
        if connection is None:
            return
        consumer = self._fleet.disk.look().consumers.by_uid(connection.peer.identity)
        mine = consumer.id if consumer else ""
        tasks = self._fleet.checks.tasks.values()
        ours = [t.id for t in tasks if t.consumer_id == mine and t.call is not None]
        if ours:
            task_id = self._world.random.choice(ours)
            body = msgspec.json.encode(Unknown(id=task_id))
            self._world.note(connection.agent.name, "says unknown", task_id)
            self._fleet.network.inject_up(connection, _message(body, "unknown", task_id))

    def _impersonate(self) -> None:
        """Somebody has the name in a certificate of his own."""
        host = self._fleet.any_host()
        agent = self._fleet.agent(host)
        if agent is not None:
            self._fleet.network.dial(
                agent,
                _Nobody(),
                PeerCertificate(host.uid, "fp:forged"),
                reachable=lambda: True,
                made=lambda _connection: None,
                failed=lambda _error: None,
            )

    def _ask_the_untakable(self) -> None:
        connection = self._connection()
        if connection is None:
            return
        host: Host = connection.agent.host  # type: ignore[attr-defined]
        now, call_id = self._world.now, new_id()
        request = {
            "type": "request",
            "v": 1,
            "id": call_id,
            "consumer": host.consumer_id,
            "class": "Packages",
            "method": "install",
            "version": 1,
            "args": {"packages": [{"name": "p"}]},
            "by": "ann",
            "issued": now,
            "needs": [],
            "window": None,
            "plan": 1,
            "accept_by": now + HOUR,
            "expires": now + HOUR,
            "timeout": MINUTE,
        }
        body = msgspec.json.encode(request | self._world.random.choice(UNTAKABLE))
        self._fleet.checks.untakable.add(call_id)
        self._fleet.network.inject_down(connection, _message(body, "untakable", call_id))


class _Nobody:
    def opened(self) -> None: ...

    def received(self, incoming: Incoming) -> None: ...

    def settled(self, tag: int, outcome: Outcome) -> None: ...

    def closed(self, reason: str, condition: str | None) -> None: ...


def _message(body: bytes, subject: str, call_id: str | None = None) -> Message:
    return Message(body=body, id=new_id(), subject=subject, correlation_id=call_id)
