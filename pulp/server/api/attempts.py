"""How often a login may fail: five times, then it rests for a minute. Known and unknown logins alike, so nothing is told."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from pulp.common.clock import Clock
from pulp.server.api.errors import TooManyAttempts

FAILURES = 5
REST = 60.0
"""Seconds."""
REMEMBERED = 10_000
"""Logins; the longest untouched is forgotten first."""


@dataclass(slots=True)
class _Record:
    failures: int
    since: float


class Attempts:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def begin(self, login: str) -> None:
        """Count one attempt as failed until it is known better. TooManyAttempts says for how long."""
        now = self._clock.monotonic()
        with self._lock:
            record = self._records.setdefault(login, _Record(0, now))
            self._records.move_to_end(login)
            if now - record.since >= REST:
                record.failures, record.since = 0, now
            if record.failures >= FAILURES:
                wait = max(1, int(record.since + REST - now + 0.999))
                raise TooManyAttempts(
                    f"too many failed attempts for this login: wait {wait} seconds",
                    retry_after=wait,
                )
            record.failures += 1
            record.since = now
            if len(self._records) > REMEMBERED:
                self._records.popitem(last=False)

    def succeeded(self, login: str) -> None:
        with self._lock:
            self._records.pop(login, None)

    def withdrawn(self, login: str) -> None:
        """The attempt was not tried after all."""
        with self._lock:
            record = self._records.get(login)
            if record is not None and record.failures:
                record.failures -= 1
