"""One execution's folder, SPOOL/ID, and its files: how the agent and a job's process speak, dead or alive.

request.json  what to run                      (agent, before the start)
lock          held (flock) while the job lives; says its process id
progress      the newest progress              (job; replaced, may be lost)
decision      commit, cancel, timeout or late: whoever links it first has decided, for all attempts
result.json   the outcome                      (job; on disk before the job ends)
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pulp.common.failpoints import failpoint
from pulp_agent.events import Decision, Failure, JobProgressed, Outcome, StartJob, Success
from pulp_agent.files import sync_directory, write_atomically, write_whole
from pulp_agent.passwords import without_passwords

SETTINGS = ".settings.json"
"""In the folder of all jobs: the settings of package work. No call's id begins with a dot."""
DECISIONS: frozenset[Decision] = frozenset({"commit", "cancel", "timeout", "late"})


class JobRequest(Struct, frozen=True, kw_only=True):
    """request.json; `timeout` in ms of running, `commit_before` in ms UTC. `fetch_only`: for an execution that is to come."""

    id: str
    method: str
    version: int
    args: Raw
    timeout: int
    resumed: bool
    commit_before: int | None = None
    fetch_only: bool = False


class _Progress(Struct, frozen=True):
    phase: str
    percent: float
    message: str


class _Succeeded(Struct, frozen=True, tag="succeeded"):
    value: Raw
    finished: int
    changed: bool


class _Failed(Struct, frozen=True, tag="failed"):
    code: str
    message: str
    finished: int
    details: Raw
    changed: bool


_encoder = msgspec.json.Encoder()
_results: msgspec.json.Decoder[_Succeeded | _Failed] = msgspec.json.Decoder(_Succeeded | _Failed)
_progress: msgspec.json.Decoder[_Progress] = msgspec.json.Decoder(_Progress)
_requests: msgspec.json.Decoder[JobRequest] = msgspec.json.Decoder(JobRequest)


class Spool:
    """The files of one execution. OSError where the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = (0, 0)

    @property
    def id(self) -> str:
        return self.path.name

    def prepare(self, start: StartJob) -> None:
        """The folder lasts, for the handler's own records in it; the request is in the journal too."""
        if not self.path.exists():
            self.path.mkdir(parents=True, mode=0o700)
            sync_directory(self.path.parent)
        request = JobRequest(
            id=start.id,
            method=start.method,
            version=start.version,
            args=Raw(start.args),
            timeout=start.timeout,
            resumed=start.resumed,
            commit_before=start.commit_before,
            fetch_only=start.fetch_only,
        )
        data = _encoder.encode(request)
        write_atomically(self.path / "request.json", data, sync=False)

    def wanted(self) -> bool:
        return (self.path / "request.json").exists()

    def withdraw(self) -> bool:
        """Take the request back: a process that was started for it and comes late finds nothing to do, whatever was answered
        meanwhile. False where one lives, or left its result just now."""
        try:
            lock = self.lock()
        except FileNotFoundError:
            return True
        if lock is None:
            return False
        try:
            if self.result() is not None:
                return False
            (self.path / "request.json").unlink(missing_ok=True)
            failpoint("agent.job.withdrawn")
            return True
        finally:
            os.close(lock)

    def request(self) -> JobRequest:
        return _requests.decode((self.path / "request.json").read_bytes())

    def lock(self) -> int | None:
        """Become the one process of this execution; the lock lasts as long as the descriptor. None: another one lives."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            write_whole(fd, b"%d" % os.getpid())
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:  # a full disk: a lock that nobody knows of would be held for ever
            os.close(fd)
            raise
        return fd

    def alive(self) -> bool:
        """Is the lock held? (Looks by a shared lock for an instant, so a job must try more than once.)"""
        try:
            fd = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def began(self) -> bool:
        return (self.path / "lock").exists()

    def lock_stamp(self) -> int:
        """Differs after every process that took the lock; 0 before the first."""
        try:
            return (self.path / "lock").stat().st_mtime_ns
        except OSError:
            return 0

    def holder(self) -> int | None:
        """The living job's process id."""
        try:
            text = (self.path / "lock").read_text()
        except OSError:
            return None
        return int(text) if text.isdigit() and self.alive() else None

    def decide(self, decision: Decision) -> Decision:
        """What was decided first, now or before. It appears whole or not at all, and is on disk when this returns."""
        part = self.path / f".decision-{os.getpid()}"
        part.write_text(decision)
        try:
            os.link(part, self.path / "decision")
        except FileExistsError:
            return self.decision() or decision
        finally:
            part.unlink()
        sync_directory(self.path)
        return decision

    def decision(self) -> Decision | None:
        try:
            text = (self.path / "decision").read_text()
        except FileNotFoundError:
            return None
        return text if text in DECISIONS else "commit"  # torn by a power cut: the careful reading

    def write_progress(self, phase: str, percent: float, message: str) -> None:
        data = without_passwords(_encoder.encode(_Progress(phase, percent, message)))
        write_atomically(self.path / "progress", data, sync=False)

    def read_progress(self) -> JobProgressed | None:
        """The progress if it has changed since the last look."""
        path = self.path / "progress"
        try:
            status = path.stat()
            if (status.st_mtime_ns, status.st_ino) == self._seen:
                return None
            progress = _progress.decode(path.read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        self._seen = (status.st_mtime_ns, status.st_ino)
        return JobProgressed(self.id, progress.phase, progress.percent, progress.message)

    def write_result(self, outcome: Outcome) -> None:
        """What the tools said is told on, but for passwords in the addresses that they name."""
        data: Any
        if isinstance(outcome, Success):
            data = _Succeeded(outcome.value, outcome.finished, outcome.changed)
        else:
            data = _Failed(
                outcome.code, outcome.message, outcome.finished, outcome.details, outcome.changed
            )
        write_atomically(self.path / "result.json", without_passwords(_encoder.encode(data)))

    def result(self) -> Outcome | None:
        try:
            read = _results.decode((self.path / "result.json").read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        if isinstance(read, _Succeeded):
            return Success(read.value, read.finished, read.changed)
        return Failure(read.code, read.message, read.finished, read.details, read.changed)
