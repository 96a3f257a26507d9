"""Windows joined and freezes cut out, minute by minute, around the nights when clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from calendar_model import Clocks, ModelRule, walls
from calendar_samples import near_changes, some
from hypothesis import assume, given
from hypothesis import strategies as st

from pulp.common.calendar import (
    Calendar,
    OneOff,
    Opening,
    Recurring,
    Span,
    Why,
    is_open,
    next_opening,
    openings,
)
from pulp.common.calendar.openings import CHAIN
from pulp.common.times import DAY, HOUR, MINUTE, to_datetime, to_ms

NEAR, WIDE = 2 * DAY, 6 * DAY
"""Questions are asked so near to the change; the model looks so far around it."""


class Case:
    """A calendar, and what the model knows: for each minute the places of the spans that are on."""

    def __init__(self, calendar: Calendar, zone: str, middle: int, on: dict[int, set[int]]) -> None:
        self.calendar, self.zone, self.middle, self.on = calendar, zone, middle, on
        self._ends: dict[int, int | None] = {}
        end: int | None = None  # of the run of allowed minutes; None: beyond what the model knows
        for minute in reversed(on):
            if not self.windows(minute):
                end = minute
            self._ends[minute] = end

    def __repr__(self) -> str:
        return f"Case({self.calendar}, {self.zone}, around {to_datetime(self.middle)})"

    def windows(self, minute: int) -> set[int]:
        """The windows that are on in the minute; none if a freeze is."""
        number = len(self.calendar.windows)
        on = self.on[minute]
        return on if all(place < number for place in on) else set()

    def may_start(self, minute: int) -> bool | None:
        """None: what decides lies beyond what the model knows."""
        if not self.windows(minute):
            return False
        end = self._ends[minute]
        return None if end is None else minute < end - self.cutoff(end)

    def cutoff(self, end: int) -> int:
        windows = self.calendar.windows
        lasting = self.windows(end - MINUTE)
        return min(int((windows[place].cutoff or "0m")[:-1]) * MINUTE for place in lasting)


lengths = st.one_of(
    st.tuples(st.just(0), st.integers(1, 300)),
    st.sampled_from([(0, 1440), (0, 1500), (0, 2160), (1, 0), (2, 0), (1, 90)]),
)
"""(days, minutes); the days end at the same wall time."""


@st.composite
def recurring(
    draw: st.DrawFn, name: str, wall: datetime
) -> tuple[Recurring, ModelRule, tuple[int, int]]:
    """Some overlap themselves; that is refused where they are made, and evaluated all the same."""
    rule = draw(
        st.sampled_from(
            [
                ModelRule(freq="DAILY"),
                ModelRule(freq="DAILY", interval=2),
                ModelRule(freq="DAILY", byhour=(1, 2, 3), byminute=(0, 30)),
                ModelRule(freq="WEEKLY", byday=((0, 5), (0, 6))),
                ModelRule(freq="HOURLY", interval=5),
                ModelRule(freq="DAILY", count=7),
            ]
        )
    )
    dtstart = wall - timedelta(days=6, minutes=draw(st.integers(0, 24 * 60)))
    days, minutes = draw(lengths)
    cutoff = draw(st.none() | st.integers(1, 90))
    made = Recurring(
        name=name,
        rrule=rule.text(),
        dtstart=f"{dtstart:%Y-%m-%dT%H:%M}",
        zone="host",
        duration=f"{days}d{minutes}m",
        cutoff=None if cutoff is None else f"{cutoff}m",
    )
    return made, rule, (days, minutes)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone, instant = draw(near_changes())
    middle = to_ms(instant) // MINUTE * MINUTE
    wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0)
    first, last = to_datetime(middle - WIDE), to_datetime(middle + WIDE)
    clocks = Clocks(ZoneInfo(zone), first, last)
    on: dict[int, set[int]] = {to_ms(minute): set() for minute in clocks.minutes}
    made: list[Span] = []
    windows, freezes = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    for place in range(windows + freezes):
        if draw(st.booleans()):
            begin = middle + draw(st.integers(-60, 60)) * HOUR
            end = begin + draw(st.integers(1, 2160)) * MINUTE
            span: Span = OneOff(name=f"s{place}", begin=begin, end=end)
            found = [(span.begin, span.end)]
        else:
            span, rule, length = draw(recurring(f"s{place}", wall))
            found = _spans(span, rule, length, clocks)
        made.append(span)
        for begin, end in found:
            for minute in range(begin, end, MINUTE):
                on.get(minute, set()).add(place)
    calendar = Calendar(windows=tuple(made[:windows]), freezes=tuple(made[windows:]))
    return Case(calendar, zone, middle, on)


def _spans(
    span: Recurring, rule: ModelRule, length: tuple[int, int], clocks: Clocks
) -> list[tuple[int, int]]:
    """Without those that begin or end later than the model looks."""
    days, minutes = length
    last_day = clocks.shown[-1].date()
    found = []
    for wall in walls(rule, datetime.fromisoformat(span.dtstart), last_day):
        begin, same_time = clocks.first_at(wall), clocks.first_at(wall + timedelta(days=days))
        if begin is not None:
            end = (to_ms(same_time) + minutes * MINUTE) if same_time else to_ms(clocks.minutes[-1])
            found.append((to_ms(begin), end))
    return found


offsets = st.integers(-NEAR // MINUTE, NEAR // MINUTE).map(lambda n: n * MINUTE)


@given(cases(), offsets, offsets)
@some(10, times=8)
def test_openings_are_the_minutes_that_a_window_covers_and_no_freeze(
    case: Case, one: int, other: int
) -> None:
    begin, end = sorted((case.middle + one, case.middle + other))
    end += MINUTE
    found = list(openings(case.calendar, begin=begin, end=end, host_zone=case.zone))
    _check_shape(found, begin, end)
    startable = {
        minute
        for opening in found
        for minute in range(max(opening.begin, begin), min(opening.cutoff_at, end), MINUTE)
    }
    for minute in range(begin, end, MINUTE):
        expected = case.may_start(minute)
        assert expected is None or (minute in startable) == expected, to_datetime(minute)
    for opening in found:
        _check_whole(case, opening)


def _check_shape(found: list[Opening], begin: int, end: int) -> None:
    assert all(o.begin < end and o.end > begin for o in found)
    assert all(o.begin < o.cutoff_at <= o.end for o in found)
    assert all(a.end < b.begin for a, b in pairwise(found))


def _check_whole(case: Case, opening: Opening) -> None:
    """Told from its first minute to its last, with the names of all its windows."""
    if opening.begin - MINUTE not in case.on or opening.end not in case.on:
        return
    assert not case.windows(opening.begin - MINUTE)
    assert not case.windows(opening.end)
    parts = set.union(
        *(case.windows(minute) for minute in range(opening.begin, opening.end, MINUTE))
    )
    names = tuple(case.calendar.windows[place].name for place in sorted(parts))
    assert opening.sources == names


@given(cases(), offsets)
@some(10, times=8)
def test_whether_it_is_open_and_why_not(case: Case, offset: int) -> None:
    at = case.middle + offset
    verdict = is_open(case.calendar, at=at, host_zone=case.zone)
    expected = case.may_start(at)
    if expected is None:
        return
    assert verdict.is_open == expected
    number = len(case.calendar.windows)
    frozen = any(place >= number for place in case.on[at])
    assert (verdict.why is Why.FROZEN) == frozen
    if frozen:
        assert verdict.frozen_until is not None
        assert verdict.frozen_until > at
        if verdict.frozen_until in case.on:
            assert all(place < number for place in case.on[verdict.frozen_until])
    else:
        late = bool(case.windows(at)) and not expected
        assert (verdict.why is Why.CUTOFF) == late


@given(cases(), offsets)
@some(10, times=8)
def test_the_next_opening_is_the_first_minute_in_which_work_may_start(
    case: Case, offset: int
) -> None:
    at = case.middle + offset
    found = next_opening(case.calendar, at=at, host_zone=case.zone)
    last = max(case.on)
    answers = ((minute, case.may_start(minute)) for minute in range(at, last + MINUTE, MINUTE))
    first = next(((minute, answer) for minute, answer in answers if answer is not False), None)
    if first is None:
        assert found is None or found.begin > last
    elif first[1]:
        assert found is not None
        assert max(found.begin, at) == first[0]


@given(cases(), offsets)
@some(10, times=8)
def test_an_opening_is_the_same_whenever_one_asks(case: Case, offset: int) -> None:
    at, end = case.middle + offset, case.middle + NEAR + MINUTE
    early = openings(case.calendar, begin=case.middle - NEAR, end=end, host_zone=case.zone)
    late = list(openings(case.calendar, begin=at, end=end, host_zone=case.zone))
    assume(all(o.end - o.begin < CHAIN for o in late))  # without end: told in pieces
    assert [o for o in early if o.end > at] == late
