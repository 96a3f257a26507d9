"""A history event's details in a few words. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from msgspec import Raw

from pulp.client.text import when
from pulp.client.views import (
    ABSENT,
    Change,
    HistoryEvent,
    HistoryType,
    Override,
    PackagesResult,
    Restart,
    View,
    read,
)
from pulp.common.times import format_duration

_SHOWN = 3


class _Answer(View, frozen=True, kw_only=True):
    """A final that came after its task had ended otherwise."""

    type: str = ""
    code: str = ""
    message: str = ""
    value: Raw = ABSENT


class _Details(View, frozen=True, kw_only=True):
    """What the types of events have in common; each fills some."""

    action: str = ""
    code: str = ""
    message: str = ""
    packages: Any = None
    to: str = ""
    answer: _Answer | None = None
    bound: str = ""
    unbound: str = ""
    enforced: bool | None = None
    override: Override = Override()


def summary(event: HistoryEvent) -> str:
    """`nginx absent → 1.22, zlib1g 1.2 → 1.3 and 4 more`, or why something failed."""
    details = read(event.details, _Details)
    if details is None:
        return ""
    if event.type == HistoryType.REBOOTED.value:
        return _restart(event)
    if isinstance(details.packages, list):
        return packages(event)
    if isinstance(details.packages, int):
        return f"{details.packages} package{'' if details.packages == 1 else 's'}"
    if details.code:
        return f"{details.action} [{details.code}]: {details.message}".strip()
    if details.answer is not None:
        return _late(details.answer)
    if event.type == HistoryType.OVERRIDE_USED.value:
        return f"outside the host's windows: {details.override.reason}"
    if event.type == HistoryType.WINDOWS_CHANGED.value:
        return _windows(details)
    return "the installed packages changed" if details.to else ""


class _Ran(View, frozen=True, kw_only=True):
    started_at: datetime
    finished_at: datetime


class _Late(View, frozen=True, kw_only=True):
    ran: _Ran | None = None


def ran(event: HistoryEvent, zone: tzinfo) -> str:
    """From when to when the work was done, where the event tells of it later."""
    late = read(event.details, _Late)
    if late is None or late.ran is None:
        return ""
    return f"{when(late.ran.started_at, zone)} to {when(late.ran.finished_at, zone)}"


def _windows(details: _Details) -> str:
    if details.enforced is not None:
        return f"its windows are {'' if details.enforced else 'not '}enforced from now on"
    return f"bound {details.bound}" if details.bound else f"unbound {details.unbound}"


def _restart(event: HistoryEvent) -> str:
    restart = read(event.details, Restart)
    if restart is None or not restart.took:
        return "the host was started anew"
    reasons = f" ({', '.join(restart.reasons[:_SHOWN])})" if restart.reasons else ""
    return f"back after {format_duration(restart.took)}{reasons}"


def _late(answer: _Answer) -> str:
    """`succeeded: nginx absent → 1.22`, `failed [not-found]: ...`"""
    if answer.code:
        return f"{answer.type} [{answer.code}]: {answer.message}"
    result = read(answer.value, PackagesResult)
    changed = _changes(result.changes) if result else ""
    return answer.type + (f": {changed}" if changed else "")


class _Packages(View, frozen=True, kw_only=True):
    packages: list[Change]


def packages(event: HistoryEvent) -> str:
    found = read(event.details, _Packages)
    if found is None:
        return ""
    return _changes(found.packages)


def _changes(changed: list[Change]) -> str:
    asked_first = sorted(changed, key=lambda c: not c.requested)
    words = [f"{c.name} {c.from_ or 'absent'} → {c.to or 'absent'}" for c in asked_first[:_SHOWN]]
    more = len(asked_first) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "")
