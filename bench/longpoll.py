"""A thousand clients long-poll over TLS while others ask as usual: how long do the others wait, and how soon do the waiting know?

    python bench/longpoll.py [--pollers 1000] [--tasks 50] [--changes 10] [--threads 10]

A server with the real API, store and web layer runs in a process of its own on loopback. Aim: other GETs p99 < 100 ms.

Last figures (two shared vCPUs of an AMD EPYC under other load, Python 3.11.7, clients on the same machine):
  1000 pollers of 50 tasks, 10 changes a second      other GETs p50 1.0  p99  16 ms   change -> poller p50  14  p99  377 ms
  1000 pollers whose 30 s all end together           other GETs p50 1.0  p99  20 ms
  1000 pollers of one task, a change every 2 s       other GETs p50 1.3  p99 119 ms   change -> poller p50 320  p99 1190 ms
The last is what 10,000 answers and new polls in 20 s cost; there the two cores are busy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path[:0] = [str(Path(__file__).parents[1] / "test")]

GETS = 50.0
"""Other GETs a second, over a few kept connections."""


@dataclass
class Figures:
    gets: list[float] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    polls: int = 0


# --- the server's process ---


def serve(folder: Path, threads: int, tasks: int) -> None:
    import rest_world
    from rest_world import OPERATOR, agent_info

    from pulp.server.api.types import PackagesActionBody

    with rest_world.site(folder, threads=threads) as site:
        rest = site.rest
        rest.register("web1", agent=agent_info(), online=True)
        body = PackagesActionBody(packages=["nginx"])
        ids = [rest.consumers.install(OPERATOR, "web1", body).id for _ in range(tasks)]
        said = {"port": site.server.port, "ca": str(site.ca), "token": site.login(OPERATOR)}
        print(json.dumps(said | {"tasks": ids}), flush=True)
        for line in sys.stdin:  # a task to change; the end of the input ends the server
            rest.change_task(line.strip(), sent_at=int(time.time() * 1000))


# --- the clients ---


class Client:
    """One kept TLS connection. httpx is too slow to be a thousand clients on the same two cores."""

    def __init__(self, said: dict[str, Any], context: ssl.SSLContext) -> None:
        self._said = said
        self._context = context

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._said["port"], ssl=self._context, server_hostname="127.0.0.1"
        )

    async def get(self, path: str) -> dict[str, Any]:
        self._writer.write(
            f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._said['token']}\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return answer

    def close(self) -> None:
        self._writer.close()


async def poll(client: Client, task_id: str, changed: dict[str, float], figures: Figures) -> None:
    revision = (await client.get(f"/tasks/{task_id}"))["revision"]
    while True:
        task = await client.get(f"/tasks/{task_id}?wait=30&after={revision}")
        if task["revision"] > revision:
            figures.wakes.append(time.monotonic() - changed.get(task_id, time.monotonic()))
        revision = task["revision"]
        figures.polls += 1


async def ask(client: Client, figures: Figures, tasks: list[str], pause: float) -> None:
    while True:
        await asyncio.sleep(random.expovariate(1 / pause))
        begin = time.monotonic()
        await client.get(random.choice((f"/tasks/{random.choice(tasks)}", "/consumers/web1")))
        figures.gets.append(time.monotonic() - begin)


async def change(stdin: Any, tasks: list[str], changed: dict[str, float], pause: float) -> None:
    """Each change wakes the pollers of its task, which then poll again."""
    while True:
        await asyncio.sleep(pause)
        task_id = random.choice(tasks)
        changed[task_id] = time.monotonic()
        stdin.write(task_id + "\n")
        stdin.flush()


async def opened(said: dict[str, Any], number: int) -> list[Client]:
    context = ssl.create_default_context(cafile=said["ca"])
    clients = [Client(said, context) for _ in range(number)]
    for begin in range(0, number, 50):
        await asyncio.gather(*(c.open() for c in clients[begin : begin + 50]))
    return clients


async def run_for(
    seconds: float, clients: list[Client], jobs: list[Coroutine[Any, Any, None]]
) -> None:
    tasks = [asyncio.create_task(job) for job in jobs]
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when="FIRST_EXCEPTION")
    for task in done:
        task.result()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for client in clients:
        client.close()


async def others(said: dict[str, Any], seconds: float) -> list[float]:
    """In a process of their own, so that they do not measure the pollers' event loop."""
    figures, clients = Figures(), await opened(said, 4)
    jobs = [ask(c, figures, said["tasks"], len(clients) / GETS) for c in clients]
    await run_for(seconds, clients, jobs)
    return figures.gets


async def measure(server: subprocess.Popen[str], args: argparse.Namespace) -> Figures:
    assert server.stdout is not None
    line = server.stdout.readline()
    said = json.loads(line)
    figures, changed = Figures(), dict[str, float]()
    clients = await opened(said, args.pollers)
    asker = subprocess.Popen(
        [sys.executable, __file__, "--ask", line, "--seconds", str(args.seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    jobs = [poll(c, said["tasks"][n % args.tasks], changed, figures) for n, c in enumerate(clients)]
    jobs.append(change(server.stdin, said["tasks"], changed, 1 / args.changes))
    await run_for(args.seconds + 2, clients, jobs)
    figures.gets = json.loads(asker.communicate()[0])
    return figures


def percentile(values: list[float], part: float) -> float:
    """ms."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


def show(name: str, values: list[float]) -> None:
    p50, p99, top = (percentile(values, part) for part in (0.5, 0.99, 1.0))
    print(f"{name:<28} {len(values):>7}  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  max {top:7.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pollers", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=50, help="that the pollers share")
    parser.add_argument("--changes", type=float, default=10, help="of tasks, a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.ask:
        print(json.dumps(asyncio.run(others(json.loads(args.ask), args.seconds))))
        return
    if args.serve:
        serve(args.serve, args.threads, args.tasks)
        return
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, __file__, "--serve", folder, "--threads", str(args.threads)]
        argv += ["--tasks", str(args.tasks)]
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            figures = asyncio.run(measure(server, args))
            process = psutil.Process(server.pid)
            cpu, memory = process.cpu_times(), process.memory_info()
        finally:
            server.communicate()
    print(
        f"{args.pollers} pollers of {args.tasks} tasks, {args.changes} changes a second, {args.threads} threads"
    )
    show("other GETs", figures.gets)
    show("change -> poller has it", figures.wakes)
    print(f"{'polls answered':<28} {figures.polls:>7}")
    print(f"server: {cpu.user + cpu.system:.1f} s of CPU, {memory.rss / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
