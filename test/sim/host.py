"""A managed host: its disk, its packages, and the processes of its jobs, which outlive the agent. What it did is the truth that
the agent's journal and the server's history are held against."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from pulp_agent import job as real_job
from pulp_agent.calls import CallTable
from pulp_agent.events import (
    CancelDecided,
    CancelJob,
    Decision,
    Event,
    Instant,
    JobEnded,
    JobLost,
    JobProgressed,
    Outcome,
    StartJob,
)
from pulp_agent.handlers.base import HandlerError
from pulp_agent.spool import JobRequest

from pulp.common.ids import new_id
from pulp.rmi.interfaces import Change, PackagesResult, ProfileResult
from pulp.server.domain.consumer import Consumer
from sim.world import Process, World

if TYPE_CHECKING:
    from sim.checks import Checks

SECRET = "s3cr3t-of-the-host"
STOP_PATIENCE = 15_000


@dataclass
class Folder:
    """One execution's spool folder."""

    request: JobRequest | None = None
    holder: Job | None = None  # who holds the lock
    began: bool = False
    decision: Decision | None = None
    result: Outcome | None = None
    progress: tuple[str, float] | None = None


@dataclass
class Disk:
    """What of a host survives its agent. `synced`: journal lines that survive a loss of power too."""

    journal_id: str
    lines: list[bytes] = field(default_factory=list)
    synced: int = 0
    base: int = 0
    compacted: int = 0
    spool: dict[str, Folder] = field(default_factory=dict)
    certificates: list[str] = field(default_factory=list)  # fingerprints, the newest last


@dataclass(frozen=True)
class Snapshot:
    """A host as it was."""

    disk: Disk
    changed_by: dict[str, int]
    answers: dict[str, bytes]
    fates: dict[str, str]


class Job(Process):
    """A job's process: `pulp_agent.job` with the real conversion of what its handler did into one outcome."""

    def __init__(self, host: Host, call_id: str) -> None:
        super().__init__(host.world, f"{host.name}/job {call_id[:8]}")
        self.host = host
        self.id = call_id
        self.folder = host.disk.spool[call_id]
        self.ended: Callable[[], None] = lambda: None
        self.later(self.world.spread(1, 300), self._begin)

    def died(self) -> None:
        if self.folder.holder is self:
            self.folder.holder = None
        self.host.jobs.remove(self)
        self.world.later(self.world.random.randrange(20), self.ended)

    def _begin(self) -> None:
        folder = self.host.disk.spool.get(self.id)
        gone = folder is None or folder.request is None  # withdrawn: it comes too late
        if gone or folder.holder is not None or folder.result is not None:
            self._end()
            return
        self.folder = folder
        self.started = self.world.now
        self.durable("lock", self._lock)
        self.host.checks.job_begins(self.host, self.id, self.folder)
        self._step(self._work())

    def _lock(self) -> None:
        self.folder.holder, self.folder.began = self, True

    def _step(self, work: Generator[int, None, Any]) -> None:
        """One stretch of the handler's work up to its next pause."""
        try:
            pause = next(work)
        except StopIteration as done:
            value = done.value
            self._finish(lambda: value)
        except Exception as error:
            raised = error
            self._finish(lambda: _throw(raised))
        else:
            self.later(pause, lambda: self._step(work))

    def _finish(self, call: Callable[[], Any]) -> None:
        outcome = self.host.outcome_of(self, call)
        self.durable("result", lambda: self._write(outcome))
        self._end()

    def _write(self, outcome: Outcome) -> None:
        self.folder.result = outcome
        self.host.checks.job_results(self.host, self.id, outcome)

    def _end(self) -> None:
        self.alive = False
        self.died()

    # --- the handler ---

    def _work(self) -> Generator[int, None, Any]:
        request = self.folder.request
        assert request is not None
        if request.method == "Packages.profile":
            yield 20
            return ProfileResult(hash=self.host.profile_hash, packages=[])
        yield from self._prepare(request)
        fate = self.host.fate(self.id)
        if fate == "refused":
            raise HandlerError(
                "not-found", "There is no such package.", self._result(request, done=False)
            )
        if fate == "bug":
            raise RuntimeError(SECRET)
        if msgspec.json.decode(request.args).get("dry_run"):
            return self._result(request, done=False)
        if not self.durable("decide commit", lambda: self.decide("commit")):
            raise HandlerError("canceled", "canceled before anything was changed")
        yield from self._commit(request)
        if fate == "half":
            raise HandlerError(
                "package-failed", "A script failed.", self._result(request, done=True)
            )
        return self._result(request, done=fate != "nothing")

    def _prepare(self, request: JobRequest) -> Generator[int, None, None]:
        left, patient = self.host.pace(request)
        for percent, phase in ((0, "refresh"), (20, "plan"), (40, "download")):
            self.folder.progress = (phase, percent)
            self.host.progressed(self.id)
            pause = left // 4
            while pause > 0:
                yield min(pause, 60_000)
                pause -= 60_000
                if patient and self.world.now > self.started + request.timeout:
                    raise HandlerError("timeout", "It took too long.")
                if self.folder.decision in ("cancel", "timeout"):
                    raise HandlerError("canceled", "canceled before anything was changed")

    def _commit(self, request: JobRequest) -> Generator[int, None, None]:
        """A resumed execution looks first whether its predecessor got that far."""
        yield (
            self.world.spread(1, 5000)
            if self.world.chance(0.97)
            else self.world.spread(60_000, 200_000_000)
        )
        if not (request.resumed and self.id in self.host.changed_by):
            self.durable("transaction", lambda: self.host.change(self.id))
        yield self.world.spread(1, 1000)

    def decide(self, decision: Decision) -> bool:
        if self.folder.decision is None:
            self.folder.decision = decision
        return self.folder.decision == decision

    def _result(self, request: JobRequest, *, done: bool) -> PackagesResult:
        args = msgspec.json.decode(request.args)
        dry = bool(args.get("dry_run"))
        fate = self.host.fate(self.id)
        changes = [
            Change(name=p["name"], action="install", to="1", requested=True, outcome="done")
            for p in args.get("packages", [{"name": "all"}])
        ]
        return PackagesResult(
            backend="sim",
            dry_run=dry,
            changed=done and fate != "nothing",
            changes=changes if done and not dry else [],
        )


@contextmanager
def patched(module: Any, names: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(module, name) for name in names}
    try:
        for name, value in names.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def _throw(error: Exception) -> Any:
    raise error


class _Quiet:
    """In place of `traceback`: a handler's bug goes to the job's own log only."""

    @staticmethod
    def print_exc() -> None: ...


class _Files:
    """The spool as `pulp_agent.job` reads it at the end of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.id = job.id
        self.path = Path("spool")

    def request(self) -> JobRequest:
        assert self._job.folder.request is not None
        return self._job.folder.request

    def decision(self) -> Decision | None:
        return self._job.folder.decision


class Host:
    """`skew`: ms its wall clock is ahead."""

    def __init__(self, world: World, checks: Checks, consumer_id: str, uid: str, name: str) -> None:
        self.world = world
        self.checks = checks
        self.name = name
        self.consumer_id = consumer_id
        self.uid = uid
        self.skew = 0
        self.booted = world.now - world.random.randrange(10_000_000)
        self.memory = 0
        self.disk = Disk(new_id())
        self.jobs: list[Job] = []
        self.changed_by: dict[str, int] = {}
        self.fates: dict[str, str] = {}
        self.away = False  # no network
        self.off = False  # for good
        self.copy = False  # of another host, with its certificate
        self.journal_full = False
        self.old = False  # an agent of an older release
        self.index = CallTable()  # what is safely on its disk
        self.indexed = 0
        self.answers: dict[str, bytes] = {}
        self.used: dict[
            tuple[int, int], int | None
        ] = {}  # windows used → since when their end is seen
        self.watch: Callable[[str], None] | None = None

    def instant(self) -> Instant:
        """The agent reads its clocks."""
        for span, seen in self.used.items():
            if seen is None and self.wall >= span[1]:
                self.used[span] = self.world.now
        return Instant(self.world.now + self.skew, self.world.now - self.booted)

    @property
    def wall(self) -> int:
        return self.world.now + self.skew

    @property
    def profile_hash(self) -> str:
        return f"p{len(self.changed_by)}-{self.memory}"

    def admitted(self, consumer: Consumer) -> bool:
        """Not one that went back to before its certificate was renewed: it must be registered again."""
        return bool(set(self.disk.certificates) & set(consumer.fingerprints))

    # --- what its jobs do ---

    def spawn(self, call_id: str) -> Job:
        job = Job(self, call_id)
        self.jobs.append(job)
        return job

    def change(self, call_id: str) -> None:
        """The packages are changed: the one thing that must not happen twice."""
        self.checks.transaction(self, call_id)
        self.changed_by[call_id] = self.changed_by.get(call_id, 0) + 1

    def fate(self, call_id: str) -> str:
        """What this execution comes to; the same for all its attempts."""
        if call_id not in self.fates:
            kinds = ("good",) * 6 + ("nothing", "refused", "half", "bug")
            self.fates[call_id] = self.world.random.choice(kinds)
        return self.fates[call_id]

    def pace(self, request: JobRequest) -> tuple[int, bool]:
        """ms that its preparation takes, and whether it looks at the clock; some take longer than they have."""
        if self.world.chance(0.06):
            return request.timeout * 2, self.world.chance(0.5)
        return self.world.spread(10, max(20, min(request.timeout // 2, 600_000))), True

    def progressed(self, call_id: str) -> None:
        if self.watch is not None:
            self.watch(call_id)

    def outcome_of(self, job: Job, call: Callable[[], Any]) -> Outcome:
        names = {
            "_call": lambda *_: Raw(msgspec.json.encode(call())),
            "_now": lambda: self.wall,
            "traceback": _Quiet,
        }
        with patched(real_job, names):
            return real_job._run(_Files(job))  # type: ignore[arg-type]

    # --- memory ---

    def snapshot(self) -> Snapshot:
        folders = {i: replace(f, holder=None) for i, f in self.disk.spool.items()}
        lines = self.disk.lines[: self.disk.synced]
        disk = replace(
            self.disk, lines=lines, spool=folders, certificates=[*self.disk.certificates]
        )
        return Snapshot(disk, dict(self.changed_by), dict(self.answers), dict(self.fates))

    def restore(self, snapshot: Snapshot) -> None:
        """The whole host goes back to what it was, and knows nothing of what it has done since."""
        self._end_jobs()
        self.checks.undone(self.uid)
        self.memory += 1
        disk, folders = snapshot.disk, snapshot.disk.spool
        self.disk = replace(
            disk,
            lines=[*disk.lines],
            spool={i: replace(f) for i, f in folders.items()},
            certificates=[*disk.certificates],
        )
        self.changed_by, self.answers = dict(snapshot.changed_by), dict(snapshot.answers)
        self.fates, self.used = dict(snapshot.fates), {}
        self.checks.journaled(self, whole=True)

    def forget(self) -> None:
        """Its agent's data directory is lost, but for its identity."""
        self._end_jobs()
        self.checks.undone(self.uid)
        self.memory += 1
        self.disk = Disk(new_id(), certificates=self.disk.certificates)
        self.changed_by, self.answers, self.used = {}, {}, {}
        self.checks.journaled(self, whole=True)

    def _end_jobs(self) -> None:
        for job in list(self.jobs):
            job.alive = False
            job.died()

    # --- power ---

    def power_lost(self) -> None:
        """All processes are gone, and all that was not synced may be."""
        self._end_jobs()
        disk = self.disk
        keep = self.world.random.randint(disk.synced, max(disk.synced, len(disk.lines)))
        del disk.lines[keep:]
        disk.synced = len(disk.lines)
        for folder in disk.spool.values():
            folder.progress = None
            if folder.decision is None and folder.result is None:
                folder.began = self.world.chance(0.5) and folder.began
        self.used = dict.fromkeys(self.used)
        self.checks.journaled(self, whole=True)


class SimExecutor:
    """`pulp_agent.executor.Executor`: what `jobs.ProcessExecutor` does, on simulated processes."""

    def __init__(self, host: Host, agent: Process) -> None:
        self._host = host
        self._agent = agent
        self._post: Callable[[Event], None] = lambda _event: None
        self._watched: dict[str, Job | None] = {}
        self._kill_at: dict[str, int] = {}
        host.watch = self._progressed

    def bind(self, post: Callable[[Event], None]) -> None:
        self._post = post

    def start(self, job: StartJob) -> None:
        host, folder = self._host, self._host.disk.spool.get(job.id)
        host.checks.agent_starts(host, job)
        if folder is not None and (folder.result is not None or folder.holder):
            self.adopt(job.id)
            return
        self._agent.durable(f"start {job.method} {job.id}", lambda: self._spawn(job))

    def _spawn(self, job: StartJob) -> None:
        folder = self._host.disk.spool.setdefault(job.id, Folder())
        folder.request = JobRequest(
            id=job.id,
            method=job.method,
            version=job.version,
            args=Raw(job.args),
            timeout=job.timeout,
            resumed=job.resumed,
        )
        child = self._host.spawn(job.id)
        self._watched[job.id] = child
        child.ended = lambda: self._agent.later(0, lambda: self._look(job.id))

    def adopt(self, call_id: str) -> None:
        if call_id not in self._watched:
            self._watched[call_id] = None
            folder = self._host.disk.spool.get(call_id)
            if folder is not None and folder.holder is not None:
                folder.holder.ended = lambda: self._agent.later(0, lambda: self._look(call_id))
            else:
                self._agent.later(0, lambda: self._look(call_id))

    def _look(self, call_id: str) -> None:
        """Tell what is new, and look again while it lives."""
        if call_id not in self._watched:
            return
        child, folder = self._watched[call_id], self._host.disk.spool.get(call_id, Folder())
        if child is not None and not child.alive:
            self._watched[call_id] = child = None
        if child is not None or folder.holder is not None:
            if self._host.world.now >= self._kill_at.get(call_id, self._host.world.now + 1):
                self._host.world.kill(child or folder.holder)
            elif child is None:
                folder.holder.ended = lambda: self._agent.later(0, lambda: self._look(call_id))
            return
        del self._watched[call_id]
        self._kill_at.pop(call_id, None)
        if folder.result is None:
            folder.request = None  # withdrawn
        event: Event = JobLost(call_id, began=folder.began, decision=folder.decision)
        if folder.result is not None:
            event = JobEnded(call_id, folder.result)
        self._enter(event)

    def _progressed(self, call_id: str) -> None:
        folder = self._host.disk.spool.get(call_id)
        if self._agent.alive and call_id in self._watched and folder and folder.progress:
            phase, percent = folder.progress
            self._enter(JobProgressed(call_id, phase, percent))

    def _enter(self, event: Event) -> None:
        self._agent.loop.enter(lambda: self._post(event))  # type: ignore[attr-defined]

    def cancel(self, cancel: CancelJob) -> None:
        folder = self._host.disk.spool.setdefault(cancel.id, Folder())
        if folder.decision is None:
            self._agent.durable(
                f"decide {cancel.reason} {cancel.id}",
                lambda: setattr(folder, "decision", cancel.reason),
            )
        won = folder.decision != "commit"
        if won and cancel.id in self._watched and cancel.id not in self._kill_at:
            self._kill_at[cancel.id] = self._host.world.now + STOP_PATIENCE
            self._agent.later(STOP_PATIENCE, lambda: self._look(cancel.id))
        self._post(CancelDecided(cancel.id, won, cancel.reason))

    def forget(self, ids: Sequence[str]) -> None:
        self._host.checks.agent_forgets(self._host, ids)
        for call_id in ids:
            self._agent.durable(
                f"forget {call_id}", lambda i=call_id: self._host.disk.spool.pop(i, None)
            )  # type: ignore[misc]

    def close(self) -> None:
        self._watched.clear()
