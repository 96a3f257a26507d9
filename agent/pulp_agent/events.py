"""Events the agent's core takes and commands it gives: frozen values, the whole border between thinking and doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Raw

from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import InstalledPackage, ToAgent, ToServer
from pulp_agent.records import AnyRecord

Decision = Literal["commit", "cancel", "timeout", "late"]
"""What was decided first about an execution: its point of no return, or that it is given up and why."""

LATE = "late"
"""The code of a job that came to its point of no return when its window had closed; never sent to the server as such."""


@dataclass(frozen=True, slots=True)
class Instant:
    """`wall` decides windows (ms UTC), `mono` measures durations (ms, never goes back, counts suspended time)."""

    wall: int
    mono: int


# --- events ---


def no_details() -> Raw:
    return Raw(b"null")


@dataclass(frozen=True, slots=True)
class Begun:
    """The journal has been read; sent once, first."""


@dataclass(frozen=True, slots=True)
class Connected:
    """Both links are up. `journal_seq` counts what is safely on disk."""

    journal_seq: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    pass


@dataclass(frozen=True, slots=True)
class Refused:
    """The server knows none of this host's certificates: it was unregistered, or registered anew elsewhere."""


@dataclass(frozen=True, slots=True)
class Received:
    message: ToAgent
    handle: Any


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The server sent what could not be read; `error.call_id` is set where it could be read that far."""

    error: RemoteCallError
    handle: Any


@dataclass(frozen=True, slots=True)
class FinalDelivered:
    """The delivery of this call's final was accepted (by the server itself, or by a broker)."""

    id: str


@dataclass(frozen=True, slots=True)
class ProfileDelivered:
    hash: str


@dataclass(frozen=True, slots=True)
class JobProgressed:
    id: str
    phase: str
    percent: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Success:
    """`changed`: the host's packages may differ from before."""

    value: Raw
    finished: int
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    code: str
    message: str
    finished: int
    details: Raw = field(default_factory=no_details)
    changed: bool = False


Outcome = Success | Failure


@dataclass(frozen=True, slots=True)
class JobEnded:
    id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class JobLost:
    """The execution's process is gone and left no result. `began`: as far as its folder tells it came to run its handler; a
    hint for the log, as a power cut may have taken the folder."""

    id: str
    began: bool
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class CancelDecided:
    """`won`: the execution will not pass its point of no return any more."""

    id: str
    won: bool
    reason: Literal["cancel", "timeout"]


@dataclass(frozen=True, slots=True)
class FetchEnded:
    """What was fetched ahead for this call is there, or why it is not, in a sentence."""

    id: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RestartRefused:
    """The system was asked for the restart of its host and does not do it."""

    problem: str


@dataclass(frozen=True, slots=True)
class ProfileRead:
    hash: str
    packages: Sequence[InstalledPackage]


@dataclass(frozen=True, slots=True)
class RenewalDue:
    """A new key and its request for a certificate are on disk."""

    csr: str


@dataclass(frozen=True, slots=True)
class TimeIs:
    pass


@dataclass(frozen=True, slots=True)
class Leaving:
    """The agent is being stopped; jobs go on without it."""


Event = (
    Begun
    | Connected
    | Disconnected
    | Refused
    | Received
    | Unreadable
    | FinalDelivered
    | ProfileDelivered
    | JobProgressed
    | JobEnded
    | JobLost
    | CancelDecided
    | FetchEnded
    | RestartRefused
    | ProfileRead
    | RenewalDue
    | TimeIs
    | Leaving
)


# --- commands ---


@dataclass(frozen=True, slots=True)
class Append:
    """Write to the journal. All records of one batch are on disk before any other command of the batch is done;
    `sync=False` marks one whose loss only repeats work that is safe to repeat."""

    record: AnyRecord
    sync: bool = True


@dataclass(frozen=True, slots=True)
class Send:
    message: ToServer
    presettled: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """What this delivery caused is on disk."""

    handle: Any


@dataclass(frozen=True, slots=True)
class StartJob:
    """Run `method` (such as `Packages.install`) in a process of its own. `timeout` is ms of running. `resumed`: an earlier
    process of this execution is gone, and after a power cut nobody knows how far it came. `commit_before`: from that moment on
    (ms UTC) it may not begin to change anything. `fetch_only`: it may never, see StartFetch."""

    id: str
    method: str
    version: int
    args: bytes
    timeout: int
    resumed: bool = False
    commit_before: int | None = None
    fetch_only: bool = False


@dataclass(frozen=True, slots=True)
class AdoptJob:
    """An earlier agent process started this one: watch it, or tell what became of it."""

    id: str


@dataclass(frozen=True, slots=True)
class CancelJob:
    id: str
    reason: Literal["cancel", "timeout"]


@dataclass(frozen=True, slots=True)
class StartFetch:
    """Fetch what this call's execution will need, in a process of its own that can change nothing. `timeout` is ms of running.
    FetchEnded tells its end."""

    id: str
    method: str
    version: int
    args: bytes
    timeout: int


@dataclass(frozen=True, slots=True)
class EndFetch:
    """End all fetching at once, also what an earlier agent started; work is about to begin, or nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class ForgetJobs:
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send TimeIs when the wall clock reads `at`, and at every step of the clock; None: no need."""

    at: int | None


@dataclass(frozen=True, slots=True)
class ReadProfile:
    pass


@dataclass(frozen=True, slots=True)
class RestartHost:
    """Ask the system for it, in the name of this call."""

    id: str


@dataclass(frozen=True, slots=True)
class StoreCertificate:
    certificate: str
    ca: Sequence[str]


@dataclass(frozen=True, slots=True)
class UseServer:
    """What welcome says about where to connect and whom to trust; empty lists change nothing."""

    urls: Sequence[str]
    ca: Sequence[str]
    signing_keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Log:
    """`level` is a name of the logging module; the message is fixed, the values are in `extra`."""

    level: Literal["info", "warning", "error"]
    message: str
    extra: Mapping[str, Any]


Command = (
    Append
    | Send
    | Accept
    | StartJob
    | AdoptJob
    | CancelJob
    | StartFetch
    | EndFetch
    | ForgetJobs
    | WakeAt
    | ReadProfile
    | RestartHost
    | StoreCertificate
    | UseServer
    | Log
)
