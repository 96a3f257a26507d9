"""What a request says of times, as numbers: every bad field is found before anything is made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from msgspec import UNSET, UnsetType

from pulp.common.times import DAY, SECOND, format_time
from pulp.rmi.interfaces import PackageSpec
from pulp.server.api.faults import Faults
from pulp.server.api.moments import span_of, start_of, window_of
from pulp.server.api.types import ActionBody, OpeningBody, RetryBody, WindowBody
from pulp.server.domain.task import TaskRecord
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
        not_before=start_of(body.not_before, given.window if given else None, now, faults),
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
        not_before=start_of(body.not_before, given.window if given else None, now, faults),
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
    return replace(wanted, unfrozen_until=None) if wanted else None


def _given(window: str | WindowBody | UnsetType | None, now: int, faults: Faults) -> Wanted | None:
    match window:
        case str():
            return Wanted(asked=window)
        case WindowBody():
            times = window_of(window, now, faults)
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
    return span_of("grace", text, SHORTEST_GRACE, LONGEST_GRACE, faults)


def _override_for(text: str, faults: Faults) -> int:
    return span_of("override.for", text, SHORTEST_OVERRIDE, LONGEST_OVERRIDE, faults)


def expected_of(text: str, faults: Faults) -> int:
    """ms; 0, of any unit, turns it off."""
    if not text.strip("0.smhdw"):
        return 0
    return span_of("expected", text, SECOND, LONGEST_TIMEOUT, faults)


def _delivery(text: str, faults: Faults) -> int:
    return span_of("deliver_within", text, SHORTEST_DELIVERY, LONGEST_DELIVERY, faults)


def _timeout(text: str, faults: Faults) -> int:
    return span_of("timeout", text, SHORTEST_TIMEOUT, LONGEST_TIMEOUT, faults)


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
