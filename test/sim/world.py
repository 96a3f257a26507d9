"""Virtual time, chance and the event queue: everything that happens in a simulation happens because this calls it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

START = 1_800_000_000_000
MOST_EVENTS = 60_000
MOST_TURNS = 300_000


class Stop(SystemExit):
    """Ends the running event whatever code it is in: neither `except Exception` nor an asyncio task holds it up."""


class Crash(Stop):
    """The process that runs now is dead."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process


class Violation(Stop):
    """An invariant is broken; `rule` is its number and name."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__()
        self.rule = rule
        self.what = what

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


class Timer:
    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None] | None) -> None:
        self.call = call

    def cancel(self) -> None:
        self.call = None


class Process:
    """One life of a program: what it set going ends with it."""

    name: str
    alive = True

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name

    def later(self, delay: int, call: Callable[[], None]) -> Timer:
        """Call it in `delay` ms, if this process still lives then."""

        def guarded() -> None:
            if self.alive:
                call()

        return self.world.later(delay, guarded)

    def durable(self, what: str, effect: Callable[[], Any]) -> Any:
        """One numbered step whose effect outlives the process; a crash may come right before or right after it."""
        self.world.step(self, what)
        value = effect()
        self.world.step(self, "")
        return value

    def died(self) -> None:
        """Called once when it has crashed."""


class World:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.now = START
        self.chaos = True
        self.events = 0
        self.steps = 0
        self.crash_rate = 0.0
        self.trace: list[str] = []
        self.crash_filter: Callable[[Process], bool] = lambda _process: True
        self.turns = 0
        self._queue: list[tuple[int, int, Timer]] = []
        self._serial = 0

    def later(self, delay: int, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        self._serial += 1
        heapq.heappush(self._queue, (self.now + delay, self._serial, timer))
        return timer

    def note(self, *parts: object) -> None:
        """A line of the trace."""
        self.events += 1
        moment = (self.now - START) / 1000
        self.trace.append(f"{moment:14.3f} " + " ".join(map(str, parts)))

    def step(self, process: Process, what: str) -> None:
        """A place where a crash may come."""
        if what:
            self.steps += 1
            self.note(process.name, "step", self.steps, what)
        if self.chaos and self.random.random() < self.crash_rate and self.crash_filter(process):
            self.kill(process)
            raise Crash(process)

    def kill(self, process: Process) -> None:
        if process.alive:
            self.note(process.name, "CRASH")
            process.alive = False
            process.died()

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def spread(self, least: int, most: int) -> int:
        """A span between the two (ms), short ones as likely as long ones."""
        return int(least * (most / least) ** self.random.random())

    def run(self, until: int) -> None:
        """Everything that is due by then; the clock ends there."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, timer = heapq.heappop(self._queue)
            call, timer.call = timer.call, None
            if call is not None:
                self.run_one(call)
        self.now = max(self.now, until)

    def run_one(self, call: Callable[[], None]) -> None:
        with suppress(Crash):
            call()
        self.turns += 1
        if len(self.trace) > MOST_EVENTS or self.turns > MOST_TURNS:
            raise Violation("6 nothing goes on for ever", f"{self.turns} turns, the last by {call}")

    @property
    def next_moment(self) -> int | None:
        while self._queue and self._queue[0][2].call is None:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None
