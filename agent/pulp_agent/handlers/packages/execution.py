"""One execution of a package request, the same for every back end: repair, refresh, plan, download, commit, verify."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from pulp.common.failpoints import failpoint
from pulp.rmi.interfaces import Change, PackagesResult
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import record as records
from pulp_agent.handlers.packages.ahead import fetch
from pulp_agent.handlers.packages.base import Backend, Report, Request, State
from pulp_agent.handlers.packages.changes import changed, unmet, verify
from pulp_agent.handlers.packages.planning import Planner
from pulp_agent.handlers.packages.policy import abilities, check_abilities, name_list
from pulp_agent.handlers.packages.record import Record
from pulp_agent.handlers.packages.run import Run
from pulp_agent.handlers.packages.verdict import failure, is_of_script

_COMMITS = 3  # attempts of a commit that something interrupts


def execute(
    backend: Backend, request: Request, run: Run, course: type[Execution] | None = None
) -> PackagesResult:
    """Do what `request` asks for. Every `HandlerError` carries the PackagesResult of what was done all the same.

    `course`: how it is carried out, if not as an Execution.
    """
    try:
        with _disk_errors():
            check_abilities(backend.lacks, *abilities(request))
            if run.job.fetch_only:
                fetch(backend, request, run)
                return _summary(backend, request, run)
            if request.dry_run:
                return _simulate(backend, request, run)
            if run.job.resumed:
                backend.settle(run)
            record = records.load(run.job.spool) or _new_record(backend)
    except HandlerError as error:
        raise _with_details(error, _summary(backend, request, run)) from error
    return (course or Execution)(backend, request, run, record).result()


def _new_record(backend: Backend) -> Record:
    return Record(before=backend.state(), history_mark=backend.history_mark())


@contextmanager
def _disk_errors() -> Iterator[None]:
    """What the host's disk or process table refuses, as an error of the closed list."""
    try:
        yield
    except OSError as error:
        code = "no-space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "internal"
        raise HandlerError(code, f"the host refused: {error}") from error


def _simulate(backend: Backend, request: Request, run: Run) -> PackagesResult:
    planner = Planner(backend, request, run)
    try:
        if not backend.has_metadata():
            planner.refresh()
        planner.plan()
    except HandlerError as error:
        raise _with_details(error, _summary(backend, request, run, planner)) from error
    return _summary(backend, request, run, planner)


def _with_details(error: HandlerError, details: PackagesResult) -> HandlerError:
    return HandlerError(error.code, str(error), error.details or details)


def _summary(
    backend: Backend, request: Request, run: Run, planner: Planner | None = None
) -> PackagesResult:
    """The result of work that has changed nothing."""
    return PackagesResult(
        backend=backend.name,
        dry_run=request.dry_run,
        changes=list(planner.planned.values()) if planner else [],
        unknown=list(planner.unknown) if planner else [],
        kept_back=list(planner.kept_back) if planner else [],
        phases=run.phases,
        log=run.log_text(),
    )


class Execution:
    """The course of a request that is to change the host. Use once."""

    def __init__(self, backend: Backend, request: Request, run: Run, record: Record) -> None:
        self._backend = backend
        self._request = request
        self._run = run
        self._record = record
        self._planner = Planner(backend, request, run, record.planned)
        self._errors: dict[str, str] = {}
        self._repaired = False
        self._touched = bool(record.planned)

    def result(self) -> PackagesResult:
        try:
            with _disk_errors():
                report = self._carry_out()
                with self._run.phase("verify"):
                    return self._conclude(report)
        except HandlerError as error:
            with suppress(HandlerError):
                self._hold_again(self._backend.state())
            raise _with_details(error, self._details()) from error

    # --- the course ---

    def _carry_out(self) -> Report:
        if self._record.planned:  # an earlier process came to the commit
            self._run.begin_commit()
        self._repair()
        self._run.check()
        if not (self._request.operation.removes or self._run.committed):
            self._planner.refresh()
        for _ in range(_COMMITS):
            report = self._transaction()
            if report.code != "interrupted":
                break
            self._backend.settle(self._run)
            self._repair()
        return report

    def _repair(self) -> None:
        """Finish what was cut off, by this execution's earlier process or by anything else."""
        self._errors |= self._run.patiently(self._repair_if_needed).errors

    def _repair_if_needed(self) -> Report:
        """A transaction of another program that is at work looks cut off too, until its lock is gone; then it does not."""
        if not (self._run.committed or self._backend.needs_repair()):
            return Report()
        self._remember()
        report = self._repair_now("wait")
        self._touched = True
        return report

    def _repair_now(self, phase: str) -> Report:
        self._run.note("finishing an interrupted transaction")
        with self._run.phase(phase):
            report = self._backend.repair(self._request, self._run)
        failpoint("job.repaired")
        self._repaired = True
        return report

    def _remember(self) -> None:
        """Before the host is changed. Until this execution has changed it, what others changed is not ours to tell."""
        if not self._touched:
            self._record.before = self._backend.state()
            self._record.history_mark = self._backend.history_mark()
        self._record.save(self._run.job.spool)

    def _transaction(self) -> Report:
        """Plan, download and commit; an empty report when there is nothing to do."""
        run = self._run
        while self._planner.plan():
            waits = run.lock_waits
            if not run.committed:
                self._download()
            elif run.job.remaining() <= 0:
                return Report(timed_out=True)
            if run.lock_waits == waits:  # else another program has changed the host meanwhile
                return self._commit()
        return Report()

    def _download(self) -> None:
        run, backend = self._run, self._backend
        try:
            with run.phase("download"):
                return run.patiently(lambda: backend.download(self._request, run))
        except HandlerError as error:
            if error.code != "fetch":
                raise
            run.note(f"refreshing the metadata after: {error}")
        self._planner.refresh()
        self._planner.plan()
        try:
            with run.phase("download"):
                run.retrying(lambda: backend.download(self._request, run))
        except HandlerError as error:
            raise self._planner.blame_metadata(error) from error

    def _commit(self) -> Report:
        run = self._run
        self._planner.begin()
        self._record.planned = dict(self._planner.planned)
        self._remember()
        run.check()
        run.begin_commit()
        with run.phase("commit"):
            report = run.patiently(lambda: self._backend.commit(self._request, run))
        failpoint("job.committed")
        self._touched = True
        self._errors |= report.errors
        return report

    # --- the verdict ---

    def _conclude(self, report: Report) -> PackagesResult:
        after = self._backend.state()
        changes = self._verified(after)
        if problem := failure(changes, unmet(self._request, after, self._backend.key), report):
            raise problem
        self._check_recorded(report, after)
        self._hold_again(after)
        return self._account(changes, after)

    def _check_recorded(self, report: Report, after: State) -> None:
        """The state of packages does not show whether a group was put down as installed, or no more: a new plan does."""
        if not (report.code and self._planner.records):
            return
        if self._backend.plan(self._request, after, self._run).records:
            raise HandlerError(report.code, report.message)

    def _hold_again(self, after: State) -> None:
        """Changing a held package takes its hold away."""
        before = self._record.before
        lost = [
            state
            for key, state in after.items()
            if not state.held and key in before and before[key].held
        ]
        if not lost or not self._run.committed:
            return
        try:
            self._run.patiently(lambda: self._backend.hold(lost, self._run))
        except HandlerError as error:
            names = name_list(package.name for package in lost)
            raise HandlerError(
                "partial", f"{names} could not be put on hold again: {error}"
            ) from error

    def _details(self) -> PackagesResult:
        """What is known of the host after a failure."""
        try:
            after = self._backend.state()
        except HandlerError:
            return _summary(self._backend, self._request, self._run, self._planner)
        if not self._run.committed and not changed(self._record.before, after):
            return _summary(self._backend, self._request, self._run, self._planner)
        return self._account(self._verified(after), after)

    def _verified(self, after: State) -> list[Change]:
        return verify(self._planner.planned, self._record.before, after, self._errors)

    def _account(self, changes: Sequence[Change], after: State) -> PackagesResult:
        backend, planner = self._backend, self._planner
        reboot_reasons = backend.reboot_reasons(changes)
        return PackagesResult(
            backend=backend.name,
            changed=changed(self._record.before, after),
            changes=list(changes),
            unknown=list(planner.unknown),
            kept_back=list(planner.kept_back),
            config_files=backend.config_files(self._record.history_mark),
            scripts_failed=sorted(n for n, why in self._errors.items() if is_of_script(why)),
            repaired=self._repaired,
            reboot_needed=bool(reboot_reasons),
            reboot_reasons=reboot_reasons,
            phases=self._run.phases,
            log=self._run.log_text(),
        )
