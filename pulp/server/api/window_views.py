"""From stored windows and freezes to answers, and what comes next in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from pulp.common.calendar import (
    HORIZON,
    HOST,
    Calendar,
    OneOff,
    Opening,
    Recurring,
    is_open,
    openings,
)
from pulp.common.calendar.zones import load_zone, wall_time_at
from pulp.common.times import to_datetime
from pulp.server.api.window_hosts import UNKNOWN_ZONE, zone_of
from pulp.server.api.window_types import HostPreview, NamedWindowView, SpanView
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.window import NamedWindow, WindowRole, calendar_of


def window_view(window: NamedWindow, hosts: int) -> NamedWindowView:
    span = window.span
    rule = span if isinstance(span, Recurring) else None
    once = span if isinstance(span, OneOff) else None
    return NamedWindowView(
        name=window.name,
        role=window.role.value,
        revision=window.revision,
        created_by=window.created_by,
        created_at=to_datetime(window.created_at),
        rrule=rule.rrule if rule else None,
        dtstart=rule.dtstart if rule else None,
        zone=rule.zone if rule else None,
        offset_days=rule.offset_days if rule else 0,
        begin=to_datetime(once.begin) if once else None,
        end=to_datetime(once.end) if once else None,
        duration=rule.duration if rule else None,
        cutoff=span.cutoff,
        everywhere=window.everywhere,
        hosts=hosts,
    )


class Previews:
    """What comes next in one window or freeze, on one host after the other."""

    def __init__(self, window: NamedWindow, count: int, now: int) -> None:
        self._window = window
        self._count = count
        self._now = now
        self._known: dict[tuple[Calendar, str, str], list[SpanView]] = {}

    def of(self, consumer: Consumer | None, windows: Iterable[NamedWindow]) -> HostPreview:
        """On a host where these windows and freezes hold, whether or not this one is among them; None: on no host, with those
        that hold everywhere."""
        host_zone = zone_of(consumer) or UNKNOWN_ZONE
        zone = self._zone(host_zone)
        calendar = self._calendar(consumer, windows)
        opens = self._next(calendar, host_zone, zone)
        frozen: list[SpanView] = []
        if self._window.role is WindowRole.FREEZE:
            frozen = self._next(Calendar(windows=(self._window.span,)), host_zone, zone)
        return HostPreview(
            consumer=consumer.id if consumer else None,
            zone=zone,
            openings=opens,
            frozen=frozen,
            says=" ".join(self._remarks(consumer, calendar, host_zone, opens)),
        )

    def _calendar(self, consumer: Consumer | None, windows: Iterable[NamedWindow]) -> Calendar:
        """Of a window, itself and the host's freezes; of a freeze, the host's windows and freezes, with this one."""
        theirs = calendar_of(consumer, windows) if consumer else _freezes_of(windows)
        span = self._window.span
        if self._window.role is WindowRole.WINDOW:
            return Calendar(windows=(span,), freezes=theirs.freezes)
        if span in theirs.freezes:
            return theirs
        return Calendar(windows=theirs.windows, freezes=(*theirs.freezes, span))

    def _zone(self, host_zone: str) -> str:
        span = self._window.span
        own = span.zone if isinstance(span, Recurring) else HOST
        return host_zone if own == HOST else own

    def _next(self, calendar: Calendar, host_zone: str, zone: str) -> list[SpanView]:
        """Hosts with the same calendar in the same zone are reckoned once."""
        key = (calendar, host_zone, zone)
        if key not in self._known:
            now = self._now
            ahead = openings(calendar, begin=now, end=now + HORIZON, host_zone=host_zone)
            left = (opening for opening in ahead if opening.cutoff_at > now)
            self._known[key] = [_span_view(each, zone) for each in islice(left, self._count)]
        return self._known[key]

    def _remarks(
        self, consumer: Consumer | None, calendar: Calendar, host_zone: str, opens: list[SpanView]
    ) -> Iterable[str]:
        if self._in_hosts_zone() and zone_of(consumer) is None:
            yield f"{_zoneless(consumer)}: the times are those of {host_zone}."
        if not opens and (calendar.windows or consumer is not None):
            yield is_open(calendar, at=self._now, host_zone=host_zone).sentence()
        if consumer is not None and not _holds(self._window, consumer):
            yield f"It is not bound to {consumer.id}."

    def _in_hosts_zone(self) -> bool:
        span = self._window.span
        return isinstance(span, Recurring) and span.zone == HOST


def _zoneless(consumer: Consumer | None) -> str:
    if consumer is None:
        return "It opens by each host's own clock"
    if consumer.agent is None:
        return f"{consumer.id} has not told its time zone yet"
    return f"The time zone of {consumer.id}, {consumer.agent.timezone}, is not known here"


def _freezes_of(windows: Iterable[NamedWindow]) -> Calendar:
    """On no host there is nothing for a freeze to leave, also where windows hold everywhere."""
    spans = [each.span for each in windows if each.role is WindowRole.FREEZE]
    return Calendar(windows=(), freezes=tuple(spans))


def _holds(window: NamedWindow, consumer: Consumer) -> bool:
    return window.everywhere or window.name in consumer.windows


def _span_view(opening: Opening, zone: str) -> SpanView:
    clock = load_zone(zone)
    local = [wall_time_at(at, clock) for at in (opening.begin, opening.end)]
    return SpanView(
        begin=to_datetime(opening.begin),
        end=to_datetime(opening.end),
        cutoff_at=to_datetime(opening.cutoff_at),
        local_begin=f"{local[0]:%Y-%m-%dT%H:%M}",
        local_end=f"{local[1]:%Y-%m-%dT%H:%M}",
    )
