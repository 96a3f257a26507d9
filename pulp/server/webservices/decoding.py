"""Bodies and query strings into their types. A good one is decoded once, fast; a bad one is taken apart again so that every
bad field is named."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct, UnsetType

from pulp.common.errors import FieldError, InvalidInput
from pulp.rmi.faults import fault_of
from pulp.server.webservices.problems import HttpError, UnsupportedMediaType

MOST_FAULTS = 50
MOST_PARAMETERS = 100
NOTE = "note."
"""Query parameters `note.KEY=VALUE` are gathered in the field `notes`."""

S = TypeVar("S", bound=Struct)
Faults = Iterator[FieldError]


def decode_body(raw: bytes, content_type: str, type_: type[S]) -> S:
    """An empty body stands for `{}`. UnsupportedMediaType; HttpError for what is no JSON; InvalidInput with every bad field."""
    if not raw:
        raw = b"{}"
    elif not _is_json(content_type):
        found = content_type or "none"
        raise UnsupportedMediaType(
            f"the body must be application/json in UTF-8; its type is {found}"
        )
    decoder: msgspec.json.Decoder[S] = _decoder(type_)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidInput(_every_fault(_any_json(raw), type_, error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _any_json(raw)
        raise HttpError("the body cannot be read") from error


def decode_query(query: str, type_: type[S]) -> S:
    """InvalidInput names every unknown, repeated or bad parameter."""
    data = _parameters(query, type_)
    try:
        return msgspec.convert(data, type_, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(_every_fault(data, type_, error, strict=False)) from error


def _any_json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpError(f"the body is no JSON: {error}") from error
    except RecursionError as error:
        raise HttpError("the body is nested too deeply") from error


def _is_json(content_type: str) -> bool:
    kind, _, rest = content_type.partition(";")
    charset = rest.strip().lower().replace('"', "")
    return kind.strip().lower() == "application/json" and charset in ("", "charset=utf-8")


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def _parameters(query: str, type_: type[Struct]) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise HttpError(f"more than {MOST_PARAMETERS} query parameters") from error
    lists, notes = _query_shape(type_)
    data: dict[str, Any] = {}
    for name, value in pairs:
        if notes and name.startswith(NOTE):
            data.setdefault("notes", {})[name.removeprefix(NOTE)] = value
        elif name in lists:
            data.setdefault(name, []).append(value)
        elif name in data or (notes and name == "notes"):
            reason = "is given twice" if name in data else "is no parameter: use note.KEY=VALUE"
            raise InvalidInput([FieldError(name, reason)])
        else:
            data[name] = value
    return data


@cache
def _query_shape(type_: type[Struct]) -> tuple[frozenset[str], bool]:
    """The parameters that may be repeated, and whether there are notes."""
    fields = {f.encode_name: _bare(f.type) for f in msgspec.structs.fields(type_)}
    lists = frozenset(name for name, kind in fields.items() if get_origin(kind) is list)
    return lists, "notes" in fields


# --- every bad field ---


def _every_fault(
    value: Any, type_: Any, error: msgspec.ValidationError, *, strict: bool = True
) -> list[FieldError]:
    found = list(islice(_faults(value, type_, "", strict), MOST_FAULTS))
    return found or [_own_fault(error, "", type_, value)]


def _faults(value: Any, type_: Any, path: str, strict: bool) -> Faults:
    try:
        msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        inner = False
        for fault in _inner_faults(value, type_, path, strict):
            inner = True
            yield fault
        if not inner:
            yield _own_fault(error, path, type_, value)


def _inner_faults(value: Any, type_: Any, path: str, strict: bool) -> Faults:
    kind = _member_for(value, _bare(type_))
    if isinstance(kind, type) and issubclass(kind, Struct) and isinstance(value, dict):
        yield from _struct_faults(value, kind, path, strict)
    elif get_origin(kind) is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, get_args(kind)[0], f"{path}[{index}]", strict)
    elif get_origin(kind) is dict and isinstance(value, dict):
        key_type, item_type = get_args(kind)
        for key, item in value.items():
            yield from _faults(key, key_type, _join(path, key), strict)
            yield from _faults(item, item_type, _join(path, key), strict)


def _struct_faults(value: dict[str, Any], kind: type[Struct], path: str, strict: bool) -> Faults:
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, _join(path, name), strict)
        elif field.required:
            yield FieldError(_join(path, name), "is missing")
    known = ", ".join(fields) or "none"
    for name in value:
        if name not in fields:
            yield FieldError(_join(path, name), f"is not known here; known are: {known}")


def _own_fault(error: msgspec.ValidationError, path: str, type_: Any, value: Any) -> FieldError:
    fault = fault_of(error)
    words = _words(type_, value)
    wanted = f"must be {words}" if words else f"must be {fault.expected}"
    found = "" if fault.found == "another value" else f", found {fault.found}"
    where = _join(path, fault.field) if path and fault.field else path or fault.field
    return FieldError(where, wanted + found)


def _words(type_: Any, value: Any) -> str:
    """What the type says of itself: its Meta's description, or the choices of a Literal; of a union, its text member's."""
    metas = [m for m in getattr(type_, "__metadata__", ()) if isinstance(m, Meta)]
    described = next((m.description for m in reversed(metas) if m.description), "")
    if described:
        return described
    bare = type_ if get_origin(type_) is not Annotated else get_args(type_)[0]
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(map(str, get_args(bare)))
    if get_origin(bare) in (Union, UnionType) and isinstance(value, str | int | float):
        return next(filter(None, (_words(member, value) for member in get_args(bare))), "")
    return ""


def _bare(type_: Any) -> Any:
    """Without Annotated, and without None or UNSET where one other kind is left."""
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    if get_origin(type_) in (Union, UnionType):
        members = [m for m in get_args(type_) if m not in (NoneType, UnsetType)]
        if len(members) == 1:
            return _bare(members[0])
    return type_


def _member_for(value: Any, kind: Any) -> Any:
    """Of a union, the member that a value of this JSON kind must have been meant for."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    for member in map(_bare, get_args(kind)):
        if isinstance(value, dict) and isinstance(member, type) and issubclass(member, Struct):
            return member
    return kind


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
