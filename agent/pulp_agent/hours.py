"""What the agent remembers of its host's hours: openings that were used, how long work took, the host's own calendar."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pulp.rmi.messages import WireWindow
from pulp_agent.gate import latest_end
from pulp_agent.records import AnyRecord, Kept, Lasted, Opening

RUNS = 10
"""So many runs of a method are remembered; the longest of them is what the next one is expected to take."""

Key = tuple[int, int]


def opening_of(window: WireWindow) -> Key:
    """Begin, and where even its grace is over."""
    return window.begin, latest_end(window)


class Hours:
    """State changes by `apply` and `use`, running or replaying."""

    def __init__(self) -> None:
        self.keep: Kept | None = None
        self.unclosed: set[Key] = set()
        self._openings: dict[Key, bool] = {}
        self._runs: dict[str, deque[int]] = {}

    def apply(self, record: Opening | Lasted | Kept) -> None:
        match record:
            case Opening():
                self._note((record.begin, record.end), record.closed)
            case Lasted():
                self._runs.setdefault(record.method, deque(maxlen=RUNS)).append(record.ms)
            case Kept():
                self.keep = record

    def _note(self, key: Key, closed: bool) -> None:
        self._openings[key] = closed
        if closed:
            self.unclosed.discard(key)
        else:
            self.unclosed.add(key)

    def used(self, window: WireWindow) -> None:
        if opening_of(window) not in self._openings:
            self._note(opening_of(window), closed=False)

    def missed(self, window: WireWindow, at: int) -> None:
        """Something was missed in it; whatever the clock says later, it is over once it has been seen to be."""
        if at >= latest_end(window):
            self._note(opening_of(window), closed=True)

    def spent(self, window: WireWindow | None) -> bool:
        return window is not None and self._openings.get(opening_of(window), False)

    def expected(self, method: str, window: WireWindow | None) -> int:
        """ms the work takes; 0 where the request does not want it looked at."""
        if window is None or window.expected == 0:
            return 0
        return max(self._runs.get(method, ()), default=window.expected)

    def prune(self, before: int) -> None:
        for key in [k for k, closed in self._openings.items() if closed and k[1] < before]:
            del self._openings[key]

    def snapshot(self) -> Iterator[AnyRecord]:
        for (begin, end), closed in self._openings.items():
            yield Opening(begin=begin, end=end, closed=closed)
        for method, runs in self._runs.items():
            yield from (Lasted(method=method, ms=ms) for ms in runs)
        if self.keep is not None:
            yield self.keep
