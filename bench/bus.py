"""CPU and memory of the listener per agent and per round trip: `python bench/bus.py --agents 1000 --trips 20000`.

A round trip: request out (unsettled), accepted by the agent, reply in (unsettled), settled by the server.
Agents are ClientLinks in a process of their own, over TLS. The server's figures hold this bench's own work, too.
Last figures (2 shared cores at load 6, Python 3.11, uvloop 0.23, P-256): 1,000 agents: 69 kB each, 2.2 ms CPU per
connect, 151 us CPU per round trip; 3,000 agents: 69 kB, 2.2 ms, 170 us; 1 agent, one at a time: p50 0.45 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "test"))
from bus_pki import Authority

from pulp.messaging.amqp.client import ClientLink, Pump
from pulp.messaging.amqp.link import Incoming, Outcome
from pulp.messaging.base import Delivery, Grant, Message, Peer, PeerCertificate
from pulp.messaging.listener import Limits, ListenerBus

BODY = b'{"type":"request","v":1,"pad":"' + b"x" * 110 + b'"}'


class Driver:
    """The server's Receiver: keeps `window` requests under way over all agents, until `trips` are done."""

    def __init__(self, agents: int, trips: int, window: int) -> None:
        self.bus: Any = None
        self.peers: list[Peer] = []
        self.agents, self.trips, self.window = agents, trips, window
        self.sent = self.done = 0
        self.began: dict[str, float] = {}
        self.times: list[float] = []
        self.complete, self.finished = threading.Event(), threading.Event()

    def attached(self, peer: Peer) -> None:
        self.peers.append(peer)
        if len(self.peers) == self.agents:
            self.complete.set()

    def detached(self, peer: Peer, reason: str) -> None: ...

    def received(self, delivery: Delivery) -> None:
        self.bus.settle([delivery])
        started = self.began.pop(delivery.message.correlation_id or "")
        self.times.append(time.perf_counter() - started)
        self.done += 1
        self.next()
        if self.done == self.trips:
            self.finished.set()

    def next(self) -> None:
        if self.sent < self.trips:
            self.sent += 1
            number = str(self.sent)
            self.began[number] = time.perf_counter()
            message = Message(BODY, number, "request", correlation_id=number)
            self.bus.send(self.peers[self.sent % self.agents], [message])


class Agent:
    def __init__(self) -> None:
        self.link: Any = None

    def opened(self) -> None: ...

    def received(self, incoming: Incoming) -> None:
        self.link.accept(incoming)
        number = incoming.message.correlation_id
        self.link.send(Message(BODY, f"r{number}", "succeeded", correlation_id=number))

    def settled(self, tag: int, outcome: Outcome) -> None: ...

    def closed(self, reason: str, condition: str | None) -> None: ...


def run_agents(folder: Path, count: int, port: int, ca: Path, pem: Path, pipe: Connection) -> None:
    import ssl

    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(pem)

    async def main() -> None:
        pump = Pump(asyncio.get_running_loop())
        room = asyncio.Semaphore(200)

        async def one() -> None:
            async with room:
                agent = Agent()
                agent.link = await ClientLink.connect(
                    agent,
                    host="127.0.0.1",
                    port=port,
                    tls=context,
                    server_hostname="localhost",
                    source="agent.bench",
                    target="replies",
                    pump=pump,
                )

        await asyncio.gather(*(one() for _ in range(count)))
        while not pipe.poll():
            await asyncio.sleep(0.2)
        pipe.send(cpu())

    uvloop.run(main())


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--trips", type=int, default=20_000)
    parser.add_argument("--window", type=int, default=200)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    authority = Authority(folder)
    server, agent = authority.issue("localhost"), authority.issue("bench")
    driver = Driver(options.agents, options.trips, options.window)

    def authenticate(certificate: PeerCertificate) -> Grant:
        return Grant(certificate.common_name, "agent.bench", "replies")

    driver.bus = ListenerBus(
        host="127.0.0.1",
        port=0,
        tls=authority.server_context(server),
        authenticate=authenticate,
        limits=Limits(max_connections=100_000),
    )
    driver.bus.start(driver)
    memory = psutil.Process().memory_info().rss
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    arguments = (folder, options.agents, driver.bus.port, authority.file, agent.file, theirs)
    process = spawn.Process(target=run_agents, args=arguments)
    began, spent = time.perf_counter(), cpu()
    process.start()
    driver.complete.wait(300)
    connect_seconds, connect_cpu = time.perf_counter() - began, cpu() - spent
    per_agent = (psutil.Process().memory_info().rss - memory) / options.agents / 1000
    began, spent = time.perf_counter(), cpu()
    for _ in range(options.window):
        driver.next()
    driver.finished.wait(300)
    seconds, used = time.perf_counter() - began, cpu() - spent
    times = sorted(driver.times)
    figures = {
        "agents": options.agents,
        "trips": driver.done,
        "server_kB_per_agent": round(per_agent, 1),
        "connects_per_second": round(options.agents / connect_seconds),
        "server_cpu_ms_per_connect": round(connect_cpu / options.agents * 1000, 2),
        "server_cpu_us_per_trip": round(used / driver.done * 1e6, 1),
        "trips_per_second": round(driver.done / seconds),
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
    }
    print(json.dumps(figures))
    ours.send("end")
    print(json.dumps({"agents_cpu_us_per_trip": round(ours.recv() / driver.done * 1e6, 1)}))
    process.join()
    driver.bus.stop()


if __name__ == "__main__":
    main()
