"""The one table of a task's legal moves, and what each end of a task is called in state and history (docs/API.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pulp.common.errors import PulpError
from pulp.server.domain.history import HistoryType
from pulp.server.domain.task import TaskState as S


class Event(Enum):
    """Everything that can happen to a task."""

    DUE = "due"  # its start time is reached
    SENT = "sent"  # its call is stored and goes out
    RESEND = "resend"  # the agent does not know a call it never accepted
    HELD = "held"  # the agent has it and waits for its window
    READY = "ready"  # the agent has it and it is next
    STARTED = "started"  # the agent works on it
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the code decides which final state

    __hash__ = object.__hash__


class IllegalMove(PulpError):
    code = "illegal-move"


_OPEN = (S.SCHEDULED, S.WAITING, S.HELD, S.RUNNING)

MOVES: dict[tuple[S, Event], S] = {
    (S.SCHEDULED, Event.DUE): S.WAITING,
    # A restored store may hold as scheduled what an agent has had, and done, since.
    (S.SCHEDULED, Event.HELD): S.HELD,
    (S.SCHEDULED, Event.READY): S.RUNNING,
    (S.SCHEDULED, Event.STARTED): S.RUNNING,
    (S.SCHEDULED, Event.SUCCEEDED): S.FINISHED,
    (S.WAITING, Event.SENT): S.WAITING,
    (S.WAITING, Event.RESEND): S.WAITING,
    (S.WAITING, Event.HELD): S.HELD,
    (S.WAITING, Event.READY): S.RUNNING,
    (S.WAITING, Event.STARTED): S.RUNNING,
    (S.HELD, Event.READY): S.RUNNING,
    (S.HELD, Event.STARTED): S.RUNNING,
    (S.RUNNING, Event.HELD): S.HELD,  # a replan before the start moves it back under a window
    (S.RUNNING, Event.STARTED): S.RUNNING,
    (S.WAITING, Event.SUCCEEDED): S.FINISHED,
    (S.HELD, Event.SUCCEEDED): S.FINISHED,
    (S.RUNNING, Event.SUCCEEDED): S.FINISHED,
}


@dataclass(frozen=True, slots=True)
class End:
    state: S
    history: HistoryType


ENDS: dict[str, End] = {
    "canceled": End(S.CANCELED, HistoryType.ACTION_CANCELED),
    "consumer-unregistered": End(S.CANCELED, HistoryType.ACTION_CANCELED),
    "accept-timeout": End(S.TIMED_OUT, HistoryType.ACTION_FAILED),
    "timeout": End(S.TIMED_OUT, HistoryType.ACTION_FAILED),
    "window-missed": End(S.MISSED, HistoryType.WINDOW_MISSED),
    "expired": End(S.MISSED, HistoryType.WINDOW_MISSED),
}
"""Codes with an end of their own; every other code is an error."""

_ERROR = End(S.ERROR, HistoryType.ACTION_FAILED)


def end_of(code: str) -> End:
    """The final state and history type of a failure with this code."""
    return ENDS.get(code, _ERROR)


def move(state: S, event: Event, code: str = "") -> S:
    """The next state; IllegalMove when the table has none."""
    if event is Event.FAILED:
        if state.final:
            raise IllegalMove(f"a task that is {state.value} cannot fail any more")
        return end_of(code).state
    try:
        return MOVES[state, event]
    except KeyError:
        raise IllegalMove(f"a task that is {state.value} cannot take {event.value}") from None
