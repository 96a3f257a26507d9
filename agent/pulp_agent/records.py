"""What the agent's journal holds. The agent's state is what these records add up to (`calls.CallTable`), nothing else."""

from __future__ import annotations

from msgspec import Struct

from pulp.common.calendar import Calendar
from pulp.rmi.messages import Final, Request, WireWindow


class Record(Struct, frozen=True, tag_field="t"):
    """One line of the journal."""


class Took(Record, frozen=True, kw_only=True, tag="took"):
    """A request was accepted; the order of these records is the order of the lane."""

    request: Request
    at: int


class Replanned(Record, frozen=True, kw_only=True, tag="replanned"):
    id: str
    plan: int
    window: WireWindow | None
    expires: int


class Began(Record, frozen=True, kw_only=True, tag="began"):
    """An execution's process is about to be started: the first (`attempt` 0) or one that resumes it. `overrode`: outside of the
    host's own windows, which its override allows. `boot`: the host's boot id then."""

    id: str
    at: int
    attempt: int = 0
    overrode: bool = False
    boot: str = ""


class Moved(Record, frozen=True, kw_only=True, tag="moved"):
    """The call has missed its opening, or was too late in it and has changed nothing: it waits for this one now."""

    id: str
    at: int
    begin: int
    end: int
    cutoff_at: int | None


class Ended(Record, frozen=True, kw_only=True, tag="ended"):
    """The one final answer; for a call that was never taken (rejected, canceled ahead of its request) the only record."""

    final: Final
    at: int


class Confirmed(Record, frozen=True, kw_only=True, tag="confirmed"):
    """The server has committed these finals; the ids stay as tombstones."""

    ids: list[str]
    at: int


class Opening(Record, frozen=True, kw_only=True, tag="opening"):
    """A window that work was started in; once `closed` it stays so, even if the clock steps back."""

    begin: int
    end: int
    closed: bool


class Lasted(Record, frozen=True, kw_only=True, tag="lasted"):
    """A run of this method took so many ms; the last ten are remembered."""

    method: str
    ms: int


class Kept(Record, frozen=True, kw_only=True, tag="kept"):
    """The host's own calendar, as the newest `keep` says."""

    plan: int
    enforced: bool
    calendar: Calendar | None


class RestartDue(Record, frozen=True, kw_only=True, tag="restart-due"):
    """This call's answer is that the host will be restarted. It is to be, as long as its boot id is `boot`, and before `before`
    (ms UTC)."""

    id: str
    boot: str
    before: int


class RestartAsked(Record, frozen=True, kw_only=True, tag="restart-asked"):
    """The system is about to be asked for it."""

    id: str
    at: int


class RestartOver(Record, frozen=True, kw_only=True, tag="restart-over"):
    """The host was started anew, or does not do it."""

    id: str


class ProfileKnown(Record, frozen=True, kw_only=True, tag="profile"):
    """The server has the package profile with this hash."""

    hash: str


AnyRecord = (
    Took
    | Replanned
    | Moved
    | Began
    | Ended
    | Confirmed
    | Opening
    | Lasted
    | Kept
    | RestartDue
    | RestartAsked
    | RestartOver
    | ProfileKnown
)
