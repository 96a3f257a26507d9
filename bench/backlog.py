"""A server that starts over a long backlog: how soon it is ready, and what memory it takes.

    ./dev bench backlog --tasks 100000

Makes a store with open tasks (parked for absent hosts, scheduled, sent, held), starts a real pulp-server over it and
measures the time from exec to its first answer on /readyz, then the memory after one page of tasks was listed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from pulp.rmi.interfaces import PackageSpec
from pulp.server import bootstrap, config
from pulp.server.api.packages import InstallPackages, PackagesArguments
from pulp.server.db.base import UnitOfWork
from pulp.server.db.sqlite import SqliteStore
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import PARKED_OFFLINE, SENT, TaskRecord, TaskState
from pulp.server.home import Home
from pulp.server.tasking.deadlines import Timing

HOSTS = 1000
DAY = 86_400_000


def fill(data: Path, tasks: int) -> None:
    store, now = SqliteStore(data, synchronous="normal"), int(time.time() * 1000)
    store.write(lambda uow: [uow.consumers.add(host(n, now)) for n in range(HOSTS)])
    for begin in range(0, tasks, 1000):
        store.write(lambda uow, begin=begin: [add(uow, n, now) for n in range(begin, begin + 1000)])
    store.close()


def host(number: int, now: int) -> Consumer:
    return Consumer(
        id=f"host{number}",
        uid=f"uid-{number}",
        registered_at=now,
        fingerprints=[],
        csr_fingerprint="",
        certificate="",
    )


def add(uow: UnitOfWork, number: int, now: int) -> TaskRecord:
    args = PackagesArguments(packages=[PackageSpec(name="nginx")])
    later = now + DAY if number % 4 == 1 else None
    timing = Timing(not_before=later, deliver_within=7 * DAY, timeout=DAY)
    record = InstallPackages.new(
        args, consumer_id=f"host{number % HOSTS}", requested_by="bench", now=now, timing=timing
    )
    return uow.tasks.add(record.replace(**CONDITIONS[number % 4]))


CONDITIONS: list[dict[str, object]] = [
    {"parked": PARKED_OFFLINE, "parked_at": 1},
    {},
    {"phase": SENT, "sent_at": 1},
    {"state": TaskState.HELD, "phase": "", "accepted_at": 1},
]


def measure(data: Path) -> dict[str, float]:
    port = free_port()
    environ = os.environ | {
        "PULP_REST_HOST": "127.0.0.1",
        "PULP_REST_PORT": str(port),
        "PULP_MESSAGING_HOST": "127.0.0.1",
        "PULP_MESSAGING_PORT": "0",
    }
    command = [sys.executable, "-m", "pulp.server.main", "run", "--data", str(data)]
    began = time.perf_counter()
    server = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_ready(port, data / "ca.pem", until=began + 60)
        ready = time.perf_counter() - began
        time.sleep(2)  # housekeeping and the first sweep are over
        rss = psutil.Process(server.pid).memory_info().rss >> 20
        return {"ready_seconds": round(ready, 2), "rss_mb": rss}
    finally:
        server.terminate()
        server.wait(20)


def wait_ready(port: int, ca: Path, *, until: float) -> None:
    context = ssl.create_default_context(cafile=ca)
    while time.perf_counter() < until:
        try:
            url = f"https://127.0.0.1:{port}/readyz"
            with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the server is not ready within a minute")


def free_port() -> int:

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=100_000)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="pulp-bench-"))
    try:
        data = work / "server"
        Home(data).create(["127.0.0.1"])
        settings = config.read(None, {}, {"server.data": str(data)}).settings
        bootstrap.create_first_admin(settings, "admin", "bench-password")
        empty = measure(data)
        fill(data, args.tasks)
        print("empty:  ", empty)
        print(f"{args.tasks}: ", measure(data))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
