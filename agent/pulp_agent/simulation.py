"""Simulated package work for simulated fleets: takes a random time, reports progress, changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pulp.rmi.interfaces import (
    GROUPS,
    INFO,
    METHODS,
    PROFILE,
    REFRESH,
    RESTART,
    UPDATES,
    Change,
    Facts,
    Lane,
    NoArgs,
    PackageSpec,
    PackagesResult,
    ProfileResult,
)
from pulp.rmi.reports import GroupsResult, RefreshResult, UpdatesResult
from pulp.rmi.restarts import RestartResult
from pulp_agent.events import (
    CancelDecided,
    CancelJob,
    Failure,
    FetchEnded,
    JobEnded,
    JobLost,
    JobProgressed,
    Outcome,
    StartFetch,
    StartJob,
    Success,
)
from pulp_agent.executor import Post
from pulp_agent.host import instant

_PHASES = ("plan", "download", "commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How simulated handlers behave. Seconds; `fails` is a share between 0 and 1; `progress` messages per call."""

    shortest: float = 0.0
    longest: float = 0.0
    fails: float = 0.0
    progress: int = 2


class ExecutionLog:
    """One line with the id per execution, on disk before it goes on; proves that none happens twice. A resumption of one that
    died with its agent is marked."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, job: StartJob) -> None:
        os.write(self._fd, f"{job.id}{' resumed' if job.resumed else ''}\n".encode())
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


@dataclass(slots=True)
class _Running:
    timers: list[asyncio.TimerHandle]
    committed: bool = False


class SimulatedExecutor:
    """`Executor` on the loop's timers, without processes. Counts what it did in `counts`."""

    def __init__(
        self, work: Work, random: Random, counts: Counter[str], log: ExecutionLog | None = None
    ) -> None:
        self._work = work
        self._random = random
        self._counts = counts
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._running: dict[str, _Running] = {}
        self._post: Post = lambda event: None

    def bind(self, post: Post) -> None:
        self._post = post

    def start(self, job: StartJob) -> None:
        self._counts["executed"] += 1
        if self._log is not None:
            self._log.write(job)
        seconds = self._random.uniform(self._work.shortest, self._work.longest)
        running = self._running[job.id] = _Running([])
        for step in range(self._work.progress):
            share = (step + 1) / (self._work.progress + 1)
            self._later(running, seconds * share, self._progress, job.id, share)
        self._later(running, seconds, self._end, job)

    def _later(self, running: _Running, delay: float, *call: Any) -> None:
        running.timers.append(self._loop.call_later(delay, *call))

    def _progress(self, call_id: str, share: float) -> None:
        phase = _PHASES[int(share * len(_PHASES))]
        running = self._running.get(call_id)
        if running is None:
            return  # timers of one moment come in any order: it has ended
        running.committed |= phase == "commit"
        self._post(JobProgressed(call_id, phase, round(100 * share, 1)))

    def _end(self, job: StartJob) -> None:
        del self._running[job.id]
        outcome = self._outcome(job)
        self._counts["failed" if isinstance(outcome, Failure) else "succeeded"] += 1
        self._post(JobEnded(job.id, outcome))

    def _outcome(self, job: StartJob) -> Outcome:
        now = instant().wall
        if self._random.random() < self._work.fails:
            return Failure("script", "A simulated maintainer script failed.", now)
        return Success(Raw(msgspec.json.encode(_value(job))), now, changed=_changes(job))

    def adopt(self, call_id: str) -> None:
        """A simulated job does not outlive its agent."""
        if call_id not in self._running:
            self._post(JobLost(call_id, began=True, decision=None))

    def cancel(self, cancel: CancelJob) -> None:
        running = self._running.get(cancel.id)
        won = running is not None and not running.committed
        self._post(CancelDecided(cancel.id, won, cancel.reason))
        if running is not None and won:
            self._drop(self._running.pop(cancel.id))
            self._counts["canceled"] += 1
            code = "canceled" if cancel.reason == "cancel" else "timeout"
            failure = Failure(code, "Given up before the commit.", instant().wall)
            self._post(JobEnded(cancel.id, failure))

    def forget(self, ids: Sequence[str]) -> None:
        self._counts["confirmed"] += len(ids)

    def close(self) -> None:
        for running in self._running.values():
            self._drop(running)
        self._running.clear()

    def _drop(self, running: _Running) -> None:
        for timer in running.timers:
            timer.cancel()


class SimulatedFetcher:
    """`Fetcher` on the loop's timers: a fetch takes as long as work does. Those that came to their end are counted."""

    def __init__(self, work: Work, random: Random, counts: Counter[str]) -> None:
        self._work = work
        self._random = random
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._running: tuple[str, asyncio.TimerHandle] | None = None
        self._post: Post = lambda event: None

    def bind(self, post: Post) -> None:
        self._post = post

    def start(self, fetch: StartFetch) -> None:
        seconds = self._random.uniform(self._work.shortest, self._work.longest)
        self._running = fetch.id, self._loop.call_later(seconds, self._done, fetch.id)

    def _done(self, call_id: str) -> None:
        self._running = None
        self._counts["fetched"] += 1
        self._post(FetchEnded(call_id))

    def end(self) -> None:
        if self._running is not None:
            call_id, _ = self._running
            self.close()
            self._post(FetchEnded(call_id, "it was ended"))

    def close(self) -> None:
        if self._running is not None:
            self._running[1].cancel()
            self._running = None


class _Args(Struct):
    packages: list[PackageSpec] = []
    dry_run: bool = False


_TOLD: dict[str, Struct] = {
    PROFILE.path: ProfileResult(hash="simulated", packages=[]),
    INFO.path: Facts(os={"id": "simulated"}, boot_id="simulated", timezone="UTC"),
    UPDATES.path: UpdatesResult(backend="simulated", updates=[]),
    GROUPS.path: GroupsResult(backend="simulated", groups=[]),
    REFRESH.path: RefreshResult(backend="simulated"),
    RESTART.path: RestartResult(needed=False),
}
"""The answers that are no package results."""


def _changes(job: StartJob) -> bool:
    method = METHODS.get((job.method, job.version))
    reads = method is not None and method.lane is Lane.READ
    return not reads and not _args(job).dry_run


def _args(job: StartJob) -> _Args:
    return msgspec.json.decode(job.args, type=_Args)


def _value(job: StartJob) -> Struct:
    if job.method in _TOLD:
        return _TOLD[job.method]
    if not job.method.startswith("Packages."):
        return NoArgs()
    args = _args(job)
    return PackagesResult(
        backend="simulated",
        dry_run=args.dry_run,
        changed=not args.dry_run,
        changes=[_change(spec, job.method, args.dry_run) for spec in args.packages],
    )


def _change(spec: PackageSpec, method: str, dry_run: bool) -> Change:
    removes = method.endswith(".remove")
    version = spec.version or "1.0"
    return Change(
        name=spec.name,
        arch=spec.arch or "all",
        action="remove" if removes else "install",
        from_=version if removes else None,
        to=None if removes else version,
        requested=True,
        outcome="planned" if dry_run else "done",
    )
