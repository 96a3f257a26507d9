"""What windows and freezes do to hosts: their zones, and whether anything is left that opens."""

from __future__ import annotations

from collections.abc import Iterable

from pulp.common.calendar import Calendar, next_opening
from pulp.common.calendar.zones import load_zone
from pulp.server.api.errors import invalid
from pulp.server.db.base import Store
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.window import NamedWindow, calendar_of

UNKNOWN_ZONE = "UTC"
"""Stands for the zone of a host that has not told one yet, or one that this server does not know."""

PAGE = 1000
"""So many windows and freezes are read at a time."""


def zone_of(consumer: Consumer | None) -> str | None:
    """The host's own zone; None where it is not known here."""
    if consumer is None or consumer.agent is None:
        return None
    try:
        load_zone(consumer.agent.timezone)
    except ValueError:
        return None
    return consumer.agent.timezone


def closed(consumer: Consumer, windows: Iterable[NamedWindow], now: int) -> str | None:
    """Why nothing will ever start in the host's windows any more, if that is somebody's mistake.

    That a host has no window, or none that is not over, is a mistake only where its windows are enforced.
    """
    calendar, zone = calendar_of(consumer, windows), zone_of(consumer) or UNKNOWN_ZONE
    if next_opening(calendar, at=now, host_zone=zone) is not None:
        return None
    unfrozen = Calendar(windows=calendar.windows)
    if next_opening(unfrozen, at=now, host_zone=zone) is not None:
        freezes = ", ".join(freeze.name for freeze in calendar.freezes)
        names = ", ".join(window.name for window in calendar.windows)
        return f"{freezes} would leave nothing of {names} on {consumer.id}"
    if consumer.enforced:
        return f"no window would open any more on {consumer.id}, whose windows are enforced"
    return None


def refuse_closing(
    field: str,
    fix: str,
    before: tuple[Consumer, Iterable[NamedWindow]],
    after: tuple[Consumer, Iterable[NamedWindow]],
    now: int,
) -> None:
    """InvalidInput when nothing would start any more on a host where something would have."""
    why = closed(*after, now)
    if why is not None and closed(*before, now) is None:
        raise invalid(field, f"{why}: {fix}")


def refuse_closing_any(
    store: Store, field: str, old: NamedWindow | None, new: NamedWindow, now: int
) -> None:
    """InvalidInput when this change of a window or freeze leaves nothing that opens on some host that it concerns.

    Read outside of the unit of work that writes the change: it may take a second, and is true of a moment ago.
    """
    everywhere = new.everywhere or (old is not None and old.everywhere)
    concerned = None if everywhere else new.name
    stored = _stored_windows(store)
    before, after = list(stored.values()), list((stored | {new.name: new}).values())
    fix = "change it, or give that host another window first"
    for consumer in store.read(lambda uow: uow.consumers.unlike(concerned)):
        refuse_closing(field, fix, (consumer, before), (consumer, after), now)


def _stored_windows(store: Store) -> dict[str, NamedWindow]:
    found: dict[str, NamedWindow] = {}
    after: str | None = None
    while True:
        page = store.read(lambda uow, a=after: uow.windows.page(None, a, PAGE))  # type: ignore[misc]
        found |= {each.name: each for each in page.items}
        after = page.next
        if after is None:
            return found
