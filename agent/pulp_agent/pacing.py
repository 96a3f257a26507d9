"""Thins a job's progress out: at most one message per interval, the newest, its percent never falling."""

from __future__ import annotations

from pulp.rmi.messages import Progress


class Pacer:
    """One running call's progress. Times are ms of the monotonic clock."""

    def __init__(self, call_id: str) -> None:
        self._id = call_id
        self._percent = 0.0
        self._seq = 0
        self._next = 0
        self._pending: tuple[str, str] | None = None

    def note(self, phase: str, percent: float, message: str) -> None:
        self._percent = max(self._percent, min(percent, 100.0))
        self._pending = (phase, message)

    def due(self) -> int | None:
        """When the pending progress may be sent."""
        return self._next if self._pending else None

    def take(self, *, mono: int, every: int, seq: int) -> Progress | None:
        """The progress to send now, if any. `seq` is raised where it would not grow."""
        if self._pending is None or mono < self._next:
            return None
        phase, message = self._pending
        self._pending, self._next = None, mono + every
        self._seq = max(self._seq + 1, seq)
        return Progress(
            id=self._id, seq=self._seq, phase=phase, percent=self._percent, message=message
        )
