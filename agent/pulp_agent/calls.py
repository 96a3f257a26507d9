"""The calls this agent has, as the journal's records add up to them. State changes by `apply` only, running or replaying."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from pulp.rmi.checks import TOMBSTONE
from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import Lane
from pulp.rmi.messages import CallStatus, Canceled, Failed, Final, Request, Succeeded, WireWindow
from pulp.rmi.versions import newest
from pulp_agent.records import (
    AnyRecord,
    Began,
    Confirmed,
    Ended,
    Opening,
    ProfileKnown,
    Replanned,
    Took,
)

RECENT_BYTES = 256 * 1024
"""Answers that are kept after their confirmation, so that a straggling repetition gets the very same one."""


class Phase(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(slots=True)
class Call:
    """One call that is not confirmed yet. `request` is None where the journal has lost it or never had it."""

    id: str
    request: Request | None = None
    window: WireWindow | None = None
    expires: int = 0
    plan: int = 0
    taken: int = 0
    phase: Phase = Phase.WAITING
    started: int | None = None
    attempt: int = 0
    final: Final | None = None
    ended: int = 0

    @property
    def lane(self) -> Lane:
        """HOST where the method is not known: the careful choice."""
        if self.request is None:
            return Lane.HOST
        try:
            return newest(self.path, self.request.version).lane
        except Unsupported:
            return Lane.HOST

    @property
    def path(self) -> str:
        """Such as `Packages.install`; empty where the request is not known."""
        return f"{self.request.class_}.{self.request.method}" if self.request else ""

    def held(self, now: int) -> bool:
        return self.phase is Phase.WAITING and self.window is not None and now < self.window.begin

    def status(self, now: int) -> CallStatus:
        if self.phase is Phase.WAITING:
            return CallStatus(self.id, "held" if self.held(now) else "ready")
        return CallStatus(self.id, "running" if self.phase is Phase.RUNNING else "done")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A confirmed call's id, kept so that it is never executed again."""

    at: int
    canceled: bool


class CallTable:
    """Open calls in order of acceptance, tombstones, used windows, and the profile the server knows."""

    def __init__(self, records: Iterable[AnyRecord] = ()) -> None:
        self.open: dict[str, Call] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.openings: dict[tuple[int, int], bool] = {}
        self.profile_hash: str | None = None
        self._recent: OrderedDict[str, Final] = OrderedDict()
        self._recent_bytes = 0
        for record in records:
            self.apply(record)

    def knows(self, call_id: str) -> bool:
        return call_id in self.open or call_id in self.tombstones

    def in_phase(self, phase: Phase) -> list[Call]:
        return [call for call in self.open.values() if call.phase is phase]

    def recent(self, call_id: str) -> Final | None:
        """A confirmed call's answer, where it is still kept."""
        return self._recent.get(call_id)

    def spent(self, window: WireWindow | None) -> bool:
        return window is not None and self.openings.get((window.begin, window.end), False)

    def apply(self, record: AnyRecord) -> None:
        match record:
            case Took():
                self._took(record)
            case Replanned():
                self._replanned(record)
            case Began():
                self._began(record)
            case Ended():
                self._ended(record)
            case Confirmed():
                for call_id in record.ids:
                    self._confirmed(call_id, record.at)
            case Opening():
                self.openings[record.begin, record.end] = record.closed
            case ProfileKnown():
                self.profile_hash = record.hash

    def _took(self, record: Took) -> None:
        request = record.request
        if self.knows(request.id):
            return
        self.open[request.id] = Call(
            id=request.id,
            request=request,
            window=request.window,
            expires=request.expires,
            plan=request.plan,
            taken=record.at,
        )

    def _replanned(self, record: Replanned) -> None:
        call = self.open.get(record.id)
        if call and call.phase is Phase.WAITING:
            call.plan, call.window, call.expires = record.plan, record.window, record.expires

    def _began(self, record: Began) -> None:
        if record.id in self.tombstones:
            return
        call = self.open.setdefault(record.id, Call(record.id, taken=record.at))
        if call.phase is Phase.DONE:
            return
        call.phase, call.attempt = Phase.RUNNING, record.attempt
        call.started = record.at if call.started is None else call.started
        if call.window:
            self.openings.setdefault((call.window.begin, call.window.end), False)

    def _ended(self, record: Ended) -> None:
        final = record.final
        if final.id in self.tombstones:
            return
        call = self.open.setdefault(final.id, Call(final.id, taken=record.at))
        if call.phase is Phase.DONE:
            return
        call.phase, call.final, call.ended = Phase.DONE, final, record.at
        if call.window and isinstance(final, Failed) and final.code == "window-missed":
            self.openings[call.window.begin, call.window.end] = True

    def _confirmed(self, call_id: str, at: int) -> None:
        """Only what has ended is ever confirmed: where the journal has lost its end, it is over all the same."""
        call = self.open.pop(call_id, None)
        final = call.final if call else None
        if call is None:
            self.tombstones.setdefault(call_id, Tombstone(at, canceled=False))
            return
        self.tombstones[call_id] = Tombstone(at, isinstance(final, Canceled))
        if final:
            self._remember(final)

    def _remember(self, final: Final) -> None:
        self._recent[final.id] = final
        self._recent_bytes += _size(final)
        while self._recent_bytes > RECENT_BYTES:
            _, dropped = self._recent.popitem(last=False)
            self._recent_bytes -= _size(dropped)

    def prune(self, now: int) -> None:
        """Drop tombstones and closed windows of more than 90 days ago."""
        before = now - TOMBSTONE
        for call_id in [i for i, t in self.tombstones.items() if t.at < before]:
            del self.tombstones[call_id]
            dropped = self._recent.pop(call_id, None)
            self._recent_bytes -= _size(dropped) if dropped else 0
        for span in [s for s, closed in self.openings.items() if closed and s[1] < before]:
            del self.openings[span]

    def snapshot(self) -> Iterator[AnyRecord]:
        """Records that add up to this very table; what the journal is compacted to."""
        for (begin, end), closed in self.openings.items():
            yield Opening(begin=begin, end=end, closed=closed)
        if self.profile_hash is not None:
            yield ProfileKnown(hash=self.profile_hash)
        for call_id, tombstone in self.tombstones.items():
            yield from self._buried(call_id, tombstone)
        for call in self.open.values():
            yield from _history(call)

    def _buried(self, call_id: str, tombstone: Tombstone) -> Iterator[AnyRecord]:
        final = self._recent.get(call_id)
        if final is None and tombstone.canceled:
            final = Canceled(id=call_id)
        if final is not None:
            yield Ended(final=final, at=tombstone.at)
        yield Confirmed(ids=[call_id], at=tombstone.at)


def _history(call: Call) -> Iterator[AnyRecord]:
    if call.request is not None:
        yield Took(request=call.request, at=call.taken)
        if call.plan != call.request.plan:
            yield Replanned(id=call.id, plan=call.plan, window=call.window, expires=call.expires)
    if call.started is not None:
        yield Began(id=call.id, at=call.started, attempt=call.attempt)
    if call.final is not None:
        yield Ended(final=call.final, at=call.ended)


def _size(final: Final) -> int:
    if isinstance(final, Succeeded):
        return 200 + len(final.value)
    return 200 + len(final.details) if isinstance(final, Failed) else 200
