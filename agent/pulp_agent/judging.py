"""What decides when a call may start: its window, the host's own calendar, and how long the work takes here."""

from __future__ import annotations

from pulp.common.calendar import Opening
from pulp.common.times import LAST, format_time
from pulp.rmi.messages import Override, Rejected, Request
from pulp_agent import gate
from pulp_agent.call import Call
from pulp_agent.desk import Desk
from pulp_agent.finder import Finder
from pulp_agent.gate import Allowed, Verdict, fitting, judge, last_start, latest_end
from pulp_agent.records import Kept

_NEVER = Allowed(LAST, LAST)


class Judge:
    """Looks at the desk only; changes nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._finder = Finder(desk.me.timezone)

    def verdict(self, call: Call) -> Verdict:
        expected = self.expected(call)
        return judge(
            window=call.window,
            expires=call.expires,
            now=self._desk.at.wall,
            spent=self._desk.table.hours.spent(call.window),
            expected=expected,
            allowed=self._allowed(call, expected),
        )

    def expected(self, call: Call) -> int:
        return self._desk.table.hours.expected(call.path, call.window)

    def timed(self, call: Call) -> bool:
        """Whether the clock decides about more than its expiry."""
        return call.window is not None or self._enforced(call) is not None

    def _enforced(self, call: Call) -> Kept | None:
        """The host's own calendar, where it is about this call."""
        keep = self._desk.table.hours.keep
        return keep if keep and keep.enforced and call.changes_host else None

    def overrides(self, call: Call) -> bool:
        override = call.request.override if call.request else None
        return isinstance(override, Override) and self._desk.at.wall <= override.until

    def _allowed(self, call: Call, expected: int) -> Allowed | None:
        keep = self._enforced(call)
        if keep is None or self.overrides(call):
            return None
        return self._own(keep, self._desk.at.wall, expected)

    def _own(self, keep: Kept, at: int, expected: int) -> Allowed:
        """The host's own opening that is on or comes next."""
        if keep.calendar is None:
            return _NEVER
        opening = self._finder.find(keep.calendar, at=at, expected=expected)
        if opening is None:
            return _NEVER
        return Allowed(opening.begin, fitting(opening.cutoff_at, expected))

    def overriding(self, call: Call) -> bool:
        """Whether it would start outside of the host's own windows now."""
        keep, now = self._enforced(call), self._desk.at.wall
        return keep is not None and self.overrides(call) and self._own(keep, now, 0).begin > now

    def commit_before(self, call: Call) -> int | None:
        """From here on (ms UTC) it may not begin to change anything; None: any time."""
        limits = [gate.commit_before(call.window)] if call.window else []
        if (allowed := self._allowed(call, 0)) is not None:
            limits.append(allowed.closes)
        return min(limits, default=None)

    def restart_before(self, call: Call) -> int | None:
        """Until when (ms UTC) the host may be restarted after this call's work: to the end of its window, and where the host's
        own are enforced, to the cutoff of theirs. 0: not any more; None: any time."""
        now, limits = self._desk.at.wall, []
        if call.window is not None:
            limits.append(latest_end(call.window))
        if (allowed := self._allowed(call, 0)) is not None:
            limits.append(allowed.closes if allowed.begin <= now else 0)
        before = min(limits, default=None)
        return before if before is None or now < before else 0

    def next_opening(self, call: Call) -> Opening | None:
        """Where a call that has missed its opening goes on to."""
        window = call.window
        if window is None or window.calendar is None or window.missed != "next":
            return None
        at = max(self._desk.at.wall, window.end)
        opening = self._finder.find(window.calendar, at=at, expected=self.expected(call))
        return opening if opening and opening.begin <= call.expires else None

    def refusal(self, request: Request) -> Rejected | None:
        """For a request that no opening of the host's own calendar has room for."""
        call = Call(request.id, request, request.window)
        keep = self._enforced(call)
        if keep is None or self.overrides(call):
            return None
        begin, closes = self._span(call)
        if closes is not None and self._own(keep, begin, 0).begin < closes:
            return None
        return Rejected(
            id=request.id,
            code="outside-windows",
            expected=self._sentence(keep, begin),
            found="no window" if closes is None else f"one that opens at {format_time(begin)}",
        )

    def _span(self, call: Call) -> tuple[int, int | None]:
        """The moments in which it may start, now or later; a missed opening counts as the one after it."""
        now, window = self._desk.at.wall, call.window
        if window is None:
            return now, None
        following = self.next_opening(call) if now >= last_start(window, 0) else None
        if following is not None:
            return max(now, following.begin), following.cutoff_at
        return max(now, window.begin), last_start(window, 0)

    def _sentence(self, keep: Kept, at: int) -> str:
        own = self._own(keep, at, 0)
        if own is _NEVER:
            return "a window of this host's own calendar, which has none that opens"
        return f"a window of this host's own calendar, which opens next at {format_time(own.begin)}"
