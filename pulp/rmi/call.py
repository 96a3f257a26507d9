"""The server's view of one call: what each message of the agent does to it (docs/WIRE.md, rules 1, 3, 5 and 6).

A pure table; who stores the state, sends again or writes history is not its business.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pulp.rmi.errors import LocalCallError
from pulp.rmi.messages import (
    Accepted,
    Canceled,
    Failed,
    Message,
    Progress,
    Rejected,
    Started,
    Succeeded,
    TooLate,
    Unknown,
)


class CallState(Enum):
    UNSENT = "unsent"
    """Written down; nobody was told yet, or the agent has said that it never got it."""
    SENT = "sent"
    HELD = "held"
    """The agent has it and waits for its window."""
    READY = "ready"
    """The agent has it and takes it next."""
    RUNNING = "running"
    ENDED = "ended"

    __hash__ = object.__hash__  # Enum's own is Python code, and this is looked up for every message


class Verdict(Enum):
    MOVED = "moved"
    """The state went forward."""
    REPEATED = "repeated"
    """Known already, overtaken by what came before it, or news within the same state: progress, and a held call's `starts`."""
    ENDED = "ended"
    """The one final: the call has its result."""
    LATE = "late"
    """A final for a call that had ended: it changes nothing, and what really happened must still be recorded."""
    RESEND = "resend"
    """The agent never got it: send it again."""
    LOST = "lost"
    """The agent had accepted it and has it no more: it ends as lost and is never sent again."""
    TOO_LATE = "too-late"
    """The answer to a cancel or replan that changes nothing; the call's own final follows or is repeated."""


class Step(NamedTuple):
    state: CallState
    verdict: Verdict


class Event(Enum):
    """What a message means for the call's state; several messages may mean the same."""

    HELD = "held"
    READY = "ready"
    RUNNING = "running"
    FINAL = "final"
    TOO_LATE = "too-late"
    UNKNOWN = "unknown"

    __hash__ = object.__hash__


_S, _E, _V = CallState, Event, Verdict

MOVES: dict[tuple[CallState, Event], Step] = {
    # A call may be answered before the server has noted that it was sent, so UNSENT and SENT differ in `unknown` only.
    (_S.UNSENT, _E.HELD): Step(_S.HELD, _V.MOVED),
    (_S.UNSENT, _E.READY): Step(_S.READY, _V.MOVED),
    (_S.UNSENT, _E.RUNNING): Step(_S.RUNNING, _V.MOVED),
    (_S.UNSENT, _E.FINAL): Step(_S.ENDED, _V.ENDED),
    (_S.UNSENT, _E.TOO_LATE): Step(_S.UNSENT, _V.TOO_LATE),
    (_S.UNSENT, _E.UNKNOWN): Step(_S.UNSENT, _V.REPEATED),
    (_S.SENT, _E.HELD): Step(_S.HELD, _V.MOVED),
    (_S.SENT, _E.READY): Step(_S.READY, _V.MOVED),
    (_S.SENT, _E.RUNNING): Step(_S.RUNNING, _V.MOVED),
    (_S.SENT, _E.FINAL): Step(_S.ENDED, _V.ENDED),
    (_S.SENT, _E.TOO_LATE): Step(_S.SENT, _V.TOO_LATE),
    (_S.SENT, _E.UNKNOWN): Step(_S.UNSENT, _V.RESEND),
    # The agent has it: forward from here, but for a call that is held again: its opening has moved, by a replan or as it was
    # missed, and what had begun of it has changed nothing.
    (_S.HELD, _E.HELD): Step(_S.HELD, _V.REPEATED),
    (_S.HELD, _E.READY): Step(_S.READY, _V.MOVED),
    (_S.HELD, _E.RUNNING): Step(_S.RUNNING, _V.MOVED),
    (_S.HELD, _E.FINAL): Step(_S.ENDED, _V.ENDED),
    (_S.HELD, _E.TOO_LATE): Step(_S.HELD, _V.TOO_LATE),
    (_S.HELD, _E.UNKNOWN): Step(_S.ENDED, _V.LOST),
    (_S.READY, _E.HELD): Step(_S.HELD, _V.MOVED),
    (_S.READY, _E.READY): Step(_S.READY, _V.REPEATED),
    (_S.READY, _E.RUNNING): Step(_S.RUNNING, _V.MOVED),
    (_S.READY, _E.FINAL): Step(_S.ENDED, _V.ENDED),
    (_S.READY, _E.TOO_LATE): Step(_S.READY, _V.TOO_LATE),
    (_S.READY, _E.UNKNOWN): Step(_S.ENDED, _V.LOST),
    (_S.RUNNING, _E.HELD): Step(_S.HELD, _V.MOVED),
    (_S.RUNNING, _E.READY): Step(_S.RUNNING, _V.REPEATED),
    (_S.RUNNING, _E.RUNNING): Step(_S.RUNNING, _V.REPEATED),
    (_S.RUNNING, _E.FINAL): Step(_S.ENDED, _V.ENDED),
    (_S.RUNNING, _E.TOO_LATE): Step(_S.RUNNING, _V.TOO_LATE),
    (_S.RUNNING, _E.UNKNOWN): Step(_S.ENDED, _V.LOST),
    # Nothing moves what has ended.
    (_S.ENDED, _E.HELD): Step(_S.ENDED, _V.REPEATED),
    (_S.ENDED, _E.READY): Step(_S.ENDED, _V.REPEATED),
    (_S.ENDED, _E.RUNNING): Step(_S.ENDED, _V.REPEATED),
    (_S.ENDED, _E.FINAL): Step(_S.ENDED, _V.LATE),
    (_S.ENDED, _E.TOO_LATE): Step(_S.ENDED, _V.TOO_LATE),
    (_S.ENDED, _E.UNKNOWN): Step(_S.ENDED, _V.REPEATED),
}
"""Every state × event."""

_EVENTS: dict[type[Message], Event] = {
    Started: Event.RUNNING,
    Progress: Event.RUNNING,
    Rejected: Event.FINAL,
    Succeeded: Event.FINAL,
    Failed: Event.FINAL,
    Canceled: Event.FINAL,
    TooLate: Event.TOO_LATE,
    Unknown: Event.UNKNOWN,
}


def advance(state: CallState, message: Message) -> Step:
    """What `message` does to a call in `state`. LocalCallError for a message that belongs to no call."""
    return MOVES[state, event_of(message)]


def event_of(message: Message) -> Event:
    if isinstance(message, Accepted):
        return Event.HELD if message.state == "held" else Event.READY
    try:
        return _EVENTS[type(message)]
    except KeyError:
        raise LocalCallError(f"{type(message).__name__} is no message about a call") from None
