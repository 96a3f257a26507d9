"""The in-memory twin's network (memory.py): what is under way, and how much of it credit allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Step = Callable[[], None]


class Lane:
    """What is under way in one direction of one connection, in order."""

    def __init__(self, ready: list[Lane]) -> None:
        self._ready = ready
        self._steps: deque[Step] = deque()

    def add(self, step: Step) -> None:
        self._steps.append(step)
        if len(self._steps) == 1:
            self._ready.append(self)

    def take(self) -> Step:
        step = self._steps.popleft()
        self._ready.remove(self)
        if self._steps:
            self._ready.append(self)
        return step

    def clear(self) -> None:
        if self._steps:
            self._steps.clear()
            self._ready.remove(self)


class Window:
    """One direction's messages: those that wait for credit, and how many are unsettled."""

    def __init__(self, credit: int) -> None:
        self._credit = credit
        self.waiting: deque[Step] = deque()
        self.unsettled = 0

    @property
    def open(self) -> bool:
        return self.unsettled < self._credit

    def settle(self) -> None:
        self.unsettled -= 1
        self.fill()

    def fill(self) -> None:
        while self.waiting and self.open:
            self.unsettled += 1
            self.waiting.popleft()()
