"""The agent's executor on simulated processes: what `jobs.ProcessExecutor` does on real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Raw
from pulp_agent.call import Phase
from pulp_agent.events import (
    CancelDecided,
    CancelJob,
    Event,
    JobEnded,
    JobLost,
    JobProgressed,
    StartJob,
)
from pulp_agent.spool import JobRequest

from sim.disk import Folder
from sim.host import Host
from sim.job import Job
from sim.world import Process

STOP_PATIENCE = 15_000  # ms that a job gets to end by itself once it was given up


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
            commit_before=job.commit_before,
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

    def sweep(self) -> None:
        """As at the start of an agent: what a call that waits again has left behind is of no use."""
        for call_id, call in self._host.index.open.items():
            folder = self._host.disk.spool.get(call_id)
            if call.phase is Phase.WAITING and folder is not None and folder.holder is None:
                del self._host.disk.spool[call_id]

    def forget(self, ids: Sequence[str]) -> None:
        self._host.checks.agent_forgets(self._host, ids)
        for call_id in ids:
            self._agent.durable(
                f"forget {call_id}", lambda i=call_id: self._host.disk.spool.pop(i, None)
            )  # type: ignore[misc]

    def close(self) -> None:
        self._watched.clear()
