"""Which waiting call is looked at when, and whose turn it is: one event costs O(log n) of the calls that wait."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from pulp.rmi.interfaces import Lane
from pulp_agent.call import Call

_SLACK = 64
"""Dead entries that a heap may have beside as many as it has living ones."""


class Agenda:
    """Entries that are out of date stay in the heaps until they come up, or are too many."""

    def __init__(self) -> None:
        self._moments: dict[str, int] = {}
        self._due: list[tuple[int, int, str]] = []
        self._turns: dict[str, int] = {}
        self._queues: dict[Lane, list[tuple[int, str]]] = {Lane.HOST: [], Lane.READ: []}

    def hold(self, call: Call, until: int) -> None:
        """Not to start before it has been looked at again, at `until` (ms UTC)."""
        self._turns.pop(call.id, None)
        self._look_at(call, until)

    def line_up(self, call: Call, closes: int) -> None:
        """It may start when its lane is free, in order of acceptance; at `closes` it is looked at again."""
        if call.id not in self._turns:
            self._turns[call.id] = call.order
            heappush(self._queues[_queue(call)], (call.order, call.id))
        self._look_at(call, closes)

    def _look_at(self, call: Call, moment: int) -> None:
        if self._moments.get(call.id) == moment:
            return
        self._moments[call.id] = moment
        heappush(self._due, (moment, call.order, call.id))
        if len(self._due) > 2 * len(self._moments) + _SLACK:
            self._due = [entry for entry in self._due if self._lives(entry)]
            heapify(self._due)

    def _lives(self, entry: tuple[int, int, str]) -> bool:
        return self._moments.get(entry[2]) == entry[0]

    def drop(self, call_id: str) -> None:
        """It waits no more."""
        self._moments.pop(call_id, None)
        self._turns.pop(call_id, None)

    def next_look(self) -> int | None:
        while self._due and not self._lives(self._due[0]):
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def take_due(self, now: int) -> list[str]:
        """The calls that are to be looked at now."""
        due = []
        while (moment := self.next_look()) is not None and moment <= now:
            due.append(heappop(self._due)[2])
            del self._moments[due[-1]]
        return due

    def first(self, lane: Lane) -> str | None:
        """Whose turn it is."""
        queue = self._queues[lane]
        while queue and self._turns.get(queue[0][1]) != queue[0][0]:
            heappop(queue)
        return queue[0][1] if queue else None


def _queue(call: Call) -> Lane:
    return Lane.HOST if call.lane is Lane.HOST else Lane.READ
