"""From a request to a new or changed window or freeze: every bad field is found before anything is stored. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from pulp.common.calendar import HORIZON, OneOff, Recurring, Span, window_problems
from pulp.common.times import parse_duration, to_ms
from pulp.server.api.faults import Faults
from pulp.server.api.window_types import NamedWindowBody, PatchNamedWindowBody
from pulp.server.domain.window import NamedWindow, WindowRole

RESERVED = ("next", "none")
"""What `window` of an action takes beside a name."""

_RULE = ("rrule", "dtstart", "zone")
_RECURS = (*_RULE, "offset_days")
_ONCE = ("begin", "end")
_FIELDS = (*_RECURS, *_ONCE, "duration", "cutoff")
_MISSING = {
    "rrule": "is missing: which days, such as FREQ=WEEKLY;BYDAY=SA",
    "dtstart": "is missing: from when on, and the time of day, such as 2026-12-01T22:00",
    "zone": "is missing: whose clock, such as Europe/Berlin, or host for each host's own",
    "duration": "is missing: how long, such as 4h",
}

Fields = dict[str, Any]
"""The fields of a body that say when, those that were given."""


def new_window(login: str, body: NamedWindowBody, now: int) -> NamedWindow:
    """InvalidInput with every bad field."""
    faults, role = Faults(), WindowRole(body.role)
    if body.name.lower() in RESERVED:
        faults.add("name", f"cannot be {body.name}, which means something else: choose another")
    span = _span(body.name, role, _given(body), now, faults)
    faults.check()
    assert span is not None  # noqa: S101  # else there was a fault
    return NamedWindow(
        name=body.name,
        role=role,
        span=span,
        created_by=login,
        created_at=now,
        everywhere=body.everywhere,
    )


def changed_window(window: NamedWindow, body: PatchNamedWindowBody, now: int) -> NamedWindow:
    """Absent fields stay. InvalidInput with every bad field."""
    faults, given = Faults(), _given(body)
    span: Span | None = window.span
    _refuse_other_kind(window, given, faults)
    faults.check()
    if given or body.cutoff is None:
        span = _span(window.name, window.role, _merged(window.span, given, body), now, faults)
    faults.check()
    everywhere = window.everywhere if body.everywhere is None else body.everywhere
    return msgspec.structs.replace(window, span=span, everywhere=everywhere)


def _refuse_other_kind(window: NamedWindow, given: Fields, faults: Faults) -> None:
    recurs = isinstance(window.span, Recurring)
    why = (
        f"is of one that happens once, and {window.name} recurs"
        if recurs
        else f"is of one that recurs, and {window.name} happens once"
    )
    for field in _named(given, _ONCE if recurs else _RECURS):
        faults.add(field, f"{why}, which never changes: make another {window.role.value}")


def _given(body: NamedWindowBody | PatchNamedWindowBody) -> Fields:
    values = {name: getattr(body, name) for name in _FIELDS}
    return {name: value for name, value in values.items() if value not in (None, UNSET)}


def _merged(span: Span, given: Fields, body: PatchNamedWindowBody) -> Fields:
    """The new fields beside those that stay. A new duration of one that happens once takes the place of its end."""
    stored: Fields = {
        name: value
        for name, value in msgspec.structs.asdict(span).items()
        if name in _FIELDS and value is not None
    }
    if "duration" in given:
        stored.pop("end", None)
    if body.cutoff is None:
        stored.pop("cutoff", None)
    return stored | given


def _span(name: str, role: WindowRole, fields: Fields, now: int, faults: Faults) -> Span | None:
    """None when something is wrong with its form."""
    before = len(faults.errors)
    if role is WindowRole.FREEZE and "cutoff" in fields:
        faults.add("cutoff", "is only for windows: a freeze ends at its end; leave it out")
    recurs, once = _named(fields, _RECURS), _named(fields, _ONCE)
    if recurs and once:
        _refuse_both(once, faults)
        return None
    span = _once(name, fields, faults) if once else _recurring(name, fields, faults)
    if len(faults.errors) > before or span is None:
        return None
    for problem in window_problems(span, now=now):
        faults.add(_field(problem.field, fields), problem.message)
    if isinstance(span, OneOff) and span.begin > now + HORIZON:
        faults.add("begin", "lies more than ten years ahead: nobody looks so far; bring it nearer")
    return span


def _named(fields: Fields, wanted: tuple[str, ...]) -> list[str]:
    return [name for name in wanted if name in fields]


def _refuse_both(once: list[str], faults: Faults) -> None:
    for name in once:
        faults.add(
            name,
            "is of one that happens once, and rrule, dtstart and zone are of one that recurs: give one or the other",
        )


def _recurring(name: str, fields: Fields, faults: Faults) -> Recurring | None:
    if not _named(fields, _RULE):
        faults.add("rrule", f"{_MISSING['rrule']}; or give begin and end, for once")
        return None
    lacking = [field for field in (*_RULE, "duration") if field not in fields]
    for field in lacking:
        faults.add(field, _MISSING[field])
    if lacking:
        return None
    said = {field: fields[field] for field in (*_RECURS, "duration", "cutoff") if field in fields}
    return Recurring(name=name, **said)


def _once(name: str, fields: Fields, faults: Faults) -> OneOff | None:
    if "begin" not in fields:
        faults.add("begin", "is missing: an RFC 3339 time such as 2026-12-01T22:00:00Z")
        return None
    begin = _ms(fields["begin"])
    end = _end(fields, begin, faults)
    if end is None:
        return None
    return OneOff(name=name, begin=begin, end=end, cutoff=fields.get("cutoff"))


def _end(fields: Fields, begin: int, faults: Faults) -> int | None:
    if "end" in fields and "duration" in fields:
        faults.add("duration", "cannot stand beside end: give one of the two")
    elif "end" in fields:
        return _ms(fields["end"])
    elif "duration" in fields:
        try:
            return begin + parse_duration(fields["duration"])
        except ValueError as error:
            faults.add("duration", str(error))
    else:
        faults.add("end", "is missing: give either end or duration")
    return None


def _ms(moment: Any) -> int:
    """A request's time, or a stored one."""
    return moment if isinstance(moment, int) else to_ms(moment)


def _field(field: str, fields: Fields) -> str:
    """An end that was given as a duration is over because of its begin."""
    return "begin" if field == "end" and "end" not in fields else field
