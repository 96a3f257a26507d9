"""How a controller asks for a long poll: through the WSGI environment, where our gateway puts one of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulp.server.webservices.serving.waiters import Ticket, Waiters

ENVIRON = "pulp.poll"


@dataclass(slots=True)
class Poll:
    """One request's chance to wait. `resumed`: it has waited, and is to answer now."""

    waiters: Waiters
    resumed: bool = False
    ticket: Ticket | None = None
    after: int = 0
    seconds: float = 0

    def watch(self, task_id: str) -> bool:
        """Before the task is read. False: too many wait, answer at once."""
        self.ticket = self.waiters.watch(task_id)
        return self.ticket is not None

    def wait(self, *, after: int, seconds: float) -> None:
        """The request shall wait: whatever it answers now is dropped, and it is asked again when there is news."""
        self.after, self.seconds = after, seconds

    def drop(self) -> None:
        """The request shall not wait after all."""
        if self.ticket is not None:
            self.waiters.forget(self.ticket)
            self.ticket = None

    @property
    def waiting(self) -> bool:
        return self.ticket is not None and self.seconds > 0


def poll_of(environ: Mapping[str, Any]) -> Poll | None:
    """None under another WSGI server than ours: answer at once."""
    poll = environ.get(ENVIRON)
    return poll if isinstance(poll, Poll) else None
