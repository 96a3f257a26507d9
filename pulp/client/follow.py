"""Following a task to its end, also over a server that goes away meanwhile. Says what happens as events; prints nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pulp.client.errors import ClientError, RefusedError, UnreachableError
from pulp.client.rest import RestClient
from pulp.client.transport import Pause
from pulp.client.views import Answer, Task

AWAY_LIMIT = 15 * 60.0
"""Seconds of pauses after which a server that stays away is given up; the task goes on without us."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 15.0
_UNCHANGED_PAUSE = 0.5
"""Kept after an answer without news, so that a server that does not hold questions back is not asked in a tight loop."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The task as the server has it now; perhaps as before."""

    task: Answer[Task]


@dataclass(frozen=True, slots=True)
class Away:
    """The server does not answer; it is asked again in `pause` seconds."""

    error: ClientError
    pause: float


@dataclass(frozen=True, slots=True)
class Back:
    """The server answers again."""


Event = Seen | Away | Back


def follow(client: RestClient, task: Answer[Task], *, pause: Pause) -> Iterator[Event]:
    """Events until the task is final; the last is its Seen. ClientError when the server refuses or stays away."""
    outage: _Outage | None = None
    yield Seen(task)
    while not task.value.final:
        try:
            newer, leave = client.task_after(task.value.id, task.value.revision)
        except ClientError as error:
            outage = outage or _Outage()
            seconds = outage.next_pause(error)
            yield Away(error, seconds)
            pause(seconds)
            continue
        if outage is not None:
            outage = None
            yield Back()
        news = newer.value.revision != task.value.revision
        task = newer
        yield Seen(task)
        if not task.value.final and (leave or not news):
            pause(leave or _UNCHANGED_PAUSE)


class _Outage:
    """One absence of the server: growing pauses, spread so that many clients do not come back in step."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._pause = _FIRST_PAUSE

    def next_pause(self, error: ClientError) -> float:
        """Seconds until the next try. Raises `error` when waiting cannot help or has lasted too long."""
        if not _may_pass(error) or self._spent >= AWAY_LIMIT:
            raise error
        seconds = self._pause * random.uniform(0.8, 1.2)
        self._spent += seconds
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return seconds


def _may_pass(error: ClientError) -> bool:
    if isinstance(error, RefusedError):
        return error.temporary
    return isinstance(error, UnreachableError)
