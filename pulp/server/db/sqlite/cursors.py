"""Cursors of lists: opaque to callers, a list's name and the sort key of the last item inside."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from pulp.server.db.base import BadCursor, Page

Key = tuple[int | str, ...]
T = TypeVar("T")

LARGEST = 2**63 - 1


def encode(name: str, *key: int | str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([name, *key])).rstrip(b"=").decode("ascii")


def decode(text: str, name: str, *types: type) -> Key:
    """The key behind a cursor of the list `name`; BadCursor when it is none."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        given, *key = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=list)
    except (ValueError, msgspec.DecodeError):
        raise _bad(text) from None
    if given != name or [type(part) for part in key] != list(types) or not all(map(_fits, key)):
        raise _bad(text)
    return tuple(key)


def page(items: Sequence[T], limit: int, cursor: Callable[[T], str]) -> Page[T]:
    """A page of at most `limit`, out of `limit` + 1 items read: the extra one says that there is more."""
    shown = list(items[:limit])
    return Page(shown, cursor(shown[-1]) if len(items) > limit else None)


def _fits(part: object) -> bool:
    return not isinstance(part, int) or abs(part) <= LARGEST


def _bad(text: str) -> BadCursor:
    return BadCursor(
        f"after: {text[:64]!r} is no cursor of this list: take the `next` of a page as it is"
    )
