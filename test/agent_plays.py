"""Play scripts for the agent's core: an event in, exactly these commands out; virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from pulp_agent.calls import CallTable
from pulp_agent.core import Core
from pulp_agent.desk import Me
from pulp_agent.events import (
    Accept,
    Append,
    Begun,
    Command,
    Connected,
    EndFetch,
    Event,
    Failure,
    Instant,
    JobEnded,
    Log,
    Received,
    Send,
    StartJob,
    Success,
    UseServer,
    WakeAt,
)
from pulp_agent.records import AnyRecord

from pulp.common.times import HOUR, MINUTE
from pulp.rmi.interfaces import METHODS
from pulp.rmi.messages import Request, ToServer, Welcome, WireWindow
from pulp.rmi.versions import FEATURES

T0 = 1_800_000_000_000
INSTALL_ARGS = b'{"packages":[{"name":"nginx"}]}'
_json = msgspec.json.Encoder()
_record: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


def me(**changes: Any) -> Me:
    values: dict[str, Any] = {
        "names": frozenset({"web1", "u-1"}),
        "version": "0.1.0",
        "methods": METHODS,
        "features": FEATURES,
        "boot_id": "boot",
        "timezone": "UTC",
        "os": {"id": "debian"},
        "journal_id": "journal",
        "confirm": "outcome",
    }
    return Me(**(values | changes))


def request(call_id: str = "a", **changes: Any) -> Request:
    values: dict[str, Any] = {
        "id": call_id,
        "consumer": "web1",
        "class_": "Packages",
        "method": "install",
        "version": 1,
        "args": Raw(INSTALL_ARGS),
        "by": "ann",
        "issued": T0,
        "needs": [],
        "window": None,
        "plan": 1,
        "accept_by": T0 + 24 * HOUR,
        "expires": T0 + 48 * HOUR,
        "timeout": HOUR,
    }
    return Request(**(values | changes))


def windowed(call_id: str = "a", *, begin: int, end: int, **changes: Any) -> Request:
    """Window bounds relative to T0."""
    window = WireWindow(begin=T0 + begin, end=T0 + end)
    return request(call_id, window=window, needs=["window"], **({"expires": T0 + end} | changes))


def welcome(now: int = T0, progress_every: int = 1000, features: Sequence[str] = ()) -> Welcome:
    return Welcome(
        now=now,
        features=list(features),
        ca=[],
        signing_keys=[],
        urls=[],
        progress_every=progress_every,
    )


def success(changed: bool = True) -> Success:
    return Success(Raw(b'{"backend":"apt"}'), finished=T0 + MINUTE, changed=changed)


def failure(code: str = "script") -> Failure:
    return Failure(code, "It failed.", finished=T0 + MINUTE)


class Play:
    """A core and its disk: `journal` holds every record as the file would, `crash` starts a new core from it."""

    def __init__(self, **changes: Any) -> None:
        self.me = me(**changes)
        self.wall, self.mono = T0, 5_000
        self.lines: list[bytes] = []
        self.commands: list[Command] = []
        self.core = Core(self.me, CallTable())

    def crash(self) -> list[Command]:
        """SIGKILL, then a start: all that is left is what was written. Whatever was fetched ahead is ended at every start."""
        self.mono = 9_000
        self.core = Core(self.me, CallTable(map(_record.decode, self.lines)))
        commands = self.does(Begun())
        commands.remove(EndFetch())
        return commands

    def goes(self, ms: int) -> None:
        """Time passes."""
        self.wall += ms
        self.mono += ms

    def does(self, event: Event) -> list[Command]:
        self.commands = list(self.core.handle(Instant(self.wall, self.mono), event))
        self._write(self.commands)
        return self.commands

    def _write(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Append):
                self.lines.append(_json.encode(command.record))

    def connects(self, **changes: Any) -> list[ToServer]:
        """Link up and welcomed: what was sent after hello."""
        self.does(Connected(len(self.lines)))
        return self.gets(welcome(**({"now": self.wall} | changes)))

    def gets(self, message: Any) -> list[ToServer]:
        """The server's message arrives: what is sent, after checking that it is accepted last of all that lasts."""
        commands = self.does(Received(message, handle="h"))
        assert commands[-1] == Accept("h")
        return self.sent()

    def sent(self) -> list[ToServer]:
        return [c.message for c in self.commands if isinstance(c, Send)]

    def sends(self, event: Event) -> list[ToServer]:
        self.does(event)
        return self.sent()

    def started(self) -> list[str]:
        return [c.id for c in self.commands if isinstance(c, StartJob)]

    def wakes(self) -> int | None:
        wakes = [c.at for c in self.commands if isinstance(c, WakeAt)]
        assert len(wakes) <= 1
        return wakes[0] if wakes else None

    def other(self) -> list[Command]:
        """The commands but for the journal, the alarm clock, logs and what welcome always brings."""
        ignored = (Append, WakeAt, Log, UseServer, Accept, Send)
        return [c for c in self.commands if not isinstance(c, ignored)]

    def ends(self, call_id: str = "a", outcome: Any = None) -> list[ToServer]:
        return self.sends(JobEnded(call_id, outcome or success()))


def online(**changes: Any) -> Play:
    play = Play(**changes)
    play.does(Begun())
    assert play.connects() == []
    return play
