"""Who may run beside whom: calls that change the host run one at a time, reads run beside them."""

from __future__ import annotations

from pulp.rmi.interfaces import Lane

READS_AT_ONCE = 4


class Lanes:
    """The executions under way."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._reads: set[str] = set()

    @property
    def busy_with(self) -> str | None:
        """The call that changes the host now."""
        return self._host

    def admits(self, lane: Lane) -> bool:
        if lane is Lane.HOST:
            return self._host is None
        return len(self._reads) < READS_AT_ONCE

    def enter(self, call_id: str, lane: Lane) -> None:
        if lane is Lane.HOST:
            self._host = call_id
        else:
            self._reads.add(call_id)

    def leave(self, call_id: str) -> None:
        if self._host == call_id:
            self._host = None
        self._reads.discard(call_id)
