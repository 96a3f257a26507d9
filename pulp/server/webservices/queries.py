"""The query strings of the routes, as types."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pulp.common.times import DAY, parse_time
from pulp.server.api.errors import invalid
from pulp.server.api.types import Body, HistoryTypeName, NoteKey, NoteValue, TaskStateName

LONGEST_WAIT = 30

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOST_PLUS = re.compile(r" ([0-9]{2}:[0-9]{2})$")
_EPOCH = date(1970, 1, 1)


Revision = Annotated[int, Meta(ge=0, le=2**53 - 1, description="a revision: a whole number")]


class NoQuery(Body, frozen=True, kw_only=True):
    """A route without parameters."""


class PageQuery(Body, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=1000, description="a number from 1 to 1000")] = 100
    after: Annotated[str, Meta(max_length=1024)] | None = None


class ConsumersQuery(PageQuery, frozen=True, kw_only=True):
    online: bool | UnsetType = UNSET  # not None: a query's `null` is no value
    q: Annotated[str, Meta(max_length=256)] = ""
    window: Annotated[str, Meta(max_length=64)] | None = None
    notes: dict[NoteKey, NoteValue] = msgspec.field(default_factory=dict)


class PackagesQuery(PageQuery, frozen=True, kw_only=True):
    name: Annotated[
        str,
        Meta(
            pattern=r"^[^*\x00-\x20\x7f]{1,200}[*]?$(?!\n)",
            description="a package's name, or the beginning of names with '*' behind it, such as openssl or libssl*",
        ),
    ]
    version: Annotated[str, Meta(max_length=256)] | None = None
    arch: Annotated[str, Meta(max_length=64)] | None = None


class PlanQuery(PageQuery, frozen=True, kw_only=True):
    """limit: of hosts."""

    days: Annotated[int, Meta(ge=1, le=31, description="a number from 1 to 31")] = 7
    consumer: Annotated[str, Meta(max_length=128)] | None = None


class TasksQuery(PageQuery, frozen=True, kw_only=True):
    state: list[TaskStateName] = msgspec.field(default_factory=list)
    consumer: Annotated[str, Meta(max_length=128)] | None = None
    job: Annotated[str, Meta(max_length=128)] | None = None
    kind: Annotated[str, Meta(max_length=128)] | None = None


class TaskQuery(Body, frozen=True, kw_only=True):
    """wait: seconds to wait for a revision newer than `after` (than the present one, where `after` is left out)."""

    wait: Annotated[
        float, Meta(ge=0, le=LONGEST_WAIT, description="a number of seconds from 0 to 30")
    ] = 0
    after: Revision | UnsetType = UNSET


class HistoryQuery(PageQuery, frozen=True, kw_only=True):
    """from, to: RFC 3339, or a bare date that covers its day in UTC; both ends are inclusive."""

    type: list[HistoryTypeName] = msgspec.field(default_factory=list)
    from_: Annotated[str, Meta(max_length=40)] | None = msgspec.field(name="from", default=None)
    to: Annotated[str, Meta(max_length=40)] | None = None
    order: Literal["desc", "asc"] = "desc"

    @property
    def begin(self) -> int | None:
        """ms UTC; InvalidInput."""
        return None if self.from_ is None else bound("from", self.from_, 0)

    @property
    def end(self) -> int | None:
        """The last ms; InvalidInput."""
        return None if self.to is None else bound("to", self.to, DAY - 1)


def bound(field: str, text: str, of_day: int) -> int:
    """A time as ms; of a bare date the ms `of_day` of that day in UTC."""
    try:
        if _DATE.fullmatch(text):
            return (date.fromisoformat(text) - _EPOCH).days * DAY + of_day
        return parse_time(
            _LOST_PLUS.sub(r"+\1", text)
        )  # an unescaped + of an offset arrives as a space
    except ValueError:
        message = f"is {text!r}: it must be an RFC 3339 time such as 2026-12-01T12:00:00Z, or a date such as 2026-12-01"
        raise invalid(field, message) from None
