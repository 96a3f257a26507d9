"""An agent that holds 10,000 calls: how long do taking, restarting, opening, cancelling and missing them take?

    python bench/held.py [--calls 10000] [--plain]

The agent's core and its journal on disk, without network and without jobs: what one event costs until its records are written.
`--plain`: windows without a rule, as agents before `window-rule` take them.

Last figures (10,000 calls, two shared vCPUs of an Intel Xeon with a load of 8 beside it, ext4, Python 3.11, each turn with its
fsync, which is nearly all of what taking, cancelling and starting one call cost):
                                                        with rules           --plain
  a request taken                                    4.3 ms               4.2 ms
  restart: journal read, all judged                  1.1 s                0.4 s
  connect: hello, and all told where they stand      0.15 s               0.08 s
  an event that is about none of them                0.009 ms             0.006 ms
  one is cancelled                                   4.0 ms (p99 16)      2.5 ms (p99 17)
  a window opens for 500 of them                     23 ms                20 ms
  one is done, the next starts                       5.6 ms (p99 15)      4.0 ms (p99 11)
  9,000 are missed in one moment                     1.2 s (carried over) 0.3 s (answered)
  restart after that                                 1.6 s                0.4 s
Before the agenda, when each event looked at all calls: 2,000 of them, plain, made any event take 16 ms, a cancel 28 ms.
"""

# ruff: noqa: E402  # the tests' plays are found by the path that is set first
from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "test")]

import msgspec
from agent_plays import T0, me, request, success, welcome
from pulp_agent.calls import CallTable
from pulp_agent.core import Core
from pulp_agent.events import (
    Append,
    Begun,
    Command,
    Connected,
    Event,
    Instant,
    JobEnded,
    Received,
    StartJob,
    TimeIs,
)
from pulp_agent.journal import open_journal

from pulp.common.times import DAY, HOUR
from pulp.rmi.messages import Cancel, Request, WireWindow

SAMPLES = 200


class Held:
    """A core with its journal; every turn is written as the daemon does it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wall = T0
        self.started: list[str] = []
        self.open()

    def open(self) -> None:
        self.journal, records, _ = open_journal(self.path)
        self.core = Core(me(), CallTable(records))
        self.does(Begun())

    def does(self, event: Event) -> Sequence[Command]:
        commands = self.core.handle(Instant(self.wall, self.wall - T0), event)
        appends = [c for c in commands if isinstance(c, Append)]
        if appends:
            self.journal.append([a.record for a in appends], sync=any(a.sync for a in appends))
        if self.journal.wants_compaction():
            self.journal.compact(self.core.table.snapshot())
        self.started += [c.id for c in commands if isinstance(c, StartJob)]
        return commands

    def gets(self, message: Any) -> None:
        self.does(Received(message, None))


def asked(number: int, *, plain: bool) -> Request:
    """Held for one of 20 nights."""
    begin = T0 + (1 + number % 20) * DAY
    rule: dict[str, Any] = {}
    if not plain:
        from pulp.common.calendar import Calendar, Recurring

        nights = Recurring(
            name="n", rrule="FREQ=DAILY", dtstart="2027-01-01T08:00", zone="UTC", duration="4h"
        )
        rule = {"missed": "next", "calendar": Calendar(windows=(nights,)), "expected": HOUR}
    window = WireWindow(begin=begin, end=begin + 4 * HOUR, **rule)
    return request(f"call-{number:06}", window=window, accept_by=T0 + DAY, expires=T0 + 60 * DAY)


@contextmanager
def took(what: str, share: int = 1) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    spent = (time.perf_counter() - begin) * 1000
    each = f"  {spent / share:8.3f} ms each" if share > 1 else ""
    print(f"  {what:<44} {spent:10.1f} ms{each}", flush=True)


def told(what: str, spans: list[float]) -> None:
    ms = sorted(1000 * span for span in spans)
    p50, p99 = statistics.median(ms), ms[int(len(ms) * 0.99)]
    print(f"  {what:<44} p50 {p50:8.3f} ms   p99 {p99:8.3f} ms", flush=True)


def timed(held: Held, event: Event) -> float:
    begin = time.perf_counter()
    held.does(event)
    return time.perf_counter() - begin


def bench(path: Path, calls: int, *, plain: bool) -> None:
    held = Held(path)
    with took(f"{calls} requests taken", calls):
        for number in range(calls):
            held.gets(asked(number, plain=plain))
    held.journal.close()
    with took("restart: journal read, all judged"):
        held.open()
    with took("connect: hello, and all told where they stand"):
        held.does(Connected(held.journal.seq))
        held.gets(welcome())
    told("an event that is about none of them", [timed(held, TimeIs()) for _ in range(SAMPLES)])
    ids = [f"call-{n:06}" for n in range(calls - SAMPLES, calls)]
    told("one is cancelled", [timed(held, Received(Cancel(id=i), None)) for i in ids])
    open_(held, calls)


def open_(held: Held, calls: int) -> None:
    held.wall = T0 + DAY
    with took(f"a window opens for {calls // 20} of them"):
        held.does(TimeIs())
    spans = []
    for _ in range(SAMPLES):
        spans.append(timed(held, JobEnded(held.started[-1], success())))
    told("one is done, the next starts", spans)
    held.wall = T0 + 21 * DAY - 1
    with took("all others are missed in one moment"):
        held.does(TimeIs())
    held.journal.close()
    with took("restart after that"):
        held.open()
    held.journal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    print(f"{options.calls} held calls, msgspec {msgspec.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        bench(Path(folder) / "journal", options.calls, plain=options.plain)


if __name__ == "__main__":
    main()
