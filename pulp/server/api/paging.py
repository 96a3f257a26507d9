"""Lists: one page at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pulp.server.api.errors import invalid
from pulp.server.api.types import ListView
from pulp.server.db.base import BadCursor, Page

T = TypeVar("T")
V = TypeVar("V")


def listed(read: Callable[[], Page[T]], view: Callable[[T], V]) -> ListView[V]:
    """The page that `read` gives, viewed; a cursor the store does not know is a bad `after`."""
    try:
        page = read()
    except BadCursor as error:
        raise invalid(
            "after", "is no cursor of this list: take `next` of the page before, or leave it out"
        ) from error
    return ListView(items=[view(item) for item in page.items], next=page.next)
