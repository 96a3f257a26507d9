"""Every message of protocol 1 as a frozen value (docs/WIRE.md). Values only: no clock, no socket.

`type` is the tag; times are ms UTC; unknown fields are ignored, whatever restricts execution is named in `needs`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from pulp.common.calendar import Calendar
from pulp.common.ids import CALL_ID
from pulp.common.times import LAST

PROTOCOL = 1

State = Literal["held", "ready", "running", "done"]

CallId = Annotated[str, Meta(pattern=CALL_ID)]
"""Safe as a file name: the agent keeps a folder for each call."""
Ms = Annotated[int, Meta(ge=0, le=LAST)]
"""A time (since 1970 UTC) or a span; within the calendar, so that it can always be shown as a date."""
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Percent = Annotated[float, Meta(ge=0, le=100)]


Hash = Annotated[str, Meta(max_length=128)]
MOST_PACKAGES = 50_000
"""In one profile; five times what a large host has."""


class Message(Struct, frozen=True, kw_only=True, tag_field="type"):
    v: int = PROTOCOL


Missed = Literal["miss", "next", "grace"]
"""What becomes of a call that could not start in its opening: it fails as `window-missed`, it is carried over to the next opening
of its calendar, or it may still start for a while after the end."""


class WireWindow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One opening, and the rule it comes from. What is beyond `begin` and `end` needs `window-rule`, `predownload` apart.

    `cutoff_at`: no start from here on; absent: until the end. `calendar`: where the agent finds the next opening, in its own
    zone; `next` needs one. `grace`: ms after the end in which the start may still happen. `expected`: ms that the work takes:
    the agent starts it only if that ends before the cutoff, and prefers the longest of the last ten runs on this host; 0: not
    looked at. `predownload`: a wish that packages be fetched before the opening; an agent that ignores it starts nothing wrong.
    """

    begin: Ms
    end: Ms
    cutoff_at: Ms | None = None
    calendar: Calendar | None = None
    missed: Missed = "miss"
    grace: Ms = 0
    expected: Ms = 0
    predownload: bool = False

    @property
    def ruled(self) -> bool:
        """Does it restrict the start by more than an opening?"""
        plain = WireWindow(begin=self.begin, end=self.end, predownload=self.predownload)
        return self != plain


class Override(Struct, frozen=True, kw_only=True):
    """Work that changes an enforced host outside its own windows: an emergency, and who answers for it. Not after `until`."""

    reason: str
    by: str
    until: Ms


# --- server to agent ---


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    now: Ms
    features: list[str]
    ca: list[str]
    signing_keys: list[str]
    urls: list[str]
    progress_every: Ms  # ms between two progress messages of one call, at least


class Request(Message, frozen=True, kw_only=True, tag="request"):
    id: CallId
    consumer: str
    class_: str = msgspec.field(name="class")
    method: str
    version: Count
    args: Raw  # JSON object, checked against the method's argument type
    by: str
    issued: Ms
    needs: list[str]
    window: WireWindow | None
    plan: Count
    accept_by: Ms
    expires: Ms
    timeout: Ms  # ms of running
    override: Override | UnsetType = UNSET  # needs `override`


class Replan(Message, frozen=True, kw_only=True, tag="replan"):
    id: CallId
    plan: Count
    window: WireWindow | None
    expires: Ms


class Cancel(Message, frozen=True, kw_only=True, tag="cancel"):
    id: CallId


class Query(Message, frozen=True, kw_only=True, tag="query"):
    id: CallId


class Confirm(Message, frozen=True, kw_only=True, tag="confirm"):
    ids: list[CallId]


class Renewed(Message, frozen=True, kw_only=True, tag="renewed"):
    certificate: str
    ca: list[str]


class Keep(Message, frozen=True, kw_only=True, tag="keep"):
    """The host's own calendar. While it is `enforced`, nothing changes the host outside of it. The newest plan number wins."""

    plan: Count
    enforced: bool
    calendar: Calendar | None


class WantProfile(Message, frozen=True, kw_only=True, tag="want-profile"):
    """Answer to a `profile-hash` that is not the stored one: send the profile."""


# --- agent to server ---


class CallStatus(Struct, frozen=True):
    """One call the agent holds; `done` means a final answer that is not yet confirmed."""

    id: CallId
    state: State


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    agent: str
    protocols: list[Count]
    methods: dict[str, list[Count]]
    features: list[str]
    now: Ms
    boot_id: str
    timezone: str
    os: dict[str, Any]
    journal_id: str
    journal_seq: Count
    calls: list[CallStatus]


class Alive(Message, frozen=True, kw_only=True, tag="alive"):
    now: Ms


class Bye(Message, frozen=True, kw_only=True, tag="bye"):
    now: Ms


class Accepted(Message, frozen=True, kw_only=True, tag="accepted"):
    id: CallId
    state: Literal["held", "ready"]
    starts: Ms | None = (
        None  # when its window opens, for held calls; sent again whenever that moves
    )


class Rejected(Message, frozen=True, kw_only=True, tag="rejected"):
    id: CallId
    code: str
    expected: str = ""
    found: str = ""


class Started(Message, frozen=True, kw_only=True, tag="started"):
    id: CallId
    at: Ms


class Progress(Message, frozen=True, kw_only=True, tag="progress"):
    id: CallId
    seq: Count
    phase: str
    percent: Percent
    message: str = ""


class Succeeded(Message, frozen=True, kw_only=True, tag="succeeded"):
    id: CallId
    value: Raw  # the method's result type
    started: Ms
    finished: Ms
    truncated: bool | UnsetType = UNSET


class Failed(Message, frozen=True, kw_only=True, tag="failed"):
    id: CallId
    code: str
    message: str
    details: Raw = Raw(b"null")
    started: Ms | None = None  # null: it never started
    finished: Ms | None = None
    truncated: bool | UnsetType = UNSET


class Canceled(Message, frozen=True, kw_only=True, tag="canceled"):
    id: CallId


class TooLate(Message, frozen=True, kw_only=True, tag="too-late"):
    id: CallId
    of: Literal["cancel", "replan"]


class Unknown(Message, frozen=True, kw_only=True, tag="unknown"):
    id: CallId


class InstalledPackage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: Annotated[str, Meta(min_length=1, max_length=512)]
    version: Annotated[str, Meta(max_length=512)]
    arch: Annotated[str, Meta(max_length=64)] = ""
    held: bool = False
    state: Annotated[str, Meta(max_length=64)] = "installed"


InstalledPackages = Annotated[list[InstalledPackage], Meta(max_length=MOST_PACKAGES)]


class Profile(Message, frozen=True, kw_only=True, tag="profile"):
    hash: Hash
    packages: InstalledPackages


class ProfileHash(Message, frozen=True, kw_only=True, tag="profile-hash"):
    """The packages are still those of this hash. Only to a server that has `profile-hash`."""

    hash: Hash


class Renew(Message, frozen=True, kw_only=True, tag="renew"):
    csr: str


ToAgent = Welcome | Request | Replan | Cancel | Query | Confirm | Renewed | Keep | WantProfile
ToServer = (
    Hello
    | Alive
    | Bye
    | Accepted
    | Rejected
    | Started
    | Progress
    | Succeeded
    | Failed
    | Canceled
    | TooLate
    | Unknown
    | Profile
    | ProfileHash
    | Renew
)
Final = Rejected | Succeeded | Failed | Canceled
"""Exactly one of these ends a call; it is settled (Progress is sent pre-settled) and kept until confirmed."""
FINALS = (Rejected, Succeeded, Failed, Canceled)
REPLIES = (Accepted, Rejected, Started, Progress, Succeeded, Failed, Canceled, TooLate, Unknown)
"""What belongs to one call and carries its id."""
