"""Running dnf's worker: stoppable before the commit, and only watched in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import Report
from pulp_agent.handlers.packages.dnf import worker_process
from pulp_agent.handlers.packages.dnf.settings import Dnf5Settings, DnfSettings
from pulp_agent.handlers.packages.dnf.worker_process import WorkerDied, WorkerProcess
from pulp_agent.handlers.packages.processes import (
    Process,
    ScriptEnder,
    Session,
    end_session,
    load_session,
)
from pulp_agent.handlers.packages.run import Run

_START = "import sys; sys.path.append(sys.argv[1]); from worker.{dnf}.main import main; main(sys.argv[2])"
_PLACE = Path(worker_process.__file__).parent
"""Of the worker, which the system's Python finds as a package of its own."""
_PYTHONS = ("/usr/libexec/platform-python", "/usr/bin/python3")
"""The first that there is, is the one that dnf's module belongs to."""
_OWN = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_INHERITED = ("HOME", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "TMPDIR")
_COMMIT = "session.json"
_STOPPABLE = "stoppable.json"
_FAILURES = "failures.jsonl"
_READ_TIMEOUT = 60.0  # s
_POLL = 0.1  # s


class Failure(Struct, frozen=True):
    """What went wrong with a package in a transaction; an empty `error` takes earlier ones back."""

    name: str
    error: str


class Runner:
    """Has one worker at a time, started when it is needed."""

    def __init__(self, settings: DnfSettings) -> None:
        self._settings = settings
        self._worker: WorkerProcess | None = None

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def ask(self, command: str, **arguments: Any) -> Any:
        """A question that is answered at once."""
        end = time.monotonic() + _READ_TIMEOUT

        def tick() -> None:
            if time.monotonic() > end:
                raise HandlerError("internal", f"dnf took longer than {_READ_TIMEOUT:g} s")

        return self._call(command, arguments, None, "", tick)

    def stoppable(self, command: str, run: Run, *, phase: str, limit: float, **order: Any) -> Any:
        """A step that changes no package.

        Raises what made it fail, `canceled` or `timeout` from the run, and `timeout` after `limit` seconds.
        """
        end = time.monotonic() + run.limit(limit)

        def tick() -> None:
            run.check()
            if time.monotonic() > end:
                raise HandlerError("timeout", f"dnf took longer than {limit:g} s ({phase})")

        Session.of(self._started().pid).save(run.spool / _STOPPABLE)
        return self._call(command, order, run, phase, tick)

    def transaction(self, command: str, run: Run, *, limit: float, **order: Any) -> Report:
        """A step that changes packages. Raises `locked`, which comes before anything is done; everything else is for the
        verdict to weigh. `errors` of the report has all failures of this execution's transactions."""
        worker = self._started()
        session = Session.of(worker.pid)
        session.save(run.spool / _COMMIT)
        ender = self._ender(session, limit)
        code = message = ""
        try:
            worker.call(
                command,
                {**order, "report": str(run.spool / _FAILURES), "comment": run.job.id},
                log=run.log,
                progress=lambda percent, text: run.progress("commit", percent, text),
                tick=ender.tick,
            )
        except WorkerDied as error:
            self.close()
            code, message = "interrupted", str(error)
        except HandlerError as error:
            if error.code == "locked":
                raise
            code, message = error.code, str(error)
        return Report(errors=failures(run.spool), code=code, message=message, timed_out=ender.used)

    def settle(self, run: Run) -> None:
        """Wait for what an earlier process of this execution left running: first for its worker, then, for a while, for the
        scripts of a worker that died. What was only planning or downloading is ended."""
        self.close()
        session = load_session(run.spool / _COMMIT)
        stoppable = load_session(run.spool / _STOPPABLE)
        if stoppable is not None and stoppable != session:
            end_session(stoppable)
        if session is None:
            return
        patience = self._ender(session, max(run.job.remaining(), self._settings.leftover_timeout))
        orphans: ScriptEnder | None = None
        while members := session.members():
            run.progress("wait", 0, "waiting for the end of an interrupted transaction")
            if any(process.pid == session.pid for process in members):
                patience.tick()
            else:
                orphans = orphans or self._ender(session, self._settings.leftover_timeout)
                orphans.tick()
            run.idle(_POLL)

    # --- inside ---

    def _started(self) -> WorkerProcess:
        if self._worker is None:
            command = _command(self._settings)
            try:
                self._worker = WorkerProcess(command, _environment(self._settings))
            except OSError as error:
                message = f"{command[0]} cannot be started: {error.strerror}"
                raise HandlerError("internal", message) from error
        return self._worker

    def _call(
        self,
        command: str,
        order: Mapping[str, Any],
        run: Run | None,
        phase: str,
        tick: Callable[[], None],
    ) -> Any:
        worker = self._started()

        def progress(percent: float, text: str) -> None:
            if run is not None:
                run.progress(phase, percent, text)

        log = run.log if run is not None else None
        try:
            return worker.call(command, order, log=log, progress=progress, tick=tick)
        except WorkerDied as error:
            raise HandlerError("internal", str(error)) from error
        finally:
            if worker.busy:
                worker.kill()
                self._worker = None

    def _ender(self, session: Session, limit: float) -> ScriptEnder:
        def is_worker(process: Process) -> bool:
            return process.pid == session.pid

        grace = self._settings.script_grace
        return ScriptEnder(session, limit=limit, grace=grace, spared=is_worker)


def _command(settings: DnfSettings) -> list[str]:
    found = next((path for path in _PYTHONS if os.path.exists(path)), _PYTHONS[-1])
    start = _START.format(dnf="dnf5" if isinstance(settings, Dnf5Settings) else "dnf4")
    told = msgspec.json.encode({"root": settings.root, "config": settings.config}).decode()
    return [settings.python or found, "-I", "-B", "-c", start, str(_PLACE), told]


def _environment(settings: DnfSettings) -> dict[str, str]:
    """Nothing of the agent's own leaks into package scripts but what is named here."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ} | _OWN
    return env | ({"HOME": settings.home} if settings.home else {})


def failures(spool: Path) -> dict[str, str]:
    """Package name → what went wrong with it in this execution's transactions, and was not put right."""
    try:
        lines = (spool / _FAILURES).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    told = [msgspec.json.decode(line, type=Failure) for line in lines]
    return {name: error for name, error in {t.name: t.error for t in told}.items() if error}
