"""One call as the agent knows it. Changed by `CallTable.apply` only, but for what is of this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import msgspec

from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import Lane
from pulp.rmi.messages import CallStatus, Final, Request, WireWindow
from pulp.rmi.versions import newest


class Phase(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


UNTOLD = -1


class _Args(msgspec.Struct):
    dry_run: bool = False


@dataclass(slots=True)
class Call:
    """One call that is not confirmed yet. `request` is None where the journal has lost it or never had it.

    Of this process only: `opens`, what a waiting call waits for (ms UTC); `told`, what the server was told of that.
    """

    id: str
    request: Request | None = None
    window: WireWindow | None = None
    expires: int = 0
    plan: int = 0
    taken: int = 0
    phase: Phase = Phase.WAITING
    started: int | None = None
    attempt: int = 0
    overrode: bool = False
    boot: str = ""
    final: Final | None = None
    ended: int = 0
    order: int = field(default=0, compare=False)
    opens: int | None = field(default=None, compare=False)
    told: int | None = field(default=UNTOLD, compare=False)

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

    @property
    def changes_host(self) -> bool:
        """Whether the host's own windows are about it: a dry run changes nothing."""
        if self.lane is not Lane.HOST or self.request is None:
            return self.lane is Lane.HOST
        try:
            return not msgspec.json.decode(self.request.args, type=_Args).dry_run
        except msgspec.MsgspecError:
            return True

    def starts(self, now: int) -> int | None:
        """When a call that is held may start; None: it is not held."""
        opens = self.opens
        if opens is None and self.window is not None:
            opens = self.window.begin
        return opens if self.phase is Phase.WAITING and opens is not None and now < opens else None

    def status(self, now: int) -> CallStatus:
        if self.phase is Phase.WAITING:
            return CallStatus(self.id, "ready" if self.starts(now) is None else "held")
        return CallStatus(self.id, "running" if self.phase is Phase.RUNNING else "done")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A confirmed call's id, kept so that it is never executed again."""

    at: int
    canceled: bool
