"""What will run on a host in the days to come, and what will not fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pulp.common.calendar import Calendar, OneOff, Opening, openings
from pulp.common.times import format_duration, format_time
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.schedule import Schedule, occurrences
from pulp.server.domain.task import TaskRecord, TaskState
from pulp.server.domain.window import NamedWindow, calendar_of
from pulp.server.tasking.wanted import NEXT, ONCE

MOST = 200
"""So many entries of one host are told."""
_LOOKED_AT = 1000
"""So many openings of one calendar are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """at, until: ms UTC; expected: ms, 0 where it is not to be looked at."""

    at: int
    until: int | None = None
    task: TaskRecord | None = None
    schedule: Schedule | None = None
    windows: tuple[str, ...] = ()
    expected: int = 0
    problem: str = ""


class Ahead:
    """The openings from `begin` to `end` (ms UTC). Hosts that share a calendar and a zone are reckoned once."""

    def __init__(self, begin: int, end: int) -> None:
        self.begin = begin
        self.end = end
        self._known: dict[tuple[Calendar, str], tuple[Opening, ...]] = {}

    def of(self, calendar: Calendar, zone: str) -> tuple[Opening, ...]:
        """Those in which something can still start."""
        key = (calendar, zone)
        if key not in self._known:
            found = openings(calendar, begin=self.begin, end=self.end, host_zone=zone)
            left = (each for each in found if each.cutoff_at > self.begin)
            self._known[key] = tuple(islice(left, _LOOKED_AT))
        return self._known[key]


class Host:
    """One host's days. `windows`: uow.windows.of(consumer)."""

    def __init__(
        self, consumer: Consumer, windows: Sequence[NamedWindow], zone: str, ahead: Ahead
    ) -> None:
        self._consumer = consumer
        self._calendar = calendar_of(consumer, windows)
        self._zone = zone
        self._ahead = ahead

    @property
    def names(self) -> list[str]:
        return [window.name for window in self._calendar.windows]

    def opens(self) -> int | None:
        """When its windows are open next, if that is in these days."""
        found = self._ahead.of(self._calendar, self._zone)
        return max(found[0].begin, self._ahead.begin) if found else None

    def entries(
        self,
        tasks: Iterable[TaskRecord],
        schedules: Iterable[Schedule],
        usual: Callable[[Schedule], int],
    ) -> list[Entry]:
        """By `at`; what would not be done in time, alone or after those before it, says so.

        usual: ms that a run takes of a schedule that does not say; 0 where it changes nothing on the host."""
        found = [self._of_task(record) for record in tasks]
        found += [run for each in schedules for run in self._of_schedule(each, usual(each))]
        in_time = [each for each in found if each.at < self._ahead.end]
        return _crowded(sorted(in_time, key=lambda each: each.at))

    # --- tasks ---

    def _of_task(self, record: TaskRecord) -> Entry:
        if record.state is TaskState.RUNNING:
            return Entry(at=record.started_at or self._ahead.begin, task=record)
        at = max(self._begin_of(record), self._ahead.begin)
        rule, window = record.rule, record.window
        if window is None:
            return Entry(at=at, task=record)
        calendar = rule.calendar if rule else None
        opening = self._opening_at(calendar, at) if calendar else None
        until = opening.cutoff_at if opening else (rule.cutoff_at if rule else None) or window.end
        return Entry(
            at=at,
            until=until,
            task=record,
            windows=_named(opening),
            expected=rule.expected if rule else 0,
            problem=_late(record, at, until),
        )

    def _begin_of(self, record: TaskRecord) -> int:
        if record.state is TaskState.HELD and record.starts is not None:
            return record.starts
        begin = record.window.begin if record.window else 0
        return max(begin, record.not_before or 0)

    def _opening_at(self, calendar: Calendar, at: int) -> Opening | None:
        found = openings(calendar, begin=at, end=at + 1, host_zone=self._zone)
        return next(iter(found), None)

    # --- schedules ---

    def _of_schedule(self, schedule: Schedule, usual: int) -> Iterator[Entry]:
        if schedule.next_due is None:
            return
        ahead = occurrences(schedule.recurrence, since=schedule.next_due, before=self._ahead.end)
        most = MOST if schedule.runs_left is None else min(MOST, schedule.runs_left)
        for due in islice(ahead, most):
            yield self._run(schedule, due, usual)

    def _run(self, schedule: Schedule, due: int, usual: int) -> Entry:
        takes = usual if schedule.expected is None else schedule.expected
        run = Entry(at=max(due, self._ahead.begin), schedule=schedule, expected=takes)
        if schedule.window:
            return self._in_window(run, schedule.window)
        if schedule.open_for is not None:
            return self._in_own(run, due, due + schedule.open_for, changes=bool(usual))
        if self._consumer.enforced and usual:
            return replace(
                run, problem="the host's windows are enforced, and this is for none of them"
            )
        return replace(run, expected=0)

    def _in_window(self, run: Entry, asked: str) -> Entry:
        windows = tuple(w for w in self._calendar.windows if asked in (NEXT, w.name))
        if not windows:
            lack = "no window" if asked == NEXT else f"no window {asked}"
            return replace(run, problem=f"the host has {lack}")
        calendar = Calendar(windows=windows, freezes=self._calendar.freezes)
        left = [o for o in self._ahead.of(calendar, self._zone) if o.cutoff_at > run.at]
        if not left:
            return replace(
                run,
                windows=tuple(w.name for w in windows),
                problem="none of its windows opens in these days",
            )
        return _placed(run, left)

    def _in_own(self, run: Entry, begin: int, end: int, *, changes: bool) -> Entry:
        """In a window of its own, which the host's freezes cut."""
        run = replace(run, until=end)
        own = (OneOff(name=ONCE, begin=begin, end=end),)
        calendar = Calendar(windows=own, freezes=self._calendar.freezes)
        left = [o for o in self._within(calendar, begin, end) if o.cutoff_at > run.at]
        if not left:
            return replace(run, problem="the host is frozen as long as its window lasts")
        if self._consumer.enforced and changes and not self._within(self._calendar, run.at, end):
            return replace(
                run,
                problem="the host's windows are enforced, and none of them is open in its window",
            )
        return _placed(run, left)

    def _within(self, calendar: Calendar, begin: int, end: int) -> list[Opening]:
        return list(openings(calendar, begin=begin, end=end, host_zone=self._zone))


def _placed(run: Entry, left: Sequence[Opening]) -> Entry:
    """In the first opening that has room for it, or else in the first. What nobody said how long it takes is not expected to
    take longer than half of what is left of its opening."""
    fits = (o for o in left if o.cutoff_at - max(o.begin, run.at) >= run.expected)
    opening = next(fits, None)
    first = opening or left[0]
    length = first.cutoff_at - max(first.begin, run.at)
    said = run.schedule is not None and run.schedule.expected is not None
    adapts = not said and length < run.expected
    return replace(
        run,
        at=max(run.at, first.begin),
        until=first.cutoff_at,
        windows=_named(first),
        expected=length // 2 if adapts else run.expected,
        problem="" if opening or adapts else _too_long(run, left),
    )


def _named(opening: Opening | None) -> tuple[str, ...]:
    return tuple(name for name in opening.sources if name != ONCE) if opening else ()


def _late(record: TaskRecord, at: int, until: int) -> str:
    if record.cancel_requested_at is not None and not record.cancel_refused:
        return "it is called off, and the host has not confirmed that yet"
    if at >= until:
        return f"its opening is over since {format_time(until)}, and the host has not told what became of it"
    return ""


def _too_long(run: Entry, left: Sequence[Opening]) -> str:
    longest = max(each.cutoff_at - max(each.begin, run.at) for each in left)
    return (
        f"it takes {format_duration(run.expected)}, and no opening in these days has more than "
        f"{format_duration(longest)} for it"
    )


def _crowded(entries: Sequence[Entry]) -> list[Entry]:
    """Work that changes a host is done one after the other: what comes last in an opening may not be done before its cutoff."""
    free = 0
    told = []
    for entry in entries:
        if entry.until is None or not entry.expected or entry.problem:
            told.append(entry)
            continue
        begin = max(free, entry.at)
        if begin + entry.expected > entry.until:
            takes, until = format_duration(entry.expected), format_time(entry.until)
            why = (
                f"it takes {takes}, and with what comes before it would not be done before {until}"
            )
            told.append(replace(entry, problem=why))
        else:
            free = begin + entry.expected
            told.append(entry)
    return told
