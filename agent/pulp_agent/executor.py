"""What runs jobs for the agent: processes in real life, something simpler in simulated agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pulp_agent.events import CancelJob, Event, StartFetch, StartJob

Post = Callable[[Event], None]


class Executor(Protocol):
    """Tells what happens by events: JobProgressed, JobEnded, JobLost, CancelDecided. Never raises for a job's sake."""

    def bind(self, post: Post) -> None:
        """Where events go; called once before anything else."""

    def start(self, job: StartJob) -> None:
        """One process per id at any time: a job that lives is adopted, one that has a result is not run again."""

    def adopt(self, call_id: str) -> None: ...

    def cancel(self, cancel: CancelJob) -> None: ...

    def forget(self, ids: Sequence[str]) -> None:
        """Their answers are confirmed: remove what was kept of them."""

    def close(self) -> None:
        """Stop watching; jobs go on."""


class Fetcher(Protocol):
    """Runs jobs that fetch ahead, at most one at a time. Each start is told its end by FetchEnded."""

    def bind(self, post: Post) -> None:
        """As the executor's."""

    def start(self, fetch: StartFetch) -> None:
        """While another one lives it is refused by a FetchEnded with a problem."""

    def end(self) -> None:
        """End all of them at once, also those that an earlier agent started. They end soon, not yet when this returns."""

    def close(self) -> None:
        """Stop watching; the next agent ends what goes on."""
