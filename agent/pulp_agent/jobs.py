"""Runs each job as a process of its own and learns of its end, also of jobs an earlier agent started.

The spool folder is the only thing both sides rely on. A child's end is told by the kernel; everything else (progress, and
jobs that are not our children) is looked at every 0.2 s while any job lives.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pulp.common.failpoints import failpoint
from pulp.common.ids import new_id
from pulp_agent.events import CancelDecided, CancelJob, Event, Failure, JobEnded, JobLost, StartJob
from pulp_agent.executor import Post
from pulp_agent.host import instant
from pulp_agent.launch import (
    WORK,
    LaunchError,
    Unit,
    job_command,
    main_process_command,
    spawn,
    unit_command,
    uses_systemd,
)
from pulp_agent.spool import Spool
from pulp_agent.units import UnitWatch

_log = logging.getLogger(__name__)

POLL = 0.2  # s
START_PATIENCE = 15.0  # s a unit gets to take its lock
STOP_PATIENCE = 15.0  # s a job gets to end by itself once it was given up


@dataclass(slots=True)
class _Watch:
    """A job that has not told its end yet. `pid` where it is our child; times are the loop's; `stamp` is the lock's before the
    start of a unit, which has begun once it differs; `unit` follows its start."""

    spool: Spool
    pid: int | None = None
    pidfd: int | None = None
    starting_until: float = 0.0
    stamp: int = 0
    kill_at: float | None = None
    unit: UnitWatch | None = None

    def unit_is_gone(self) -> None:
        self.starting_until = 0.0


class ProcessExecutor:
    """`Executor` on real processes; lives on the running loop."""

    def __init__(
        self,
        root: Path,
        *,
        command: Callable[[str], list[str]] = job_command,
        kind: Unit = WORK,
        kill: Callable[[int], None] | None = None,
    ) -> None:
        """`command`: a spool folder → what to run for it. `kill`: ends a given-up job by its process id."""
        self._root = root
        self._command = command
        self._kind = kind
        self._kill = kill or _kill_group
        self._loop = asyncio.get_running_loop()
        self._post: Post = _nobody
        self._watches: dict[str, _Watch] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._as_units = uses_systemd(os.environ)

    def bind(self, post: Post) -> None:
        self._post = post

    def start(self, job: StartJob) -> None:
        spool = Spool(self._root / job.id)
        try:
            if spool.result() is not None or spool.alive():
                self.adopt(job.id)
            else:
                spool.prepare(job)
                failpoint("agent.job.prepared")
                self._watch(self._launch(spool))
                failpoint("agent.job.started")
        except (OSError, LaunchError) as error:
            _log.error("A job could not be started", extra={"call": job.id, "error": str(error)})
            message = f"The agent could not start the work: {error}"
            self._post(JobEnded(job.id, Failure("internal", message, instant().wall)))

    def _launch(self, spool: Spool) -> _Watch:
        if self._as_units:
            return self._launch_unit(spool)
        pid = spawn(self._command(str(spool.path)))
        return _Watch(spool, pid=pid, pidfd=os.pidfd_open(pid))

    def _launch_unit(self, spool: Spool) -> _Watch:
        """systemd-run itself ends at once; the job is known by its lock. A resumed one gets a name of its own, as the unit of
        the one that died may not be gone yet."""
        unit = f"{self._kind.name}-{spool.id}"
        if spool.began():
            unit += f"-{new_id()[:8]}"
        patience = self._loop.time() + START_PATIENCE
        watch = _Watch(spool, starting_until=patience, stamp=spool.lock_stamp())
        make = unit_command(self._kind, unit, spool.path, os.environ)
        watch.unit = UnitWatch(make, main_process_command(unit), watch.unit_is_gone, name=unit)
        return watch

    def adopt(self, call_id: str) -> None:
        if call_id not in self._watches:
            self._watch(_Watch(Spool(self._root / call_id)))

    def _watch(self, watch: _Watch) -> None:
        self._watches[watch.spool.id] = watch
        if watch.pidfd is not None:
            self._loop.add_reader(watch.pidfd, self._exited, watch)
        if self._timer is None:
            self._timer = self._loop.call_later(0, self._poll)

    def _exited(self, watch: _Watch) -> None:
        """Our child is gone. Its lock may still be held by the process it lost the race against."""
        self._release(watch)
        self._look(watch)

    def _release(self, watch: _Watch) -> None:
        if watch.pidfd is not None and watch.pid is not None:
            self._loop.remove_reader(watch.pidfd)
            os.close(watch.pidfd)
            os.waitpid(watch.pid, 0)
        watch.pid = watch.pidfd = None

    def _poll(self) -> None:
        self._timer = None
        for watch in list(self._watches.values()):
            try:
                self._look(watch)
            except OSError as error:  # a disk that is ill now may be well at the next look
                _log.error("A job's folder cannot be read", extra={"error": str(error)})
        if self._watches and self._timer is None:
            self._timer = self._loop.call_later(POLL, self._poll)

    def _look(self, watch: _Watch) -> None:
        """Tell what is new: the lock is looked at before the result, so that a job's last act is not missed."""
        spool = watch.spool
        living = watch.pid is not None or spool.alive() or self._starting(watch)
        if (progress := spool.read_progress()) is not None:
            self._post(progress)
        if living:
            self._stop_if_due(watch)
        else:
            self._over(watch)

    def _starting(self, watch: _Watch) -> bool:
        fresh = watch.spool.lock_stamp() == watch.stamp
        return fresh and self._loop.time() < watch.starting_until

    def _over(self, watch: _Watch) -> None:
        spool, began = watch.spool, watch.spool.began()
        if (outcome := spool.result()) is None and not spool.withdraw():
            return  # it has come to life just now
        self._watches.pop(spool.id, None)
        if watch.unit is not None:
            watch.unit.close()
        event: Event = JobLost(spool.id, began=began, decision=spool.decision())
        self._post(event if outcome is None else JobEnded(spool.id, outcome))

    def cancel(self, cancel: CancelJob) -> None:
        """Who decides first wins. A job that was given up and does not end by itself is ended."""
        spool = Spool(self._root / cancel.id)
        try:
            decision = spool.decide(cancel.reason)
            failpoint("agent.cancel.decided")
        except OSError as error:
            _log.error("A cancel could not be written", extra={"call": cancel.id, "error": error})
            decision = "commit"
        won = decision != "commit"
        watch = self._watches.get(cancel.id)
        if won and watch and watch.kill_at is None:
            watch.kill_at = self._loop.time() + STOP_PATIENCE
        self._post(CancelDecided(cancel.id, won, cancel.reason))

    def _stop_if_due(self, watch: _Watch) -> None:
        if watch.kill_at is None or self._loop.time() < watch.kill_at:
            return
        pid = watch.pid or watch.spool.holder()
        if pid is not None and pid > 1:
            _log.warning("A given-up job is killed", extra={"call": watch.spool.id, "pid": pid})
            self._kill(pid)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove what is left of calls that are over, at the start. What still lives is left alone."""
        for path in self._root.iterdir():
            if path.is_dir() and path.name not in keep and not Spool(path).alive():
                shutil.rmtree(path, ignore_errors=True)

    def forget(self, ids: Sequence[str]) -> None:
        for call_id in ids:
            shutil.rmtree(self._root / call_id, ignore_errors=True)
            failpoint("agent.job.forgotten")

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for watch in self._watches.values():
            if watch.pidfd is not None:
                self._loop.remove_reader(watch.pidfd)
                os.close(watch.pidfd)
            if watch.unit is not None:
                watch.unit.close()
        self._watches.clear()


def _kill_group(pid: int) -> None:
    """A job leads its own session; as a unit it may not, so only a group leader's whole group is meant."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _nobody(event: Event) -> None:
    raise AssertionError("bind comes first")
