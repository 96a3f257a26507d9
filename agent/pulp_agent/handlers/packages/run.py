"""One execution's surroundings: its job, its log file, its clock for phases, and patience with what passes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TypeVar

from pulp_agent.handlers.base import HandlerError, Job
from pulp_agent.handlers.packages.progress import PhaseProgress

T = TypeVar("T")

LOG_LIMIT = 64 * 1024  # bytes of the log that go into a result
_POLL = 0.1  # s between two looks at a cancel


class Run:
    """`lock_timeout`: seconds that all waits for other programs' locks may take together; `retry_delay`: seconds before the
    first repetition of a step, doubled for each further one."""

    def __init__(self, job: Job, *, lock_timeout: float, retry_delay: float) -> None:
        self.job = job
        self.spool = Path(job.spool)
        self.log = self.spool / "packages.log"
        self.phases: dict[str, int] = {}
        self.committed = False
        self.lock_waits = 0
        self._progress = PhaseProgress(job.progress)
        self._lock_timeout = lock_timeout
        self._lock_left = lock_timeout
        self._waited = 0.0
        self._retry_delay = retry_delay
        self._never = Event()

    def progress(self, phase: str, percent: float, message: str = "") -> None:
        self._progress.at(phase, percent, message)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase and add up the time it takes, but for waits for other programs' locks: those are `wait`."""
        self.progress(name, 0)
        begin, waited = time.monotonic(), self._waited
        try:
            yield
        finally:
            self._spent(name, time.monotonic() - begin - (self._waited - waited))

    def _spent(self, name: str, seconds: float) -> None:
        self.phases[name] = self.phases.get(name, 0) + round(seconds * 1000)

    def check(self) -> None:
        """Raises `canceled` or `timeout` as long as nothing has been changed; afterwards the work goes on to its end."""
        if self.committed:
            return
        if self.job.canceled():
            raise HandlerError("canceled", "canceled before the packages were changed")
        if self.job.remaining() <= 0:
            raise HandlerError(
                "timeout", "the call's time was over before the packages were changed"
            )

    def begin_commit(self) -> None:
        """Pass the point of no return, or raise `canceled`. A call that has passed it may pass it again."""
        if not self.job.begin_commit():
            raise HandlerError("canceled", "canceled before the packages were changed")
        self.committed = True

    def limit(self, seconds: float) -> float:
        """Seconds that a step with its own limit may take; before the commit the call's own time counts too."""
        return seconds if self.committed else max(0.0, min(seconds, self.job.remaining()))

    def pause(self, seconds: float) -> None:
        """Wait; ends early by `check` raising."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            self.idle(min(left, _POLL))

    def idle(self, seconds: float) -> None:
        """Wait a moment, come what may."""
        self._never.wait(seconds)

    def patiently(self, step: Callable[[], T]) -> T:
        """Do `step`; while another program holds a lock, wait and do it again until the lock time is used up."""
        delay = self._retry_delay / 2
        while True:
            self.check()
            try:
                return step()
            except HandlerError as error:
                if error.code != "locked":
                    raise
                self._wait_for_lock(error, delay)
            delay = min(delay * 1.5, 5.0)

    def _wait_for_lock(self, error: HandlerError, delay: float) -> None:
        if self._lock_left <= 0:
            raise HandlerError(
                "locked", f"{error}; waited {self._lock_timeout:g} s for it"
            ) from error
        self.lock_waits += 1
        self.progress("wait", 0, str(error))
        wait = min(delay * random.uniform(0.8, 1.2), self._lock_left)
        self._lock_left -= wait
        begin = time.monotonic()
        try:
            self.pause(wait)
        finally:
            spent = time.monotonic() - begin
            self._waited += spent
            self._spent("wait", spent)

    def retrying(self, step: Callable[[], T], *, tries: int = 3) -> T:
        """Do `step` patiently; after a failed fetch do it again, later each time."""
        for attempt in range(tries - 1):
            try:
                return self.patiently(step)
            except HandlerError as error:
                if error.code != "fetch":
                    raise
                self.note(f"trying again after: {error}")
                self.pause(self._retry_delay * 2**attempt * random.uniform(0.8, 1.2))
        return self.patiently(step)

    def note(self, text: str) -> None:
        """Add a line of our own to the log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"# {text}\n")

    def log_text(self) -> str:
        """The end of the log, as it goes into a result: whole lines, unless there is one line only."""
        try:
            with self.log.open("rb") as log:
                begin = max(0, self.log.stat().st_size - LOG_LIMIT)
                log.seek(begin)
                text = log.read(LOG_LIMIT)
        except FileNotFoundError:
            return ""
        _, _, whole = text.partition(b"\n") if begin else (b"", b"", text)
        return (whole or text).decode("utf-8", "replace")
