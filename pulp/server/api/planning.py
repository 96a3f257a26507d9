"""From the times of a request to the deadlines of a task: every bad field is found before anything is made. Pure."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType

from pulp.common.errors import FieldError, InvalidInput
from pulp.common.times import DAY, SECOND, format_time, parse_duration, to_ms
from pulp.common.windows import Window
from pulp.rmi.interfaces import PackageSpec
from pulp.server.api.types import ActionBody, RetryBody, WindowBody
from pulp.server.domain.task import TaskRecord
from pulp.server.tasking.deadlines import Timing

SHORTEST_TIMEOUT = SECOND
LONGEST_TIMEOUT = 7 * DAY
SHORTEST_DELIVERY = SECOND
LONGEST_DELIVERY = 90 * DAY
"""As long as an agent remembers a call's id (WIRE.md rule 1)."""
FURTHEST = 366 * DAY
"""How far ahead a start or a window may lie."""
GRACE = 5 * SECOND
"""A start that was `now` when the request was written is not refused for the time it travelled."""


class Faults:
    """Collects what is wrong with a request, field by field."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def add(self, field: str, message: str) -> None:
        self.errors.append(FieldError(field, message))

    def check(self) -> None:
        """InvalidInput when anything was found."""
        if self.errors:
            raise InvalidInput(self.errors)


def timing_of(body: ActionBody, now: int, faults: Faults) -> Timing:
    """The request's times as numbers. What is bad goes into `faults`; the answer is only good when nothing did."""
    window = _window(body.window, now, faults) if body.window else None
    return Timing(
        not_before=_start(body.not_before, window, now, faults),
        window=window,
        deliver_within=_delivery(body.deliver_within, faults),
        timeout=_timeout(body.timeout, faults),
    )


def retry_timing_of(body: RetryBody, first: TaskRecord, now: int, faults: Faults) -> Timing:
    """As timing_of; what the request leaves out is as it was for the first task."""
    window = _retry_window(body.window, first, now, faults)
    return Timing(
        not_before=_start(body.not_before, window, now, faults),
        window=window,
        deliver_within=_delivery(body.deliver_within, faults),
        timeout=first.timeout if body.timeout is None else _timeout(body.timeout, faults),
    )


def _retry_window(
    wanted: WindowBody | UnsetType | None, first: TaskRecord, now: int, faults: Faults
) -> Window | None:
    """A retry leaves a maintenance window only when that is said outright."""
    if wanted is not UNSET:
        return _window(wanted, now, faults) if wanted else None
    if first.window is not None and first.window.is_over(now):
        ended = format_time(first.window.end)
        faults.add(
            "window",
            f"is missing, and that of task {first.id} is over since {ended}: give a new window, or null to run outside any",
        )
        return None
    return first.window


def _delivery(text: str, faults: Faults) -> int:
    return _span("deliver_within", text, SHORTEST_DELIVERY, LONGEST_DELIVERY, faults)


def _timeout(text: str, faults: Faults) -> int:
    return _span("timeout", text, SHORTEST_TIMEOUT, LONGEST_TIMEOUT, faults)


def _span(field: str, text: str, least: int, most: int, faults: Faults) -> int:
    duration = _duration(field, text, faults)
    if duration is None:
        return least
    if not least <= duration <= most:
        faults.add(field, f"is {text}: it must be from 1s to {most // DAY}d")
    return duration


def _duration(field: str, text: str, faults: Faults) -> int | None:
    try:
        return parse_duration(text)
    except ValueError as error:
        faults.add(field, str(error))
        return None


def _start(start: datetime | None, window: Window | None, now: int, faults: Faults) -> int | None:
    if start is None:
        return None
    ms = to_ms(start)
    if ms < now - GRACE:
        faults.add(
            "not_before", f"is in the past: it is {_now(now)}; leave it out to start at once"
        )
    elif _too_far("not_before", ms, now, faults):
        return None
    if window and ms >= window.end:
        faults.add(
            "not_before",
            "lies at or after the end of the window: nothing could ever start; choose an earlier start or a later window",
        )
    return ms


def _window(body: WindowBody, now: int, faults: Faults) -> Window | None:
    begin = to_ms(body.begin)
    if _too_far("window.begin", begin, now, faults):
        return None
    end = _end(body, begin, faults)
    if end is None or _too_far("window.end", end, now, faults):
        return None
    if end <= begin:
        faults.add("window.end", "must be later than window.begin")
        return None
    if end <= now:
        faults.add("window.end", f"is in the past: it is {_now(now)}, the window is over already")
        return None
    return Window(begin, end)


def _end(body: WindowBody, begin: int, faults: Faults) -> int | None:
    match body.end, body.duration:
        case None, None:
            faults.add("window.end", "is missing: give either end or duration")
        case None, str() as text:
            duration = _duration("window.duration", text, faults)
            return None if duration is None else begin + duration
        case datetime() as end, None:
            return to_ms(end)
        case _:
            faults.add("window.duration", "cannot stand beside end: give one of the two")
    return None


def _too_far(field: str, ms: int, now: int, faults: Faults) -> bool:
    if ms <= now + FURTHEST:
        return False
    faults.add(field, f"lies more than {FURTHEST // DAY} days ahead: it is {_now(now)}")
    return True


def _now(now: int) -> str:
    return f"now {format_time(now)}"


def specs_of(packages: list[str | PackageSpec], faults: Faults) -> list[PackageSpec]:
    """Names and specs as specs; the same name and architecture twice is refused."""
    specs = [PackageSpec(name=p) if isinstance(p, str) else p for p in packages]
    seen: dict[tuple[str, str | None], int] = {}
    for index, spec in enumerate(specs):
        first = seen.setdefault((spec.name, spec.arch), index)
        if first != index:
            faults.add(
                f"packages[{index}]", f"names {spec.name} again, after packages[{first}]: drop one"
            )
    return specs
