"""What a request says of times, as numbers: every bad field is found before anything is made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from pulp.common.errors import FieldError, InvalidInput
from pulp.common.times import DAY, SECOND, format_time, parse_duration, to_ms
from pulp.common.windows import Window
from pulp.rmi.interfaces import PackageSpec
from pulp.server.api.types import ActionBody, OpeningBody, RetryBody, WindowBody
from pulp.server.domain.task import TaskRecord
from pulp.server.tasking.opening import FURTHEST
from pulp.server.tasking.wanted import NEXT, Wanted, wanted_of

SHORTEST_TIMEOUT = SECOND
LONGEST_TIMEOUT = 7 * DAY
SHORTEST_DELIVERY = SECOND
LONGEST_DELIVERY = 90 * DAY
"""As long as an agent remembers a call's id (WIRE.md rule 1)."""
SHORTEST_GRACE = SECOND
LONGEST_GRACE = 7 * DAY
SHORTEST_OVERRIDE = SECOND
LONGEST_OVERRIDE = DAY
"""An emergency is over by then, or is asked for once more."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says of times, for whatever host; `for_host` of api.windowed makes a task's times of it.

    expected: ms that the work takes; None: what its method usually does. insists: that is said here, and not only kept from an
    earlier task. override_for: ms.
    """

    not_before: int | None = None
    wanted: Wanted | None = None
    expected: int | None = None
    insists: bool = False
    override_reason: str = ""
    override_for: int = 0
    deliver_within: int
    timeout: int


def asked_of(body: ActionBody, now: int, faults: Faults) -> Asked:
    """The request's times as numbers. What is bad goes into `faults`; the answer is only good when nothing did."""
    given = _given(body.window, now, faults)
    return _asked(
        body,
        with_rule(body, given, body.predownload, faults),
        expected=None,
        not_before=_start(body.not_before, given, now, faults),
        deliver_within=_delivery(body.deliver_within, faults),
        timeout=_timeout(body.timeout, faults),
        faults=faults,
    )


def asked_again_of(body: RetryBody, first: TaskRecord, now: int, faults: Faults) -> Asked:
    """As asked_of; what the request leaves out is as it was for the first task."""
    kept = body.window is UNSET
    given = _kept(first, now, faults) if kept else _given(body.window, now, faults)
    return _asked(
        body,
        with_rule(body, given, body.predownload, faults),
        expected=first.rule.expected if kept and first.rule else None,
        not_before=_start(body.not_before, given, now, faults),
        deliver_within=_delivery(body.deliver_within, faults),
        timeout=first.timeout if body.timeout is None else _timeout(body.timeout, faults),
        faults=faults,
    )


def _asked(
    body: OpeningBody, wanted: Wanted | None, *, expected: int | None, faults: Faults, **times: Any
) -> Asked:
    override = body.override
    return Asked(
        wanted=wanted,
        expected=expected if body.expected is None else expected_of(body.expected, faults),
        insists=body.expected is not None,
        override_reason=override.reason if override else "",
        override_for=_override_for(override.for_, faults) if override else 0,
        **times,
    )


def _kept(first: TaskRecord, now: int, faults: Faults) -> Wanted | None:
    """A retry leaves a maintenance window only when that is said outright."""
    wanted = wanted_of(first)
    if wanted is not None and wanted.window is not None and wanted.window.is_over(now):
        ended = format_time(wanted.window.end)
        faults.add(
            "window",
            f"is missing, and that of task {first.id} is over since {ended}: give a new window, or null to run outside any",
        )
        return None
    return replace(wanted, unfrozen=False) if wanted else None


def _given(window: str | WindowBody | UnsetType | None, now: int, faults: Faults) -> Wanted | None:
    match window:
        case str():
            return Wanted(asked=window)
        case WindowBody():
            times = _window(window, now, faults)
            return Wanted(window=times) if times else None
    return None


def with_rule(
    body: OpeningBody, wanted: Wanted | None, predownload: bool | None, faults: Faults
) -> Wanted | None:
    """`wanted` with what the request says of how to keep to it."""
    if wanted is None:
        _check_alone(body, predownload, faults)
        return None
    missed = body.missed or wanted.missed
    grace = _grace(body.grace, faults) if body.grace is not None else wanted.grace
    if missed == "grace" and not grace:
        faults.add("grace", "is missing: say how long after its opening it may start, such as 2h")
    if missed != "grace" and body.grace is not None:
        faults.add(
            "grace", "is only for work that is missed with grace: ask for that, or leave it out"
        )
    if missed == NEXT and wanted.window is not None:
        faults.add(
            "missed", "is next, and a window that is given by its times opens once: use grace"
        )
    return replace(
        wanted,
        missed=missed,
        grace=grace if missed == "grace" else 0,
        predownload=wanted.predownload if predownload is None else predownload,
        unfrozen=body.override is not None,
    )


def _check_alone(body: OpeningBody, predownload: bool | None, faults: Faults) -> None:
    """Nothing of this means anything without a window, where none was given; a bad one is told already."""
    if any(error.field.startswith("window") for error in faults.errors):
        return
    given = {"missed": body.missed, "grace": body.grace, "expected": body.expected}
    for field, value in (given | {"predownload": predownload or None}).items():
        if value is not None:
            faults.add(field, "is only for work in a window: give window too, or leave it out")


def _grace(text: str, faults: Faults) -> int:
    return _span("grace", text, SHORTEST_GRACE, LONGEST_GRACE, faults)


def _override_for(text: str, faults: Faults) -> int:
    return _span("override.for", text, SHORTEST_OVERRIDE, LONGEST_OVERRIDE, faults)


def expected_of(text: str, faults: Faults) -> int:
    """ms; 0, of any unit, turns it off."""
    if not text.strip("0.smhdw"):
        return 0
    return _span("expected", text, SECOND, LONGEST_TIMEOUT, faults)


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


def _start(start: datetime | None, wanted: Wanted | None, now: int, faults: Faults) -> int | None:
    if start is None:
        return None
    ms, window = to_ms(start), wanted.window if wanted else None
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
