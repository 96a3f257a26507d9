"""Core: from the decision that the host is to be restarted to its end (docs/WIRE.md, rule 12).

The decision is on disk, with the boot it is about, before the call's final is; the system is asked only once the final is
confirmed, or was not for a while. A restart that was decided is due as long as the host has not been started anew: whatever
dies in between, that is judged by the boot alone, so it is done, and it is not done again.
"""

from __future__ import annotations

from pulp.common.times import HOUR, MINUTE, SECOND
from pulp_agent.call import Call, Phase
from pulp_agent.desk import Desk
from pulp_agent.events import RestartHost
from pulp_agent.records import RestartAsked, RestartDue, RestartOver

CONFIRM_PATIENCE = 30 * SECOND
"""So long the final may take to be confirmed. After that the host restarts all the same: it is sent again then."""
AGAIN = 2 * MINUTE
"""A host that is still there so long after its system was asked is asked again, or is given up."""
SOON = 10 * SECOND
"""The same for an agent that was started after that: a system that goes down starts nothing."""
ASKS = 2
DUE = HOUR
"""An agent that was away for longer does not surprise anybody with it."""


class Restarting:
    """While a restart is due nothing else that changes the host is started. Times are of the monotonic clock, in ms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._since = 0
        self._again: int | None = None

    def begin(self) -> None:
        """After the journal was read."""
        desk, due = self._desk, self._desk.table.restart
        if due is None:
            return
        if due.boot != desk.me.boot_id:
            self._over()
            desk.log("info", "The host was restarted", call=due.id)
        else:
            self._since = desk.at.mono
            self._again = desk.at.mono + SOON if desk.table.restart_asks else None

    @property
    def due(self) -> bool:
        return self._desk.table.restart is not None

    def decided(self, call: Call, boot: str, before: int | None) -> None:
        """Before its final is given. Who was started anew meanwhile has been restarted. before: ms UTC, None: any time."""
        desk = self._desk
        if boot == desk.me.boot_id:
            due = desk.at.wall + DUE
            before = due if before is None else min(before, due)
            desk.append(RestartDue(id=call.id, boot=boot, before=before))
            self._since, self._again = desk.at.mono, None

    def step(self) -> None:
        """Ask the system if it is time."""
        desk, due = self._desk, self._desk.table.restart
        if due is None:
            return
        if desk.at.wall >= due.before:
            self.refused("It is too late for it.")
            return
        moment = self.wake()
        if moment is None or desk.at.mono < moment:
            return
        if desk.table.restart_asks >= ASKS:
            self.refused("It was asked, and the host is still there.")
            return
        desk.append(RestartAsked(id=due.id, at=desk.at.wall))
        self._again = desk.at.mono + AGAIN
        desk.out.append(RestartHost(due.id))

    def wake(self) -> int | None:
        """When it is time to ask, or to look again; None: something else must happen first."""
        due, opened = self._desk.table.restart, self._desk.table.open
        if due is None:
            return None
        call = opened.get(due.id)
        if call is not None and call.phase is not Phase.DONE:
            return None  # its final was torn off the journal, and is given anew
        if self._again is not None:
            return self._again
        return self._since if call is None else self._since + CONFIRM_PATIENCE

    def refused(self, problem: str) -> None:
        """The host goes on as it is; who asked for it learns it by its not coming back."""
        due = self._desk.table.restart
        if due is not None:
            self._over()
            self._desk.log("error", "The host does not restart", call=due.id, problem=problem)

    def _over(self) -> None:
        due = self._desk.table.restart
        if due is not None:
            self._desk.append(RestartOver(id=due.id))
