"""Every message of protocol 1 as a frozen value (docs/WIRE.md). Values only: no clock, no socket.

`type` is the tag; times are ms UTC; unknown fields are ignored, whatever restricts execution is named in `needs`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

PROTOCOL = 1

State = Literal["held", "ready", "running", "done"]


class Message(Struct, frozen=True, kw_only=True, tag_field="type"):
    v: int = PROTOCOL


class WireWindow(Struct, frozen=True, kw_only=True):
    begin: int
    end: int


# --- server to agent ---


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    now: int
    features: list[str]
    ca: list[str]
    signing_keys: list[str]
    urls: list[str]
    progress_every: int  # ms between two progress messages of one call, at least


class Request(Message, frozen=True, kw_only=True, tag="request"):
    id: str
    consumer: str
    class_: str = msgspec.field(name="class")
    method: str
    version: int
    args: Raw  # JSON object, checked against the method's argument type
    by: str
    issued: int
    needs: list[str]
    window: WireWindow | None
    plan: int
    accept_by: int
    expires: int
    timeout: int  # ms of running


class Replan(Message, frozen=True, kw_only=True, tag="replan"):
    id: str
    plan: int
    window: WireWindow | None
    expires: int


class Cancel(Message, frozen=True, kw_only=True, tag="cancel"):
    id: str


class Query(Message, frozen=True, kw_only=True, tag="query"):
    id: str


class Confirm(Message, frozen=True, kw_only=True, tag="confirm"):
    ids: list[str]


class Renewed(Message, frozen=True, kw_only=True, tag="renewed"):
    certificate: str
    ca: list[str]


# --- agent to server ---


class CallStatus(Struct, frozen=True):
    """One call the agent holds; `done` means a final answer that is not yet confirmed."""

    id: str
    state: State


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    agent: str
    protocols: list[int]
    methods: dict[str, list[int]]
    features: list[str]
    now: int
    boot_id: str
    timezone: str
    os: dict[str, Any]
    journal_id: str
    journal_seq: int
    calls: list[CallStatus]


class Alive(Message, frozen=True, kw_only=True, tag="alive"):
    now: int


class Bye(Message, frozen=True, kw_only=True, tag="bye"):
    now: int


class Accepted(Message, frozen=True, kw_only=True, tag="accepted"):
    id: str
    state: Literal["held", "ready"]
    starts: int | None = None  # when its window opens, for held calls


class Rejected(Message, frozen=True, kw_only=True, tag="rejected"):
    id: str
    code: str
    expected: str = ""
    found: str = ""


class Started(Message, frozen=True, kw_only=True, tag="started"):
    id: str
    at: int


class Progress(Message, frozen=True, kw_only=True, tag="progress"):
    id: str
    seq: int
    phase: str
    percent: float
    message: str = ""


class Succeeded(Message, frozen=True, kw_only=True, tag="succeeded"):
    id: str
    value: Raw  # the method's result type
    started: int
    finished: int
    truncated: bool | UnsetType = UNSET


class Failed(Message, frozen=True, kw_only=True, tag="failed"):
    id: str
    code: str
    message: str
    details: Raw = Raw(b"null")
    started: int | None = None  # null: it never started
    finished: int | None = None
    truncated: bool | UnsetType = UNSET


class Canceled(Message, frozen=True, kw_only=True, tag="canceled"):
    id: str


class TooLate(Message, frozen=True, kw_only=True, tag="too-late"):
    id: str
    of: Literal["cancel", "replan"]


class Unknown(Message, frozen=True, kw_only=True, tag="unknown"):
    id: str


class InstalledPackage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    version: str
    arch: str = ""
    held: bool = False
    state: str = "installed"


class Profile(Message, frozen=True, kw_only=True, tag="profile"):
    hash: str
    packages: list[InstalledPackage]


class Renew(Message, frozen=True, kw_only=True, tag="renew"):
    csr: str


ToAgent = Welcome | Request | Replan | Cancel | Query | Confirm | Renewed
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
    | Renew
)
Final = Rejected | Succeeded | Failed | Canceled
"""Exactly one of these ends a call; it is settled (Progress is sent pre-settled) and kept until confirmed."""
FINALS = (Rejected, Succeeded, Failed, Canceled)
REPLIES = (Accepted, Rejected, Started, Progress, Succeeded, Failed, Canceled, TooLate, Unknown)
"""What belongs to one call and carries its id."""
