"""The process of one execution, which outlives the agent: its lock, its handler, its one result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from pulp_agent import job as real_job
from pulp_agent.events import Decision, Outcome
from pulp_agent.handlers.base import HandlerError
from pulp_agent.spool import JobRequest

from pulp.rmi.interfaces import RESTART, Change, PackagesResult, ProfileResult
from pulp.rmi.restarts import RestartArgs, RestartResult
from sim.patched import patched
from sim.world import Process

if TYPE_CHECKING:
    from sim.disk import Folder
    from sim.host import Host

SECRET = "s3cr3t-of-the-host"


class Job(Process):
    """A job's process: `pulp_agent.job` with the real conversion of what its handler did into one outcome."""

    def __init__(self, host: Host, call_id: str) -> None:
        super().__init__(host.world, f"{host.name}/job {call_id[:8]}")
        self.host = host
        self.id = call_id
        self.folder = self._folders[call_id]
        self.ended: Callable[[], None] = lambda: None
        self.later(self.world.spread(1, 300), self._begin)

    @property
    def _folders(self) -> dict[str, Folder]:
        return self.host.disk.spool

    def died(self) -> None:
        if self.folder.holder is self:
            self.folder.holder = None
        self.host.jobs.remove(self)
        self.world.later(self.world.random.randrange(20), self.ended)

    def _begin(self) -> None:
        folder = self._folders.get(self.id)
        gone = folder is None or folder.request is None  # withdrawn: it comes too late
        if gone or folder.holder is not None or folder.result is not None:
            self._end()
            return
        self.folder = folder
        self.started = self.world.now
        self.durable("lock", self._lock)
        self._begun()
        self._step(self._work())

    def _begun(self) -> None:
        self.host.checks.job_begins(self.host, self.id, self.folder)

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
        outcome = self._outcome(call)
        self.durable("result", lambda: self._write(outcome))
        self._end()

    def _outcome(self, call: Callable[[], Any]) -> Outcome:
        """The real conversion of what a handler did into one outcome."""
        names = {
            "_call": lambda *_: Raw(msgspec.json.encode(call())),
            "_now": lambda: self.host.wall,
            "traceback": _Quiet,
        }
        with patched(real_job, names):
            return real_job._run(_Files(self))  # type: ignore[arg-type]

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
        if request.method == RESTART.path:
            return (yield from self._restart(request))
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
        won = self.durable("decide commit", self._begin_commit)
        if request.fetch_only and not won:
            return self._result(request, done=False)  # the real handlers do not come so far
        if not won:
            raise HandlerError("canceled", "canceled before anything was changed")
        yield from self._commit(request)
        if fate == "half":
            raise HandlerError(
                "package-failed", "A script failed.", self._result(request, done=True)
            )
        done = self._result(request, done=fate != "nothing")
        wish = msgspec.json.decode(request.args).get("policy", {}).get("reboot", "never")
        needed = done.changed and self.world.seed % 8 == 3
        restarts = wish == "always" or (wish == "if_needed" and needed)
        return msgspec.structs.replace(done, reboot_needed=needed, rebooting=restarts)

    def _restart(self, request: JobRequest) -> Generator[int, None, RestartResult]:
        """As `pulp_agent.handlers.restart`."""
        args = msgspec.json.decode(request.args, type=RestartArgs)
        if args.if_needed and self.host.fate(self.id) != "good":
            return RestartResult(needed=False)
        left = args.delay
        while left > 0:
            yield min(left, 60_000)
            left -= 60_000
            if self.folder.decision in ("cancel", "timeout", "late"):
                raise HandlerError("canceled", "canceled before it was decided")
        if not self.durable("decide commit", self._begin_commit):
            raise HandlerError("canceled", "canceled before it was decided")
        yield self.world.spread(1, 1000)
        return RestartResult(needed=True, reasons=["libc6"], rebooting=True)

    def _prepare(self, request: JobRequest) -> Generator[int, None, None]:
        left, patient = self.host.pace(request)
        for percent, phase in ((0, "refresh"), (20, "plan"), (40, "download")):
            self.folder.progress = (phase, percent)
            self.host.progressed(self.id)
            pause = left // 4
            while pause > 0:
                yield min(pause, 60_000)
                pause -= 60_000
                self._paused()
                if patient and self.world.now > self.started + request.timeout:
                    raise HandlerError("timeout", "It took too long.")
                if self.folder.decision in ("cancel", "timeout", "late"):
                    raise HandlerError("canceled", "canceled before anything was changed")

    def _paused(self) -> None: ...

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

    def _begin_commit(self) -> bool:
        """By the real rule of `pulp_agent.job`."""
        request = self.folder.request
        assert request is not None
        before = self.folder.decision
        with patched(real_job, {"_now": lambda: self.host.wall}):
            won = real_job.job_of(_Files(self), request).begin_commit()  # type: ignore[arg-type]
        if won and before is None:
            self.host.checks.job_commits(self.host, self.id)
        return won

    def decide(self, decision: Decision) -> Decision:
        if self.folder.decision is None:
            self.folder.decision = decision
        return self.folder.decision

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

    def decide(self, decision: Decision) -> Decision:
        return self._job.decide(decision)
