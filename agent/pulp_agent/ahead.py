"""Core: fetches what held calls will need before their openings, where their windows wish it (docs/WIRE.md, rule 9).

One fetch at a time, beside no work that changes the host, and ended as soon as such work starts. Nothing of it is journaled: what
is forgotten is fetched again, and what is there already costs little.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pulp.common.times import DAY, MINUTE, SECOND
from pulp.rmi.interfaces import Lane
from pulp_agent.agenda import Agenda
from pulp_agent.call import Call
from pulp_agent.desk import Desk
from pulp_agent.events import EndFetch, FetchEnded, StartFetch

SPREAD = DAY
"""A fetch is begun at most so long before the opening (ms): what is fetched earlier is out of date by then."""
MARGIN = 10 * MINUTE
"""It is begun so long before the opening, at the latest, where the call came early enough for that."""
LEAST = MINUTE
"""So near to the opening it is not begun any more."""
TRIES = 3
RETRY = 5 * MINUTE
"""Before a failed one is tried again; four times as long before the last try."""
_TIMEOUT_GRACE = 10 * SECOND
_NOTHING_TO_FETCH = frozenset({"remove", "remove_group", "repair"})


@dataclass(slots=True)
class _Wish:
    """What is to be fetched for one opening (`opens`, ms UTC), and not before `at`."""

    opens: int
    at: int
    tries: int = 0


@dataclass(slots=True)
class _Fetch:
    """The one that runs; `ends`: when it is given up, by the monotonic clock. Once told to end it settles nothing any more."""

    call: Call
    wish: _Wish
    ends: int
    told_to_end: bool = False


class Ahead:
    """`since`: when this agent began (ms UTC). Whoever changes anything calls `pump` in the end."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._agenda = Agenda()
        self._wishes: dict[str, _Wish] = {}
        self._fetch: _Fetch | None = None
        self.since = 0

    def expect(self, call: Call, opens: int) -> None:
        """The call is held until `opens` (ms UTC)."""
        wish = self._wishes.get(call.id)
        if call.window is None or not call.window.predownload or not _can_be_fetched(call):
            self.drop(call.id)
        elif wish is None or wish.opens != opens:
            self._wishes[call.id] = wish = _Wish(opens, self._moment(call, opens))
            self._agenda.hold(call, wish.at)

    def _moment(self, call: Call, opens: int) -> int:
        """Anywhere between now and shortly before the opening, and the same at every look: a fleet does not come all at once."""
        begin = max(call.taken, self.since, opens - SPREAD)
        room = max(0, opens - MARGIN - begin)
        share = zlib.crc32(f"{call.id} {opens}".encode()) / 2**32
        return begin + int(room * share)

    def drop(self, call_id: str) -> None:
        """Nothing is to be fetched for this call any more."""
        self._agenda.drop(call_id)
        self._wishes.pop(call_id, None)
        if self._fetch is not None and self._fetch.call.id == call_id:
            self._end(self._fetch)

    def give_way(self) -> None:
        """Work that changes the host starts now. What is ended for it is begun again after it."""
        fetch = self._fetch
        if fetch is None or fetch.told_to_end:
            return
        self._end(fetch)
        if self._is_wished(fetch):
            fetch.wish.tries -= 1
            self._agenda.hold(fetch.call, fetch.wish.at)

    def _end(self, fetch: _Fetch) -> None:
        if not fetch.told_to_end:
            fetch.told_to_end = True
            self._desk.out.append(EndFetch())

    def end_all(self) -> None:
        """What an earlier life has left running; it is not known of here."""
        self._desk.out.append(EndFetch())

    def pump(self, *, idle: bool) -> None:
        """Look at what is due, and begin the next, in order of acceptance. `idle`: nothing changes the host, or is to."""
        at = self._desk.at
        if self._fetch and at.mono >= self._fetch.ends and not self._fetch.told_to_end:
            self._end(self._fetch)
            self._settle(self._fetch, "it took longer than the call's timeout")
        for due in self._agenda.take_due(at.wall):
            self._place(self._desk.table.open[due])
        while idle and self._fetch is None and (first := self._agenda.first(Lane.HOST)) is not None:
            self._start(self._desk.table.open[first])

    def _place(self, call: Call) -> None:
        """Wait, stand in line, or leave it be: it is too late then, and the opening itself is near."""
        wish, now = self._wishes[call.id], self._desk.at.wall
        closes = wish.opens - LEAST
        if max(now, wish.at) >= closes:
            self._agenda.drop(call.id)
        elif now < wish.at:
            self._agenda.hold(call, wish.at)
        else:
            self._agenda.line_up(call, closes)

    def _start(self, call: Call) -> None:
        request, wish = call.request, self._wishes[call.id]
        self._agenda.drop(call.id)
        if request is None:
            return
        wish.tries += 1
        ends = self._desk.at.mono + request.timeout + _TIMEOUT_GRACE
        self._fetch = _Fetch(call, wish, ends)
        args = bytes(request.args)
        self._desk.log("info", "Fetching ahead", call=call.id, opens=wish.opens)
        self._desk.out.append(
            StartFetch(call.id, call.path, request.version, args, request.timeout)
        )

    def ended(self, event: FetchEnded) -> None:
        fetch = self._fetch
        if fetch is None or fetch.call.id != event.id:
            return  # of an earlier life
        self._fetch = None
        if not fetch.told_to_end:
            self._settle(fetch, event.problem)

    def _settle(self, fetch: _Fetch, problem: str) -> None:
        call, wish = fetch.call, fetch.wish
        if not problem:
            self._desk.log("info", "Fetched ahead", call=call.id)
            return
        self._desk.log("warning", "Fetching ahead failed", call=call.id, problem=problem)
        if wish.tries < TRIES and self._is_wished(fetch):
            wish.at = self._desk.at.wall + RETRY * 4 ** (wish.tries - 1)
            self._agenda.hold(call, wish.at)

    def _is_wished(self, fetch: _Fetch) -> bool:
        """Not where the call has another opening by now, or waits no more."""
        return self._wishes.get(fetch.call.id) is fetch.wish

    def wakes(self) -> Iterator[int]:
        """When to look again (ms UTC)."""
        at, look = self._desk.at, self._agenda.next_look()
        if look is not None:
            yield look
        if self._fetch is not None and not self._fetch.told_to_end:
            yield at.wall + max(0, self._fetch.ends - at.mono)


def _can_be_fetched(call: Call) -> bool:
    """Package work that changes the host and may need packages that it does not have."""
    request = call.request
    return (
        request is not None
        and request.class_ == "Packages"
        and request.method not in _NOTHING_TO_FETCH
        and call.changes_host
    )
