"""One entry of a host's history: all that it says, and its log. For `consumer history HOST --show ENTRY`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from msgspec import Raw

from pulp.client import report
from pulp.client.history import ran, summary
from pulp.client.runtime import Runtime
from pulp.client.text import clean, clean_lines, when
from pulp.client.views import (
    ABSENT,
    Change,
    HistoryEvent,
    Override,
    PackagesResult,
    View,
    read,
)


class _Answer(View, frozen=True, kw_only=True):
    value: Raw = ABSENT
    details: Raw = ABSENT


class _Details(View, frozen=True, kw_only=True):
    """Where the types of events keep what package work did."""

    details: Raw = ABSENT
    answer: _Answer = _Answer()


class _Outside(View, frozen=True, kw_only=True):
    """How it did not keep to windows. overrun: ms."""

    override: Override | None = None
    overrun: int = 0


class _Changed(View, frozen=True, kw_only=True):
    packages: list[Change]


def show(runtime: Runtime, consumer_id: str, entry: str, *, json: bool) -> None:
    with runtime.client() as client:
        answer = client.history_entry(consumer_id, entry)
    out, zone = runtime.output(json=json), runtime.zone()
    out.one(answer, lambda event: _facts(event, zone))
    if not json:
        for line in _work(answer.value):
            out.line(line)


def _facts(event: HistoryEvent, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield "entry", event.id
    yield "time", when(event.at, zone)
    yield "type", event.type
    yield "by", event.originator
    yield "task", event.task_id or ""
    yield "what", summary(event)
    yield "ran", ran(event, zone)
    outside = read(event.details, _Outside) or _Outside()
    if outside.override:
        yield "override", f"{clean(outside.override.reason)}, by {clean(outside.override.by)}"
    if outside.overrun:
        yield "overrun", f"{report.duration(outside.overrun)} after the end of its window"


def _work(event: HistoryEvent) -> Iterator[str]:
    changed = read(event.details, _Changed)
    if changed is not None:
        yield from ["", *report.changes(changed.packages)]
        return
    result = _result(event)
    if result is None:
        return
    if result.changes:
        yield from ["", "What was done:", *report.changes(result.changes)]
    if result.log:
        yield from ["", "Log:", *clean_lines(result.log)]


def _result(event: HistoryEvent) -> PackagesResult | None:
    details = read(event.details, _Details)
    if details is None:
        return None
    places = (details.details, details.answer.value, details.answer.details)
    return next(filter(None, (read(place, PackagesResult) for place in places)), None)
