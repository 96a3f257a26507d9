"""What an agent answers to a request it must refuse, and how both ends read arguments and results. Pure."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pulp.common.calendar import Calendar, next_opening
from pulp.common.errors import InvalidInput
from pulp.common.times import DAY
from pulp.rmi.errors import RemoteCallError, Unsupported
from pulp.rmi.faults import clip, fault_of
from pulp.rmi.interfaces import Method
from pulp.rmi.messages import PROTOCOL, Rejected, Request, WireWindow
from pulp.rmi.versions import ARGS_VERSIONS, ArgsVersions, Known, missing, newest

TOMBSTONE = 90 * DAY
"""How long an agent remembers a confirmed call's id; an older request might be a repetition nobody remembers (rule 1)."""


def check_request(
    request: Request,
    *,
    features: Collection[str],
    methods: Known,
    now: int,
    upgrades: ArgsVersions = ARGS_VERSIONS,
    host_zone: str = "UTC",
) -> tuple[Method, Struct] | Rejected:
    """The method to run with its typed arguments, or the final that refuses the request.

    For an id the agent does not know yet: a known id is answered with what is stored, however old it is. Arguments of an
    older version are lifted. `now` is the agent's wall clock in ms, `host_zone` its zone.
    """
    try:
        _check_protocol(request)
        _check_needs(request, features)
        found = _find(request, methods, upgrades)
        if request.window is not None:
            _check_window(request.window, now, host_zone)
        _check_times(request, now)
    except Unsupported as error:
        expected = clip(f"{error.field}: {error.expected}")
        return Rejected(id=request.id, code=error.code, expected=expected, found=clip(error.found))
    return found


def read_value(raw: Raw, type_: Any, *, call_id: str) -> Any:
    """The value of a final as `type_` (`Method.result`). RemoteCallError `unreadable-result` names the field."""
    try:
        return _decoder(type_).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        fault = fault_of(error, raw)
        where = fault.field or "the value"
        raise RemoteCallError(
            f"the result of call {call_id} cannot be read: {where} should be {fault.expected}, found {fault.found}",
            reason="unreadable-result",
            call_id=call_id,
            expected=f"{where}: {fault.expected}",
            found=fault.found,
        ) from error


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def _check_protocol(request: Request) -> None:
    if request.v != PROTOCOL:
        raise Unsupported("unknown-protocol", "v", expected=str(PROTOCOL), found=str(request.v))


def _check_needs(request: Request, features: Collection[str]) -> None:
    if lacking := missing(request.needs, features):
        raise Unsupported(
            "unsupported-feature",
            "needs",
            expected=", ".join(sorted(features)),
            found=", ".join(lacking),
        )


def _find(request: Request, methods: Known, upgrades: ArgsVersions) -> tuple[Method, Struct]:
    path = f"{request.class_}.{request.method}"
    if method := methods.get((path, request.version)):
        return method, _read_args(request.args, method)
    method = newest(path, request.version, methods)
    args = _read_object(request.args)
    args = upgrades.convert(path, request.version, args, to=method.version)
    return method, _read_args(Raw(msgspec.json.encode(args)), method)


def _read_args(raw: Raw, method: Method) -> Struct:
    try:
        args: Struct = _decoder(method.args).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_arguments(error, raw) from error
    return args


def _read_object(raw: Raw) -> dict[str, Any]:
    try:
        args: dict[str, Any] = _decoder(dict[str, Any]).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_arguments(error, raw) from error
    return args


def _bad_arguments(error: Exception, raw: Raw) -> Unsupported:
    fault = fault_of(error, raw)
    field = f"args.{fault.field}" if fault.field else "args"
    return _refused(field, fault.expected, fault.found)


def _refused(field: str, expected: str, found: str) -> Unsupported:
    return Unsupported("bad-arguments", field, expected=expected, found=found)


def calendar_fault(calendar: Calendar, *, now: int, host_zone: str) -> str:
    """Why this host cannot read the calendar; empty where it can. A zone may be unknown here that others know."""
    try:
        next_opening(calendar, at=now, host_zone=host_zone)
    except InvalidInput as error:
        return clip(str(error))
    return ""


def _check_window(window: WireWindow, now: int, host_zone: str) -> None:
    if window.end <= window.begin:
        raise _refused("window.end", f"later than {window.begin}", str(window.end))
    if window.cutoff_at is not None and not window.begin < window.cutoff_at <= window.end:
        expected = f"later than {window.begin}, at most {window.end}"
        raise _refused("window.cutoff_at", expected, str(window.cutoff_at))
    if window.missed == "next" and window.calendar is None:
        raise _refused("window.calendar", "a calendar, as missed is next", "none")
    if window.calendar and (fault := calendar_fault(window.calendar, now=now, host_zone=host_zone)):
        raise _refused("window.calendar", "one that can be read here", fault)


def _check_times(request: Request, now: int) -> None:
    if request.timeout == 0:
        raise _refused("timeout", "more than 0 ms", "0")
    for field, last in (
        ("accept_by", request.accept_by),
        ("expires", request.expires),
        ("issued", request.issued + TOMBSTONE),
    ):
        if now > last:
            raise Unsupported(
                "expired", field, expected=f"to come at {last} or before", found=str(now)
            )
