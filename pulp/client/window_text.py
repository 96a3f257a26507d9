"""Windows and freezes in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

from pulp.client.errors import BadUsage
from pulp.client.text import when
from pulp.client.window_views import HostPreview, NamedWindow, PreviewSpan

_SORTS = {
    "window": "a window: work may start in it",
    "freeze": "a freeze: no work may start in it",
}


def only_of(role: str, window: NamedWindow) -> None:
    """A freeze is not taken for a window, nor the other way round. BadUsage names the right command."""
    if window.role != role:
        raise BadUsage(f"{window.name} is a {window.role}: say pulp-admin {window.role} ...")


def _span_of(window: NamedWindow, zone: tzinfo) -> str:
    return f"{when(window.begin, zone)} to {when(window.end, zone)}"


def rule_of(window: NamedWindow, zone: tzinfo) -> str:
    """`FREQ=DAILY 22:00 Europe/Berlin, 4h`, or from when to when it is."""
    if window.rrule is None:
        return _span_of(window, zone)
    days = f" {window.offset_days:+d}d" if window.offset_days else ""
    clock = (window.dtstart or "").partition("T")[2]
    return f"{window.rrule}{days} {clock} {window.zone}, {window.duration}"


def where(w: NamedWindow) -> str:
    bound = "1 host" if w.hosts == 1 else f"{w.hosts} hosts"
    return "everywhere" if w.everywhere else bound


def facts(w: NamedWindow, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield "name", w.name
    yield "is", _SORTS.get(w.role, w.role)
    if w.rrule is None:
        yield "once", _span_of(w, zone)
    else:
        yield "rule", w.rrule + (f", {w.offset_days:+d} days" if w.offset_days else "")
        yield "from", f"{w.dtstart} {'of each host' if w.zone == 'host' else w.zone}"
        yield "for", w.duration or ""
    yield "last start", f"{w.cutoff} before its end" if w.cutoff else ""
    yield "holds for", where(w)
    yield "made by", f"{w.created_by}, {when(w.created_at, zone)}"


def preview_rows(item: HostPreview) -> list[tuple[str, ...]]:
    """HOST, what, from and until in UTC, last start, the same on the clocks of a zone."""
    named = [("frozen", span) for span in item.frozen] + [("open", span) for span in item.openings]
    return [
        (
            item.consumer or "-",
            what,
            _utc(span.begin),
            _utc(span.end),
            _utc(span.cutoff_at) if what == "open" else "",
            f"{item.zone}: {_local(span)}",
        )
        for what, span in named
    ]


def _local(span: PreviewSpan) -> str:
    """`2026-12-01 22:00 to 2026-12-02 02:00`."""
    return f"{span.local_begin.replace('T', ' ')} to {span.local_end.replace('T', ' ')}"


def _utc(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"
