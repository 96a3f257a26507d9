"""A repair by itself: what was cut off or left half set up is brought to its end, whoever left it so."""

from __future__ import annotations

from collections.abc import Mapping

from pulp.rmi.interfaces import Change, PackagesResult, Policy
from pulp_agent.handlers.packages.base import Backend, Key, Operation, Report, Request
from pulp_agent.handlers.packages.changes import merge, unfinished
from pulp_agent.handlers.packages.execution import Execution, execute
from pulp_agent.handlers.packages.run import Run


def repair(backend: Backend, policy: Policy, run: Run) -> PackagesResult:
    """Its changes are the packages that were not whole, and what became of each."""
    return execute(backend, Request(operation=Operation.REPAIR, policy=policy), run, _Repair)


class _Repair(Execution):
    def _carry_out(self) -> Report:
        earlier = dict(self._record.planned)
        self._repaired = bool(earlier)
        return self._run.patiently(lambda: self._mend(earlier))

    def _mend(self, earlier: Mapping[Key, Change]) -> Report:
        """What another program's transaction is at looks broken too, so each try looks anew. `earlier`: what a process of this
        execution that died was to mend."""
        # before the state: it may say that the lock must be waited for
        cut_off = self._backend.needs_repair()
        state = self._backend.state()
        broken = unfinished(state, state.keys(), frozenset())
        self._planner.planned = merge(earlier, broken, state)
        if not broken and not cut_off:
            self._record.before = self._record.before if earlier else state
            return Report()
        self._record.planned = self._planner.planned
        self._remember()
        self._run.check()
        self._run.begin_commit()
        report = self._repair_now("commit")
        self._errors |= report.errors
        return report
