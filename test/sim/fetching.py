"""Fetching ahead: its process, and the agent's fetcher on such processes, as `pulp_agent.fetching` has it on real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Raw
from pulp_agent.events import Event, Failure, FetchEnded, Outcome, StartFetch
from pulp_agent.spool import JobRequest

from sim.disk import Folder
from sim.executor import STOP_PATIENCE
from sim.job import Job
from sim.world import Process

if TYPE_CHECKING:
    from sim.host import Host


class FetchJob(Job):
    """A job that may fetch only. Its handler is a careless one: it goes on to its commit, if it is let."""

    @property
    def _folders(self) -> dict[str, Folder]:
        return self.host.fetches

    def died(self) -> None:
        if self.folder.holder is self:
            self.folder.holder = None
        self.host.fetching.remove(self)
        self.world.later(self.world.random.randrange(20), self.ended)

    def _begun(self) -> None: ...

    def _write(self, outcome: Outcome) -> None:
        self.folder.result = outcome

    def _paused(self) -> None:
        self.host.checks.fetch_goes_on(self.host, self.id)


class SimFetcher:
    """`pulp_agent.executor.Fetcher`."""

    def __init__(self, host: Host, agent: Process) -> None:
        self._host = host
        self._agent = agent
        self._post: Callable[[Event], None] = lambda _event: None
        for job in host.fetching:
            job.ended = self._hearer(job)

    def bind(self, post: Callable[[Event], None]) -> None:
        self._post = post

    def start(self, fetch: StartFetch) -> None:
        host = self._host
        host.checks.agent_fetches(host, fetch)
        if host.fetching:
            self._post(FetchEnded(fetch.id, "an earlier one has not ended yet"))
        else:
            self._agent.durable(f"fetch {fetch.method} {fetch.id}", lambda: self._spawn(fetch))

    def _spawn(self, fetch: StartFetch) -> None:
        host = self._host
        host.fetches[fetch.id] = Folder()
        host.fetches[fetch.id].request = JobRequest(
            id=fetch.id,
            method=fetch.method,
            version=fetch.version,
            args=Raw(fetch.args),
            timeout=fetch.timeout,
            resumed=False,
            fetch_only=True,
        )
        job = FetchJob(host, fetch.id)
        host.fetching.append(job)
        job.ended = self._hearer(job)

    def _hearer(self, job: Job) -> Callable[[], None]:
        return lambda: self._agent.later(0, lambda: self._told(job))

    def _told(self, job: Job) -> None:
        outcome = job.folder.result
        problem = "its process died" if outcome is None else ""
        if isinstance(outcome, Failure):
            problem = outcome.message
        self._agent.loop.enter(lambda: self._post(FetchEnded(job.id, problem)))  # type: ignore[attr-defined]

    def end(self) -> None:
        for job in list(self._host.fetching):
            if job.folder.decision is None:
                self._agent.durable(
                    f"end the fetch of {job.id}",
                    lambda job=job: setattr(job.folder, "decision", "cancel"),
                )
                self._agent.later(STOP_PATIENCE, lambda job=job: self._host.world.kill(job))

    def close(self) -> None: ...
