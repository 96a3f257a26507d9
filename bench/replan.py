"""An edit of a window that holds for all of 10,000 hosts, on each of which a call waits for it: how long until all are planned
anew and told, and how long does anybody wait for the store meanwhile?

    python bench/replan.py [--hosts 10000]

The server's planner and dispatcher over the real store, in one process; what is sent to the agents is counted, not carried.

Last figures (10,000 hosts in five zones, two shared vCPUs of an Intel Xeon with a load of 8 beside it, ext4, Python 3.11):
  the edit is answered                        0.03 s
  all planned anew                            12.5 s
  longest of 10,200 units of work             0.11 s; without the load beside it some 20 ms
  a commit of somebody else meanwhile         20 ms, longest 0.16 s
  all agents told (10,000 calendars, 10,000 plans) 3.4 s
"""

# ruff: noqa: E402  # the tests' world is found by the path that is set first
from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "test")]

from server_world import DAY, HOUR, START, Install, Names, World

from pulp.common.calendar import Recurring
from pulp.messaging.base import Peer
from pulp.rmi.versions import FEATURES
from pulp.server.async_.planner import Planner
from pulp.server.async_.sessions import Session
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import AgentInfo, Consumer
from pulp.server.domain.task import Call, TaskRecord, TaskState
from pulp.server.domain.window import NamedWindow, WindowRole
from pulp.server.tasking.deadlines import Timing
from pulp.server.tasking.opening import Opened, Wanted, open_for

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney")


class Timed:
    """The store, and how long each of its writing jobs took (s)."""

    def __init__(self, world: World) -> None:
        self._store = world.store
        self.read = world.store.read
        self.jobs: list[float] = []

    def submit(self, job: Callable[[UnitOfWork], Any]) -> Any:
        def timed(uow: UnitOfWork) -> Any:
            begin = time.perf_counter()
            value = job(uow)
            self.jobs.append(time.perf_counter() - begin)
            return value

        return self._store.submit(timed)

    def write(self, job: Callable[[UnitOfWork], Any]) -> Any:
        return self.submit(job).result()


def nights(hour: int) -> NamedWindow:
    span = Recurring(
        name="nights",
        rrule="FREQ=DAILY",
        dtstart=f"2026-12-01T{hour}:00",
        zone="host",
        duration="4h",
        cutoff="30m",
    )
    return NamedWindow(
        name="nights",
        role=WindowRole.WINDOW,
        span=span,
        created_by="ann",
        created_at=START,
        everywhere=True,
    )


def host(number: int) -> Consumer:
    agent = AgentInfo(
        version="0.2.0",
        protocols=[1],
        methods={},
        features=sorted(FEATURES),
        boot_id="b",
        timezone=ZONES[number % len(ZONES)],
        os={},
        journal_id="j",
        journal_seq=1,
    )
    return Consumer(
        id=f"web{number}",
        uid=f"uid-{number}",
        registered_at=START,
        fingerprints=["f"],
        csr_fingerprint="c",
        certificate="",
        online=True,
        agent=agent,
    )


def held(consumer: Consumer, window: NamedWindow) -> TaskRecord:
    """As after the agent's `accepted`."""
    opened = open_for(Wanted(asked="nights", expected=HOUR), consumer, [window], at=START)
    assert isinstance(opened, Opened)
    record = Install.new(
        Names(["nginx"]),
        consumer_id=consumer.id,
        requested_by="ann",
        now=START,
        timing=Timing(
            window=opened.window,
            rule=opened.rule,
            expires=opened.expires,
            deliver_within=7 * DAY,
            timeout=HOUR,
        ),
    )
    call = Call(class_="Packages", method="install", version=1, args=record.args)
    return record.replace(
        state=TaskState.HELD,
        phase="",
        call=call,
        sent_at=START,
        accepted_at=START,
        starts=opened.window.begin,
    )


def fill(world: World, hosts: int) -> None:
    window = nights(22)
    world.store.write(lambda uow: uow.windows.add(window))
    for begin in range(0, hosts, 500):
        made = [host(number) for number in range(begin, min(begin + 500, hosts))]

        def job(uow: UnitOfWork, made: list[Consumer] = made) -> None:
            for consumer in made:
                uow.consumers.add(consumer)
                uow.tasks.add(held(consumer, window))

        world.store.write(job)
        for number, consumer in enumerate(made, begin):
            world.sessions.open(
                Session(
                    peer=Peer(consumer.uid, "f", number),
                    consumer_id=consumer.id,
                    journal_id="j",
                    journal_seq=1,
                    boot_id="b",
                    methods={},
                    features=frozenset(FEATURES),
                )
            )


class Bystander:
    """Somebody else who writes all the time: how long each commit took (s)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._over = threading.Event()
        self.waits: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.01):
            begin = time.perf_counter()
            self._world.store.write(lambda uow: None)
            self.waits.append(time.perf_counter() - begin)


def edit(world: World) -> float:
    """The unit of work that the admin waits for."""
    begin = time.perf_counter()

    def job(uow: UnitOfWork) -> None:
        uow.windows.save(nights(20))
        world.plans.changed(uow, "nights", None, world.now)

    world.store.write(job)
    return time.perf_counter() - begin


def measure(world: World, hosts: int) -> None:
    store = Timed(world)
    planner = Planner(store, world.kinds, world.news.task_moved)  # type: ignore[arg-type]
    answered = edit(world)
    with Bystander(world) as bystander:
        begin = time.perf_counter()
        while planner.step(world.now) is not None:
            pass
        planned = time.perf_counter() - begin
    begin = time.perf_counter()
    world.step()
    told = time.perf_counter() - begin
    subjects = [message.subject for _, message in world.bus.sent]
    assert (subjects.count("replan"), subjects.count("keep")) == (hosts, hosts), subjects[:5]
    waits = sorted(bystander.waits)
    for what, ms in (
        ("the edit is answered", answered * 1000),
        ("all planned anew", planned * 1000),
        (f"longest of {len(store.jobs)} units of work", max(store.jobs) * 1000),
        ("a commit of somebody else meanwhile", waits[len(waits) // 2] * 1000),
        ("the longest such commit", waits[-1] * 1000),
        ("all agents told", told * 1000),
    ):
        print(f"  {what:<40}{ms:8.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    hosts = parser.parse_args().hosts
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            fill(world, hosts)
            measure(world, hosts)
        finally:
            world.close()


if __name__ == "__main__":
    main()
