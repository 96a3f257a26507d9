"""What becomes of calls that could not start in their opening, and the sentence that says why."""

from __future__ import annotations

from pulp.common.times import format_duration, format_time
from pulp.rmi.interfaces import Lane
from pulp.rmi.messages import Failed
from pulp_agent.call import Call
from pulp_agent.desk import Desk
from pulp_agent.gate import Closed, Verdict, last_start
from pulp_agent.judging import Judge
from pulp_agent.lane import Lanes
from pulp_agent.records import Moved


class Missing:
    """`since`: when this agent began (ms UTC); what was over by then it has slept through."""

    def __init__(self, desk: Desk, judge: Judge, lanes: Lanes) -> None:
        self._desk = desk
        self._judge = judge
        self._lanes = lanes
        self.since = 0

    def carry_over(self, call: Call) -> bool:
        """To the next opening of its calendar; False where it has none, or is not to be carried over."""
        opening = self._judge.next_opening(call)
        if opening is None:
            return False
        self._desk.append(
            Moved(
                id=call.id,
                at=self._desk.at.wall,
                begin=opening.begin,
                end=opening.end,
                cutoff_at=opening.cutoff_at,
            )
        )
        return True

    def final(self, call: Call, verdict: Closed) -> Failed:
        return Failed(id=call.id, code=verdict.code, message=verdict.message + self._why(call))

    def late(self, call: Call) -> Failed:
        """For work that did not come to its point of no return in time."""
        window = call.window
        took = format_duration(max(0, self._desk.at.wall - (call.started or self._desk.at.wall)))
        closed = f" {format_time(window.end)}" if window else ""
        return self._broken(
            call,
            "window-missed",
            f"Its window closed{closed} before anything was changed: getting ready took {took}.",
        )

    def broken_off(self, call: Call, verdict: Verdict) -> Failed:
        """For an execution that died before it changed anything, and may not go on now."""
        if isinstance(verdict, Closed):
            return self._broken(call, verdict.code, verdict.message)
        return self._broken(
            call, "interrupted", "Its process died, and its window is not open now."
        )

    def _broken(self, call: Call, code: str, message: str) -> Failed:
        now = self._desk.at.wall
        return Failed(id=call.id, code=code, message=message, started=call.started, finished=now)

    def _why(self, call: Call) -> str:
        """What kept it, where that is known."""
        window = call.window
        if window is None:
            return ""
        if call.taken < self.since and self.since >= last_start(window, 0):
            return " The host or its agent was off."
        busy = self._lanes.busy_with if call.lane is Lane.HOST else None
        return f" Call {busy} was running." if busy else ""
