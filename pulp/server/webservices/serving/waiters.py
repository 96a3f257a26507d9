"""Long polls without threads: a waiting request holds a ticket, and its connection comes back when its task changed or its
time is over.

One ticket goes watch() → (the task is read) → park() or forget(). A change between watch() and park() is not lost.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Thread

from pulp.server.db.base import TaskChange

LIMIT = 5000
LANE = 4
"""How many woken connections are answered at a time, so that a thousand waking at once do not stand before everybody else."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One request that may wait for a task to pass a revision."""

    task_id: str
    seen: int = 0  # the newest committed revision told of while watching
    after: int = 0
    resume: Callable[[], None] | None = None  # set while parked
    order: int = field(default_factory=count().__next__)


class Waiters:
    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._changed = Condition()
        self._watched: dict[str, list[Ticket]] = {}
        self._count = 0
        self._deadlines: list[tuple[float, int, Ticket]] = []
        self._ready: deque[Callable[[], None]] = deque()
        self._answering = 0
        self._closed = False
        self._thread: Thread | None = None

    def __len__(self) -> int:
        """Tickets that are out."""
        return self._count

    def start(self) -> None:
        """Start the thread that keeps the deadlines."""
        self._thread = Thread(target=self._keep_deadlines, name="rest-waiters", daemon=True)
        self._thread.start()

    def close(self, grace: float = 0) -> None:
        """Wake all who wait, and give them and those about to wait `grace` seconds to be answered; nobody waits from now on."""
        with self._changed:
            self._closed = True
            parked = [t for tickets in self._watched.values() for t in tickets if t.resume]
            for ticket in parked:
                self._wake(ticket)
            self._changed.notify_all()
        self._feed()
        with self._changed:
            self._changed.wait_for(self._all_answered, grace)
        if self._thread is not None:
            self._thread.join()

    def watch(self, task_id: str) -> Ticket | None:
        """From now on the task's changes are noted. None: too many wait already, or the server is stopping."""
        with self._changed:
            if self._count >= self._limit or self._closed:
                return None
            ticket = Ticket(task_id)
            self._watched.setdefault(task_id, []).append(ticket)
            self._count += 1
            return ticket

    def forget(self, ticket: Ticket) -> None:
        """The request is answered without waiting, or its connection is gone."""
        with self._changed:
            self._remove(ticket)
            if self._closed:
                self._changed.notify_all()

    def park(
        self, ticket: Ticket, resume: Callable[[], None], *, after: int, deadline: float
    ) -> None:
        """Call `resume` once: when the task has a revision newer than `after`, or at `deadline` (of the clock).

        Whoever is resumed calls answered() when it is done."""
        with self._changed:
            ticket.after, ticket.resume = after, resume
            if ticket.seen > after or self._closed:
                self._wake(ticket)
            else:
                heapq.heappush(self._deadlines, (deadline, ticket.order, ticket))
                if self._deadlines[0][2] is ticket:
                    self._changed.notify()
        self._feed()

    def answered(self) -> None:
        """A resumed request is done: the next in line may go."""
        with self._changed:
            self._answering -= 1
            if self._closed:
                self._changed.notify_all()
        self._feed()

    def task_changes(self, changes: Sequence[TaskChange]) -> None:
        """For Store.subscribe(): quick, any thread."""
        with self._changed:
            for change in changes:
                for ticket in list(self._watched.get(change.id, ())):
                    ticket.seen = max(ticket.seen, change.revision)
                    if ticket.resume is not None and ticket.seen > ticket.after:
                        self._wake(ticket)
        self._feed()

    # --- the lock is held ---

    def _all_answered(self) -> bool:
        return not (self._count or self._ready or self._answering)

    def _wake(self, ticket: Ticket) -> None:
        if ticket.resume is not None:
            self._ready.append(ticket.resume)
            ticket.resume = None
            self._remove(ticket)

    def _remove(self, ticket: Ticket) -> None:
        tickets = self._watched.get(ticket.task_id, [])
        if ticket in tickets:
            tickets.remove(ticket)
            self._count -= 1
        if not tickets:
            self._watched.pop(ticket.task_id, None)

    # --- the lock is not held ---

    def _feed(self) -> None:
        """Let as many of the woken go as the lane has room for."""
        while True:
            with self._changed:
                if self._answering >= LANE or not self._ready:
                    return
                self._answering += 1
                resume = self._ready.popleft()
            resume()

    def _keep_deadlines(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                self._changed.wait(self._until_next())
                self._wake_overdue()
            self._feed()

    def _until_next(self) -> float | None:
        if not self._deadlines:
            return None
        return max(0.0, self._deadlines[0][0] - self._clock())

    def _wake_overdue(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            self._wake(heapq.heappop(self._deadlines)[2])
