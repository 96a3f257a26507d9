"""In which opening work may start: from what was asked of a maintenance window to the concrete opening and its rule. Pure.

Used where work is planned, and again with `wanted.wanted_of` where a window or freeze has changed under work that has not begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pulp.common.calendar import (
    HORIZON,
    HOST,
    Calendar,
    OneOff,
    Opening,
    Recurring,
    Span,
    next_opening,
    openings,
)
from pulp.common.calendar.zones import load_zone
from pulp.common.times import DAY, format_time
from pulp.common.windows import Window
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import WindowRule
from pulp.server.domain.window import NamedWindow, WindowRole, calendar_of
from pulp.server.tasking.wanted import NEXT, ONCE, Wanted

CARRIED_FOR = 40 * DAY
"""So long after the end of its first opening work that is carried over may still start: five weeks lie between the openings of
many a monthly window, so it comes once more at least."""
FURTHEST = 366 * DAY
"""How far ahead the first opening may lie."""
_LOOKED_AT = 400
"""So many openings are looked at for one that is long enough: more than a year of nights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """For TaskRecord.window, .rule and .expires. `rule.expected` is less than was wanted where no opening has that left."""

    window: Window
    rule: WindowRule
    expires: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A sentence that says what to change, and the request's field that it belongs to. for_now: nothing can be said yet, as the
    host's zone is not known here."""

    field: str
    message: str
    for_now: bool = False


def open_for(
    wanted: Wanted, consumer: Consumer, windows: Sequence[NamedWindow], *, at: int
) -> Opened | Refused:
    """The first opening that work of the consumer may start in at `at` (ms UTC) or later: the present moment, or its later start.

    `windows`: those that are bound to the consumer or hold everywhere (uow.windows.of).
    """
    ground = _ground(wanted, consumer, windows)
    if isinstance(ground, Refused):
        return ground
    found = _first(ground, wanted.expected, at)
    over = wanted.unfrozen_until
    if over is not None and (found is None or max(found.begin, at) >= over):
        return open_for(replace(wanted, unfrozen_until=None), consumer, windows, at=at)
    if found is None:
        return _nothing_opens(ground, consumer, at)
    if found.begin > at + FURTHEST:
        opens = f"opens for the first time at {format_time(found.begin)}"
        fix = "choose one that opens sooner"
        return Refused("window", f"{opens}, more than {FURTHEST // DAY} days ahead: {fix}")
    return _opened(wanted, ground, found, at)


def shares_opening(window: Window, consumer: Consumer, windows: Sequence[NamedWindow]) -> bool:
    """Whether any opening of the consumer's own calendar has a part in it. True where that cannot be told: its agent can."""
    calendar = calendar_of(consumer, windows)
    zone = _zone(consumer, calendar)
    if isinstance(zone, Refused):
        return True
    found = openings(calendar, begin=window.begin, end=window.end, host_zone=zone)
    return next(iter(found), None) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What the openings come from."""

    calendar: Calendar
    host_zone: str

    @property
    def names(self) -> list[str]:
        return [s.name for s in (*self.calendar.windows, *self.calendar.freezes) if s.name != ONCE]

    def from_(self, at: int) -> Iterable[Opening]:
        return openings(self.calendar, begin=at, end=at + HORIZON, host_zone=self.host_zone)


def _ground(
    wanted: Wanted, consumer: Consumer, windows: Sequence[NamedWindow]
) -> _Ground | Refused:
    whole = calendar_of(consumer, windows)
    chosen = _chosen(wanted, consumer, whole, windows)
    if isinstance(chosen, Refused):
        return chosen
    freezes = whole.freezes if wanted.unfrozen_until is None else ()
    calendar = Calendar(windows=chosen, freezes=freezes)
    zone = _zone(consumer, calendar)
    return zone if isinstance(zone, Refused) else _Ground(calendar=calendar, host_zone=zone)


def _chosen(
    wanted: Wanted, consumer: Consumer, whole: Calendar, windows: Sequence[NamedWindow]
) -> tuple[Span, ...] | Refused:
    if wanted.window is not None:
        return (OneOff(name=ONCE, begin=wanted.window.begin, end=wanted.window.end),)
    host = consumer.id
    if wanted.asked == NEXT:
        bind = f"bind one, as 'pulp-admin window bind NAME {host}' does, or give begin and end"
        return whole.windows or Refused("window", f"is next, and {host} has no window: {bind}")
    spans = tuple(span for span in whole.windows if span.name == wanted.asked)
    return spans or _not_bound(wanted.asked, host, windows)


def _not_bound(name: str, host: str, windows: Sequence[NamedWindow]) -> Refused:
    if any(each.name == name and each.role is WindowRole.FREEZE for each in windows):
        return Refused("window", f"is {name}, a freeze, in which nothing starts: name a window")
    bind = f"bind it, as 'pulp-admin window bind {name} {host}' does"
    return Refused("window", f"is {name}, which is not a window of {host}: {bind}")


def _zone(consumer: Consumer, calendar: Calendar) -> str | Refused:
    """The host's zone, which is needed only where a window or freeze counts in it."""
    theirs = [
        span.name
        for span in (*calendar.windows, *calendar.freezes)
        if isinstance(span, Recurring) and span.zone == HOST
    ]
    zone = consumer.agent.timezone if consumer.agent else ""
    if not theirs:
        return "UTC"
    whose = f"counts {theirs[0]} in the zone of {consumer.id}"
    if not zone:
        fix = "let its agent connect once, or give that window a zone of its own"
        return Refused("window", f"{whose}, which is not known yet: {fix}", for_now=True)
    try:
        load_zone(zone)
    except ValueError as error:
        fix = "set the zone of that host right"
        return Refused("window", f"{whose}, and {error}: {fix}", for_now=True)
    return zone


def _first(ground: _Ground, expected: int, at: int) -> Opening | None:
    """The first in which the work fits from `at` on; where it fits in none, the first in which it may start."""
    usable = (opening for opening in ground.from_(at) if opening.cutoff_at > at)
    first: Opening | None = None
    for opening in islice(usable, _LOOKED_AT):
        first = first or opening
        if opening.cutoff_at - max(opening.begin, at) >= expected:
            return opening
    return first


def _nothing_opens(ground: _Ground, consumer: Consumer, at: int) -> Refused:
    calendar, zone = ground.calendar, ground.host_zone
    names = ", ".join(freeze.name for freeze in calendar.freezes)
    once = calendar.windows[0].name == ONCE
    if not calendar.freezes or not next_opening(
        Calendar(windows=calendar.windows), at=at, host_zone=zone
    ):
        if once:
            return Refused("window.end", "is over before the work may start: give a later end")
        return Refused("window", f"does not open any more for {consumer.id}: name another one")
    fix = "choose other times" if once else "shorten a freeze, or name another window"
    return Refused("window", f"is frozen for {consumer.id} as long as it lasts, by {names}: {fix}")


def _opened(wanted: Wanted, ground: _Ground, found: Opening, at: int) -> Opened:
    window = Window(found.begin, found.end)
    missed = wanted.missed or (NEXT if wanted.asked else "miss")
    late = _end_of_grace(ground, found.end, wanted.grace) if missed == "grace" else None
    pieces = not wanted.asked and found.end < _end_of(ground)
    rule = WindowRule(
        asked=wanted.asked,
        names=ground.names,
        calendar=ground.calendar if wanted.asked or ground.calendar.freezes else None,
        cutoff_at=found.cutoff_at if found.cutoff_at < found.end else None,
        missed=NEXT if pieces and missed == "miss" else missed,
        grace=wanted.grace,
        late=late,
        expected=_fitting(wanted.expected, found, at),
        predownload=wanted.predownload,
    )
    expires = _expires(rule, window, ground)
    if wanted.unfrozen_until is not None:
        expires = min(expires, wanted.unfrozen_until)
    return Opened(window=window, rule=rule, expires=expires)


def _end_of(ground: _Ground) -> int:
    """Of a window given by its times."""
    return max(span.end for span in ground.calendar.windows if isinstance(span, OneOff))


def _expires(rule: WindowRule, window: Window, ground: _Ground) -> int:
    if rule.missed == NEXT:
        return window.end + CARRIED_FOR if rule.asked else _end_of(ground)
    return window.end if rule.late is None else rule.late


def _end_of_grace(ground: _Ground, end: int, grace: int) -> int:
    """A freeze ends it: in one nothing starts."""
    frozen = Calendar(windows=ground.calendar.freezes)
    found = openings(frozen, begin=end, end=end + grace, host_zone=ground.host_zone)
    begins = max(end, next((freeze.begin for freeze in found), end + grace))
    return min(begins, end + grace)


def _fitting(expected: int, found: Opening, at: int) -> int:
    """Work that would never fit may start in the first half of what is left of the opening."""
    left = found.cutoff_at - max(found.begin, at)
    return expected if left >= expected else left // 2
