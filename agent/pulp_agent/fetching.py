"""Runs the jobs that fetch ahead, one at a time, in a folder and units of their own: nothing of a fetch can be taken for work.

They are never adopted: what an earlier agent left running is ended, and its folder removed.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from pulp_agent.events import (
    CancelJob,
    Event,
    Failure,
    FetchEnded,
    JobEnded,
    JobLost,
    StartFetch,
    StartJob,
)
from pulp_agent.executor import Post
from pulp_agent.jobs import ProcessExecutor
from pulp_agent.launch import FETCH, job_command
from pulp_agent.processes import family, send_signal
from pulp_agent.spool import Spool


class ProcessFetcher:
    """`executor.Fetcher` on real processes; lives on the running loop."""

    def __init__(self, root: Path, *, command: Callable[[str], list[str]] = job_command) -> None:
        """`root`: an existing folder, beside that of the jobs; the rest as ProcessExecutor has it."""
        self._root = root
        self._jobs = ProcessExecutor(root, command=command, kind=FETCH, kill=_kill_family)
        self._jobs.bind(self._told)
        self._jobs.sweep(keep=())
        folders = (path for path in root.iterdir() if path.is_dir())
        self._living = {path.name for path in folders if Spool(path).alive()}
        self._post: Post = lambda event: None

    def bind(self, post: Post) -> None:
        self._post = post

    def start(self, fetch: StartFetch) -> None:
        if self._living:
            self._post(FetchEnded(fetch.id, "an earlier one has not ended yet"))
            return
        self._living.add(fetch.id)
        self._jobs.start(
            StartJob(
                fetch.id,
                fetch.method,
                fetch.version,
                fetch.args,
                fetch.timeout,
                fetch_only=True,
            )
        )

    def end(self) -> None:
        for call_id in self._living:
            self._jobs.adopt(call_id)
            self._jobs.cancel(CancelJob(call_id, "cancel"))

    def _told(self, event: Event) -> None:
        """The executor's events in the fetcher's words."""
        if isinstance(event, JobEnded | JobLost):
            self._living.discard(event.id)
            self._jobs.forget([event.id])
            self._post(FetchEnded(event.id, _problem(event)))

    def close(self) -> None:
        self._jobs.close()


def _problem(event: JobEnded | JobLost) -> str:
    if isinstance(event, JobLost):
        return "its process died"
    outcome = event.outcome
    return f"{outcome.code}: {outcome.message}" if isinstance(outcome, Failure) else ""


def _kill_family(pid: int) -> None:
    """With the package tool, which has a session of its own: it has changed nothing, but may hold locks."""
    for process in family(pid):
        send_signal(process, signal.SIGKILL)
