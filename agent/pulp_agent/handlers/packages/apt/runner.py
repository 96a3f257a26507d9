"""Running apt-get and dpkg: progress from APT::Status-Fd, stoppable before the commit, and only watched in it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.apt.text import package_errors, problem
from pulp_agent.handlers.packages.base import Report
from pulp_agent.handlers.packages.child import Child, Tail
from pulp_agent.handlers.packages.processes import (
    Process,
    ScriptEnder,
    Session,
    end_session,
    load_session,
)
from pulp_agent.handlers.packages.run import Run

TOOLS = frozenset({"apt-get", "dpkg"})
"""Never signalled while they change the host."""

_COMMIT = "session.json"
_STOPPABLE = "stoppable.json"
_STATUS = "apt-status"
_BEGUN = re.compile(r"^(?:Preparing to unpack|Unpacking|Setting up|Removing) ", re.MULTILINE)
_POLL = 0.1  # s


class Runner:
    def __init__(self, settings: AptSettings, env: Mapping[str, str]) -> None:
        self._settings = settings
        self._env = env

    def stoppable(
        self,
        arguments: Sequence[str],
        run: Run,
        *,
        phase: str,
        limit: float,
        env: Mapping[str, str],
    ) -> str:
        """Run apt-get for something that changes no package; its output.

        Raises what made it fail, `canceled` or `timeout` from the run, and `timeout` after `limit` seconds.
        """
        end = time.monotonic() + run.limit(limit)

        def tick() -> None:
            follow()
            run.check()
            if time.monotonic() > end:
                raise HandlerError("timeout", f"apt-get took longer than {limit:g} s ({phase})")

        child, follow = self._start(arguments, run, phase=phase, env=env)
        Session.of(child.pid).save(run.spool / _STOPPABLE)
        status = child.wait_stoppable(tick)
        follow()
        text = child.text()
        if status != 0:
            raise problem(text)
        return text

    def transaction(
        self, arguments: Sequence[str], run: Run, *, limit: float, env: Mapping[str, str]
    ) -> Report:
        """Run apt-get to change packages."""
        child, follow = self._start(arguments, run, phase="commit", env=env)
        return self._watch(child, follow, run, limit)

    def configure(self, options: Sequence[str], run: Run, *, limit: float) -> Report:
        """Let dpkg finish what was cut off."""
        command = ["dpkg", *options, "--configure", "-a"]
        child = Child(command, env=self._env, log=run.log)
        return self._watch(child, lambda: None, run, limit)

    def settle(self, run: Run) -> None:
        """Wait for what an earlier process of this execution left running: first for the tools, then, for a while, for the
        scripts of tools that died. A script that still runs when dpkg runs it again would do its work twice at once.

        What was only planning or downloading is ended."""
        stoppable = load_session(run.spool / _STOPPABLE)
        if stoppable is not None:
            end_session(stoppable)
        session = load_session(run.spool / _COMMIT)
        if session is None:
            return
        patience = self._ender(session, max(run.job.remaining(), self._settings.leftover_timeout))
        orphans: ScriptEnder | None = None
        while members := session.members():
            run.progress("wait", 0, "waiting for the end of an interrupted transaction")
            if any(map(_is_tool, members)):
                patience.tick()
            else:
                orphans = orphans or self._ender(session, self._settings.leftover_timeout)
                orphans.tick()
            run.idle(_POLL)

    def _ender(self, session: Session, limit: float) -> ScriptEnder:
        grace = self._settings.script_grace
        return ScriptEnder(session, limit=limit, grace=grace, spared=_is_tool)

    def _start(
        self, arguments: Sequence[str], run: Run, *, phase: str, env: Mapping[str, str]
    ) -> tuple[Child, Callable[[], None]]:
        path = run.spool / _STATUS
        with path.open("wb") as status:
            number = status.fileno()
            command = ["apt-get", "-o", f"APT::Status-Fd={number}", *arguments]
            child = Child(command, env={**self._env, **env}, log=run.log, pass_fds=(number,))
        tail = Tail(path)

        def follow() -> None:
            for line in tail.lines():
                _report(line, run, phase)

        return child, follow

    def _watch(self, child: Child, follow: Callable[[], None], run: Run, limit: float) -> Report:
        session = Session.of(child.pid)
        session.save(run.spool / _COMMIT)
        ender = self._ender(session, limit)
        status = child.wait_committed(follow, ender)
        follow()
        return _judge(status, child.text(), timed_out=ender.used)


def _is_tool(process: Process) -> bool:
    return process.name in TOOLS


def _report(line: str, run: Run, phase: str) -> None:
    """`dlstatus:NUMBER:PERCENT:TEXT`, `pmstatus:PACKAGE:PERCENT:TEXT` or `pmerror` like it: percent of the phase."""
    kind, _, rest = line.partition(":")
    _, _, rest = rest.partition(":")
    percent, _, text = rest.partition(":")
    if kind not in ("dlstatus", "pmstatus", "pmerror"):
        return
    try:
        run.progress(phase, float(percent), text)
    except ValueError:
        return


def _judge(status: int, text: str, *, timed_out: bool) -> Report:
    """Raises `locked`, which comes before anything is done; everything else is for the verdict to weigh."""
    errors = package_errors(text)
    if status == 0:
        return Report(errors=errors, timed_out=timed_out)
    found = problem(text)
    if found.code == "locked" and not _BEGUN.search(text):
        raise found
    code = "interrupted" if status < 0 else found.code
    return Report(errors=errors, code=code, message=str(found), timed_out=timed_out)
