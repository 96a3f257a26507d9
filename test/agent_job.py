"""A job's process with handlers of its own, for tests: `python agent_job.py SPOOL/ID`. What it does is named by its method.

It tells how far it is by files in its spool: `here-<n>` when it has begun the n-th attempt; it waits for a file `go`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from msgspec import Struct
from pulp_agent import job as job_module
from pulp_agent.handlers import registry
from pulp_agent.handlers.base import HandlerError, Job

from pulp.rmi.interfaces import PackagesResult

DONE = PackagesResult(backend="test", changed=True)


def wait(job: Job) -> None:
    """Until `go`, a cancel, or half a minute."""
    end = time.monotonic() + 30
    while not (Path(job.spool) / "go").exists():
        if job.canceled():
            raise HandlerError("canceled", "canceled")
        if time.monotonic() > end:
            raise HandlerError("timeout", "nobody said go")
        time.sleep(0.01)


def obedient(_: Any, job: Job) -> Struct:
    job.progress("plan", 10.0, "planning")
    wait(job)
    if not job.begin_commit():
        raise HandlerError("canceled", "canceled")
    return DONE


def committed(_: Any, job: Job) -> Struct:
    assert job.begin_commit()
    (Path(job.spool) / "committed").touch()
    wait(job)
    return DONE


def deaf(_: Any, job: Job) -> Struct:
    """Does not look at anything, in a process of its group."""
    time.sleep(60)
    return DONE


def failing(_: Any, job: Job) -> Struct:
    raise HandlerError("script", "postinst failed", PackagesResult(backend="test", changed=True))


def broken(_: Any, job: Job) -> Struct:
    raise RuntimeError("secret details")


def exiting(_: Any, job: Job) -> Struct:
    sys.exit(0)


def unwritable(_: Any, job: Job) -> Struct:
    return PackagesResult(backend="test", log="\ud800")


def dying(_: Any, job: Job) -> Struct:
    os._exit(9)


HANDLERS = {
    f.__name__: f for f in (obedient, committed, deaf, failing, broken, exiting, unwritable, dying)
}


def resolve(path: str, version: int, args: Any, settings: Any) -> tuple[Any, None]:
    handler = HANDLERS[path]

    def run(args: Any, job: Job) -> Struct:
        folder = Path(job.spool)
        attempt = len(list(folder.glob("here-*"))) + 1
        (folder / f"here-{attempt}").write_text("resumed" if job.resumed else "first")
        return handler(args, job)

    return run, None


if __name__ == "__main__":
    registry.resolve = resolve
    sys.exit(job_module.main(sys.argv[1:]))
