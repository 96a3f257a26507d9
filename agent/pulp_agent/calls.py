"""The calls this agent has, as the journal's records add up to them. State changes by `apply` only, running or replaying."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import msgspec

from pulp.rmi.checks import TOMBSTONE
from pulp.rmi.messages import Canceled, Failed, Final, Succeeded
from pulp_agent.call import Call, Phase, Tombstone
from pulp_agent.hours import Hours
from pulp_agent.records import (
    AnyRecord,
    Began,
    Confirmed,
    Ended,
    Kept,
    Lasted,
    Moved,
    Opening,
    ProfileKnown,
    Replanned,
    RestartAsked,
    RestartDue,
    RestartOver,
    Took,
)

RECENT_BYTES = 256 * 1024
"""Answers that are kept after their confirmation, so that a straggling repetition gets the very same one."""


class CallTable:
    """Open calls in order of acceptance, tombstones, used windows, and the profile the server knows."""

    def __init__(self, records: Iterable[AnyRecord] = ()) -> None:
        self.open: dict[str, Call] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.hours = Hours()
        self.profile_hash: str | None = None
        self.restart: RestartDue | None = None
        self.restart_asks = 0
        self._recent: OrderedDict[str, Final] = OrderedDict()
        self._recent_bytes = 0
        self._taken = 0
        for record in records:
            self.apply(record)

    def knows(self, call_id: str) -> bool:
        return call_id in self.open or call_id in self.tombstones

    def in_phase(self, phase: Phase) -> list[Call]:
        return [call for call in self.open.values() if call.phase is phase]

    def recent(self, call_id: str) -> Final | None:
        """A confirmed call's answer, where it is still kept."""
        return self._recent.get(call_id)

    def apply(self, record: AnyRecord) -> None:
        match record:
            case Took():
                self._took(record)
            case Replanned():
                self._replanned(record)
            case Moved():
                self._moved(record)
            case Began():
                self._began(record)
            case Ended():
                self._ended(record)
            case Confirmed():
                for call_id in record.ids:
                    self._confirmed(call_id, record.at)
            case _:
                self._of_host(record)

    def _took(self, record: Took) -> None:
        request = record.request
        if self.knows(request.id):
            return
        self._taken += 1
        self.open[request.id] = Call(
            id=request.id,
            order=self._taken,
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

    def _moved(self, record: Moved) -> None:
        """Back to waiting, also for what had begun: it is not an execution of it any more."""
        call = self.open.get(record.id)
        if call is None or call.window is None or call.phase is Phase.DONE:
            return
        self.hours.missed(call.window, record.at)
        call.phase, call.started, call.attempt = Phase.WAITING, None, 0
        call.overrode, call.boot = False, ""
        call.window = msgspec.structs.replace(
            call.window, begin=record.begin, end=record.end, cutoff_at=record.cutoff_at
        )

    def _began(self, record: Began) -> None:
        if record.id in self.tombstones:
            return
        call = self.open.setdefault(record.id, Call(record.id, taken=record.at))
        if call.phase is Phase.DONE:
            return
        call.phase, call.attempt = Phase.RUNNING, record.attempt
        call.started = record.at if call.started is None else call.started
        call.overrode = call.overrode or record.overrode
        call.boot = record.boot
        if call.window:
            self.hours.used(call.window)

    def _ended(self, record: Ended) -> None:
        final = record.final
        if final.id in self.tombstones:
            return
        call = self.open.setdefault(final.id, Call(final.id, taken=record.at))
        if call.phase is Phase.DONE:
            return
        call.phase, call.final, call.ended = Phase.DONE, final, record.at
        if call.window and isinstance(final, Failed) and final.code == "window-missed":
            self.hours.missed(call.window, record.at)

    def _of_host(self, record: AnyRecord) -> None:
        """What is about no call, or about more than one."""
        match record:
            case Opening() | Lasted() | Kept():
                self.hours.apply(record)
            case ProfileKnown():
                self.profile_hash = record.hash
            case RestartDue():
                self.restart, self.restart_asks = record, 0
            case RestartAsked() if self.restart and self.restart.id == record.id:
                self.restart_asks += 1
            case RestartOver() if self.restart and self.restart.id == record.id:
                self.restart, self.restart_asks = None, 0

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
        self.hours.prune(before)

    def snapshot(self) -> Iterator[AnyRecord]:
        """Records that add up to this very table; what the journal is compacted to."""
        yield from self.hours.snapshot()
        if self.profile_hash is not None:
            yield ProfileKnown(hash=self.profile_hash)
        for call_id, tombstone in self.tombstones.items():
            yield from self._buried(call_id, tombstone)
        for call in self.open.values():
            yield from _history(call)
        if self.restart is not None:
            yield self.restart
            asked = RestartAsked(id=self.restart.id, at=0)
            yield from [asked] * self.restart_asks

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
        if call.plan != call.request.plan or call.window != call.request.window:
            yield Replanned(id=call.id, plan=call.plan, window=call.window, expires=call.expires)
    if call.started is not None:
        yield Began(
            id=call.id,
            at=call.started,
            attempt=call.attempt,
            overrode=call.overrode,
            boot=call.boot,
        )
    if call.final is not None:
        yield Ended(final=call.final, at=call.ended)


def _size(final: Final) -> int:
    if isinstance(final, Succeeded):
        return 200 + len(final.value)
    return 200 + len(final.details) if isinstance(final, Failed) else 200
