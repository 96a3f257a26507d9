"""Makes a final answer small enough for the wire: a final must always fit (docs/WIRE.md, "Message")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from pulp.rmi.codec import encode
from pulp.rmi.errors import LocalCallError
from pulp.rmi.faults import clip
from pulp.rmi.messages import Canceled, Failed, Final, Rejected, Succeeded

_LONGEST_TEXT = 4_000  # characters of a sentence or a value that is left when there is no room
_KEPT_OF_CHANGE = ("name", "arch", "action", "from", "to", "outcome")

_Data = dict[str, Any]


def fit(final: Final) -> Final:
    """The final itself if it can be sent, else the fullest smaller one.

    The log goes first, unmarked. What is cut after that is marked `truncated`: the largest lists and texts are emptied, then
    `changes` lose all but name, from, to and outcome, and last of all their tail. Every field keeps its type, so the
    value can still be read as the method's result; a reader that stores lists must look at `truncated`.
    """
    if _fits(final):
        return final
    return next(filter(_fits, _smaller(final)))


def _fits(final: Final) -> bool:
    try:
        encode(final)
    except LocalCallError:
        return False
    return True


def _smaller(final: Final) -> Iterator[Final]:
    match final:
        case Rejected():
            yield replace(final, expected=_text(final.expected), found=_text(final.found))
        case Succeeded():
            for value, truncated in _cuts(final.value):
                yield replace(final, value=value, **_mark(truncated))
        case Failed():
            final = replace(final, message=_text(final.message))
            for details, truncated in _cuts(final.details):
                yield replace(final, details=details, **_mark(truncated))
        case Canceled():
            pass
    raise LocalCallError(f"the final of call {clip(final.id)!r} cannot be written at all")


def _mark(truncated: bool) -> dict[str, bool]:
    return {"truncated": True} if truncated else {}


def _text(text: str) -> str:
    """Short, and writable: output of package tools may hold what is no Unicode."""
    return clip(text.encode("utf-8", "replace").decode(), _LONGEST_TEXT)


def _cuts(raw: Raw) -> Iterator[tuple[Raw, bool]]:
    """(value, truncated), each smaller than the one before."""
    yield raw, False
    data = msgspec.json.decode(raw)
    if isinstance(data, dict):
        if data.get("log"):
            data["log"] = ""
            yield _raw(data), False
        for _ in _shrink(data):
            yield _raw(data), True
    yield Raw(b"null"), True


def _raw(data: _Data) -> Raw:
    return Raw(msgspec.json.encode(data))


def _shrink(data: _Data) -> Iterator[None]:
    """Cut one more part of `data` at each step."""
    changes = data.get("changes")
    others = [key for key in data if key != "changes" or not isinstance(changes, list)]
    for key in sorted(others, key=lambda key: len(msgspec.json.encode(data[key])), reverse=True):
        emptied = _emptied(data[key])
        if emptied != data[key]:
            data[key] = emptied
            yield
    if isinstance(changes, list):
        yield from _shrink_changes(data, changes)


def _shrink_changes(data: _Data, changes: list[Any]) -> Iterator[None]:
    data["changes"] = changes = [_core(change) for change in changes]
    yield
    while changes:
        data["changes"] = changes = changes[: len(changes) // 2]
        yield


def _core(change: Any) -> Any:
    if not isinstance(change, dict):
        return change
    return {key: change[key] for key in _KEPT_OF_CHANGE if key in change}


def _emptied(value: Any) -> Any:
    if isinstance(value, list | dict):
        return type(value)()
    return _text(value) if isinstance(value, str) else value
