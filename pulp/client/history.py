"""A history event's details in a few words. Pure."""

from __future__ import annotations

from typing import Any

from pulp.client.views import Change, HistoryEvent, View, read

_SHOWN = 3


class _Details(View, frozen=True, kw_only=True):
    """What the types of events have in common; each fills some."""

    action: str = ""
    code: str = ""
    message: str = ""
    packages: Any = None


def summary(event: HistoryEvent) -> str:
    """`nginx absent → 1.22, zlib1g 1.2 → 1.3 and 4 more`, or why something failed."""
    details = read(event.details, _Details)
    if details is None:
        return ""
    if isinstance(details.packages, list):
        return packages(event)
    if isinstance(details.packages, int):
        return f"{details.packages} packages"
    if details.code:
        return f"{details.action} [{details.code}]: {details.message}".strip()
    return ""


class _Packages(View, frozen=True, kw_only=True):
    packages: list[Change]


def packages(event: HistoryEvent) -> str:
    found = read(event.details, _Packages)
    if found is None:
        return ""
    asked_first = sorted(found.packages, key=lambda c: not c.requested)
    words = [f"{c.name} {c.from_ or 'absent'} → {c.to or 'absent'}" for c in asked_first[:_SHOWN]]
    more = len(asked_first) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "")
