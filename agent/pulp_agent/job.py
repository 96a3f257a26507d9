"""One execution's own process: `python -m pulp_agent.job SPOOL/ID`. Whatever its handler does, one result is left behind.

Errands of the agent itself: `--print JOBS METHOD` runs a read and prints its value, `--methods` prints what this host offers.
The settings of package work lie in the jobs' folder, written by the agent at its start.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from threading import Event

import msgspec
from msgspec import Raw, Struct

from pulp.common import failpoints
from pulp.common.failpoints import failpoint
from pulp_agent.events import LATE, Failure, Outcome, Success, no_details
from pulp_agent.files import write_whole
from pulp_agent.handlers.base import HandlerError, Job
from pulp_agent.spool import JobRequest, Spool

ALREADY_RUNS = 3
"""Exit code: another process of this execution lives."""
_LOCK_TRIES = 40
_RESULT_PAUSE = 1.0  # s
_RESULT_TRIES = 3600
_PROGRESS_EVERY = 0.2  # s
_READ_TIMEOUT = 600_000  # ms


class SpoolJob:
    """The handler's side of an execution (`handlers.base.Job`), on the files of its spool folder."""

    fetch_only = False

    def __init__(
        self, spool: Spool, *, timeout: int, resumed: bool, commit_before: int | None = None
    ) -> None:
        self.id = spool.id
        self.resumed = resumed
        self.spool = str(spool.path)
        self._files = spool
        self._commit_before = commit_before
        self._deadline = time.monotonic() + timeout / 1000
        self._percent = 0.0
        self._phase = ""
        self._next = 0.0

    def progress(self, phase: str, percent: float, message: str = "") -> None:
        """A progress that cannot be written is no reason to fail."""
        self._percent = max(self._percent, min(float(percent), 100.0))
        now = time.monotonic()
        if phase == self._phase and now < self._next:
            return
        self._phase, self._next = phase, now + _PROGRESS_EVERY
        try:
            self._files.write_progress(phase, self._percent, message)
        except (OSError, ValueError):
            traceback.print_exc()

    def canceled(self) -> bool:
        return self._files.decision() in ("cancel", "timeout", "late")

    def begin_commit(self) -> bool:
        won = self._files.decide("late" if self._late() else "commit") == "commit"
        failpoint("job.commit.decided")
        return won

    def _late(self) -> bool:
        return self._commit_before is not None and _now() >= self._commit_before

    def remaining(self) -> float:
        return self._deadline - time.monotonic()


class FetchOnlyJob(SpoolJob):
    """The handler's side of a job that fetches ahead of an execution: whatever the handler does, it may not begin a change."""

    fetch_only = True

    def begin_commit(self) -> bool:
        return False


def job_of(spool: Spool, request: JobRequest) -> SpoolJob:
    kind = FetchOnlyJob if request.fetch_only else SpoolJob
    return kind(
        spool,
        timeout=request.timeout,
        resumed=request.resumed,
        commit_before=request.commit_before,
    )


def main(argv: list[str]) -> int:
    failpoints.arm(os.environ)
    match argv:
        case ["--methods"]:
            return _print_methods()
        case ["--print", jobs, path]:
            return _print(Path(jobs), path)
        case [folder]:
            return _execute(Spool(Path(folder)))
    sys.stderr.write("usage: python -m pulp_agent.job SPOOL/ID | --print JOBS METHOD | --methods\n")
    return 2


def _execute(spool: Spool) -> int:
    lock = _lock(spool)
    if lock is None:
        return ALREADY_RUNS
    failpoint("job.locked")
    if spool.result() is None and spool.wanted():
        _outlive_signals()
        outcome = _run(spool)
        failpoint("job.ended")
        _leave_result(spool, outcome)
        failpoint("job.result.written")
    os.close(lock)
    return 0


def _leave_result(spool: Spool, outcome: Outcome) -> None:
    """Where the disk is full the answer waits in here for room: to die with it would only make the work be looked at again."""
    never = Event()
    for left in reversed(range(_RESULT_TRIES)):
        try:
            spool.write_result(outcome)
            return
        except FileNotFoundError:
            raise  # the folder is gone: nobody waits for the answer any more
        except OSError as error:
            if not left:
                raise
            if left == _RESULT_TRIES - 1:
                sys.stderr.write(f"The result cannot be written yet: {error}\n")
            never.wait(_RESULT_PAUSE)


def _lock(spool: Spool) -> int | None:
    """The agent may be looking at the lock just now, so one refusal means nothing."""
    never = Event()
    for _ in range(_LOCK_TRIES):
        if (lock := spool.lock()) is not None:
            return lock
        never.wait(0.025)
    return None


def _outlive_signals() -> None:
    """Package work is never interrupted half-way; its cancel is the decision file. (Not SIG_IGN: children would inherit it.)"""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def _run(spool: Spool) -> Outcome:
    """Exactly one outcome. A traceback goes to the local log only."""
    try:
        request = spool.request()
        job = job_of(spool, request)
        value = _call(request.method, request.version, request.args, job, spool.path.parent)
        return Success(value, _now(), changed=_changed(value))
    except HandlerError as error:
        return _failure(spool, error)
    except BaseException:
        traceback.print_exc()
        return Failure(
            "internal", "The agent failed in this call; its log has the details.", _now()
        )


def _call(path: str, version: int, args: Raw, job: Job, jobs: Path) -> Raw:
    from pulp_agent.handlers.registry import resolve
    from pulp_agent.handlers.settings import read_settings

    handler, typed = resolve(path, version, args, read_settings(jobs))
    return Raw(msgspec.json.encode(handler(typed, job)))


def _failure(spool: Spool, error: HandlerError) -> Failure:
    """A job that gave up because its time or its window was over says so, though to the handler it looked like a cancel."""
    code, decision = error.code, spool.decision()
    if code == "canceled" and decision in ("timeout", "late"):
        code = LATE if decision == "late" else "timeout"
    details = _details(error.details)
    return Failure(code, str(error), _now(), details, changed=_changed(details))


def _details(details: Struct | None) -> Raw:
    return no_details() if details is None else Raw(msgspec.json.encode(details))


class _Changed(Struct):
    changed: bool = False


def _changed(value: Raw) -> bool:
    """Package results say whether the host's packages differ; nothing else changes them."""
    try:
        return msgspec.json.decode(value, type=_Changed).changed
    except msgspec.MsgspecError:  # null, or no object
        return False


def _now() -> int:
    return time.time_ns() // 1_000_000


def _print(jobs: Path, path: str) -> int:
    """Run a read in a folder of its own and print its value; exit 1 with a sentence on stderr where it fails."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="pulp-agent-") as folder:
        job = SpoolJob(Spool(Path(folder)), timeout=_READ_TIMEOUT, resumed=False)
        try:
            return _tell(bytes(_call(path, 1, Raw(b"{}"), job, jobs)))
        except HandlerError as error:
            sys.stderr.write(f"{error}\n")
            return 1


def _tell(output: bytes) -> int:
    """Unbuffered: Python would complain about a broken pipe once more at its end."""
    try:
        write_whole(sys.stdout.fileno(), output)
    except BrokenPipeError:  # the agent that asked is gone
        return 1
    return 0


def _print_methods() -> int:
    from pulp_agent.handlers.registry import methods

    return _tell("\n".join(sorted({method.path for method in methods().values()})).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
