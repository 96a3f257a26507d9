"""What the parts of the agent's core share: its state, the moment, and the commands of this turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pulp.common.times import MINUTE
from pulp.rmi.fit import fit
from pulp.rmi.interfaces import Method
from pulp.rmi.messages import Accepted, Final, Started, ToServer
from pulp_agent.call import Call, Phase
from pulp_agent.calls import CallTable
from pulp_agent.events import Append, Command, Instant, Log, Send
from pulp_agent.records import AnyRecord, Ended

OFFSET_WARNS = 2 * MINUTE
OFFSET_REFUSES = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Me:
    """Who this agent is and what it can do; does not change while it runs.

    `names`: the consumer's id and uid, which requests are addressed to. `confirm`: what says that a final is committed, its
    accepted delivery (`outcome`) or a message (`message`). `heartbeat`: ms between two `alive`, 0 for none.
    """

    names: frozenset[str]
    version: str
    methods: Mapping[tuple[str, int], Method]
    features: frozenset[str]
    boot_id: str
    timezone: str
    os: Mapping[str, Any]
    journal_id: str
    confirm: Literal["outcome", "message"]
    heartbeat: int = 0


@dataclass(slots=True)
class Desk:
    """One turn's work: `at` is its moment, `out` what it wishes. `online`: welcomed and not disconnected since."""

    me: Me
    table: CallTable
    at: Instant = field(default_factory=lambda: Instant(0, 0))
    out: list[Command] = field(default_factory=list)
    online: bool = False
    progress_every: int = 1000
    server: Instant | None = None
    """The server's time as `wall`, at the agent's `mono`: from the last welcome."""

    @property
    def server_now(self) -> int:
        """The server's clock as far as it is known, else this host's."""
        if self.server is None:
            return self.at.wall
        return self.server.wall + self.at.mono - self.server.mono

    @property
    def offset(self) -> int:
        """ms this host's clock is ahead of the server's; 0 where it is not known."""
        return self.at.wall - self.server_now

    @property
    def skewed(self) -> bool:
        return abs(self.offset) > OFFSET_REFUSES

    def append(self, record: AnyRecord, *, sync: bool = True) -> None:
        self.table.apply(record)
        self.out.append(Append(record, sync))

    def send(self, message: ToServer, *, presettled: bool = False) -> None:
        """What cannot be sent now is told again at the next welcome, or was only progress."""
        if self.online:
            self.out.append(Send(message, presettled))

    def end(self, final: Final) -> None:
        """Give the one answer."""
        final = fit(final)
        self.append(Ended(final=final, at=self.at.wall))
        self.send(final)

    def tell(self, call: Call) -> None:
        """Say where this call stands."""
        if call.final is not None:
            self.send(call.final)
        elif call.phase is Phase.WAITING:
            starts = call.starts(self.at.wall)
            state: Literal["held", "ready"] = "ready" if starts is None else "held"
            self.send(Accepted(id=call.id, state=state, starts=starts))
        else:
            self.send(Accepted(id=call.id, state="ready"))
            self.send(Started(id=call.id, at=call.started or 0))

    def log(self, level: Literal["info", "warning", "error"], message: str, **extra: Any) -> None:
        self.out.append(Log(level, message, extra))
