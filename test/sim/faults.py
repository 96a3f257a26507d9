"""Everything that goes wrong: processes, disks, power, clocks, the network, memories lost, and peers that talk nonsense."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pulp.common.ids import new_id
from pulp.messaging.base import Message
from pulp.server.domain.task import TaskRecord
from sim import rulebook
from sim.disk import Snapshot
from sim.fleet import HOUR, MINUTE, SECOND, Fleet
from sim.host import Host
from sim.nonsense import Nonsense


class Faults:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._world = fleet.world
        self._plan = 0
        self._snapshots: list[tuple[Host, Snapshot]] = []
        self._backups: list[tuple[bytes, dict[str, TaskRecord], dict[str, str]]] = []
        nonsense = Nonsense(fleet)
        self._faults: dict[Callable[[], None], int] = {
            self._crash_server: 4,
            self._crash_agent: 6,
            self._stop_agent: 3,
            self._lose_power: 4,
            self._kill_job: 6,
            self._cut: 10,
            self._go_away: 4,
            self._step_clock: 5,
            self._swing_clock: 3,
            self._fill_journal: 2,
            self._fill_store: 2,
            self._renew: 2,
            nonsense.talk: 2,
            nonsense.lie: 2,
            nonsense.impersonate: 1,
            nonsense.redeliver: 3,
            nonsense.say_unknown: 1,
            nonsense.ask_the_untakable: 2,
        }
        if not fleet.planned and self._world.chance(0.3):
            self._faults[self._keep] = 4
        if self._world.chance(0.25):
            self._faults |= {
                self._snapshot_host: 2,
                self._restore_host: 2,
                self._lose_journal: 1,
                self._copy_host: 1,
            }
        if self._world.chance(0.4 if fleet.planned else 0.2):
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
        jobs = [j for host in self._fleet.hosts for j in (*host.jobs, *host.fetching)]
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
        steps = (-HOUR, HOUR, -scale, scale, -host.skew)
        self._step(host, self._world.random.choice(steps))

    def _swing_clock(self) -> None:
        """There and back, by less than would make the agent refuse windows."""
        host = self._fleet.any_host()
        span = self._world.spread(MINUTE, 9 * MINUTE)
        self._step(host, span)
        pause = self._world.spread(12 * SECOND, 90 * SECOND)
        self._world.later(pause, lambda: self._step(host, -span))

    def _step(self, host: Host, step: int) -> None:
        host.skew += step
        host.disturbed = self._world.now
        self._world.note(host.name, "clock steps", step)
        agent = self._fleet.agent(host)
        if agent is not None:
            agent.clock_stepped()

    def _fill_journal(self) -> None:
        host = self._fleet.any_host()
        host.journal_full = True
        self._world.note(host.name, "disk full")
        pause = self._world.spread(SECOND, self._fleet.scale)
        self._world.later(pause, lambda: self._fleet.empty_journal(host))

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
            self._fleet.disk.restore(copy, now=self._world.now)
            self._fleet.checks.went_back(tasks, acknowledged)

    # --- not a fault, but it comes at any time ---

    def _keep(self) -> None:
        """A host gets windows of its own, or other ones, or is let free."""
        connections = list(self._fleet.network.connections.values())
        if not connections:
            return
        connection = self._world.random.choice(connections)
        host: Host = connection.agent.host  # type: ignore[attr-defined]
        if host.old:
            return
        self._plan += 1
        keep = rulebook.own(
            self._world.random, plan=self._plan, now=self._world.now, scale=self._fleet.scale
        )
        message = Message(body=msgspec.json.encode(keep), id=new_id(), subject="keep")
        self._fleet.network.inject_down(connection, message)
