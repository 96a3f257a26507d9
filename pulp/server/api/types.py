"""What the API takes and gives: the request and answer bodies of docs/API.md as types. Validation, problem details and
OpenAPI are all made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from pulp.common.ids import CONSUMER_ID, LOGIN
from pulp.rmi.interfaces import AdvisoryId, PackageName, PackageSpec, Policy

T = TypeVar("T")

# A description is what a bad value is told: "must be …".
ConsumerId = Annotated[
    str,
    Meta(
        pattern=CONSUMER_ID,
        description="letters, digits, '.', '_' and '-', at most 128 of them, and a letter or digit first",
    ),
]
Login = Annotated[
    str,
    Meta(
        pattern=LOGIN,
        description="lower-case letters, digits, '.', '_' and '-', at most 64 of them, and a letter or digit first",
    ),
]
Password = Annotated[
    str, Meta(min_length=8, max_length=256, description="a text of 8 to 256 characters")
]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{1,9}(\.[0-9]{1,3})?[smhdw]){1,5}$(?!\n)",
        examples=["90s", "2h", "7d"],
        description="a duration such as 90s, 30m, 2h, 1h30m or 7d",
    ),
]
Time = Annotated[
    datetime,
    Meta(tz=True, description="an RFC 3339 time with a zone, such as 2026-12-01T12:00:00Z"),
]
ObjectName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)",
        description="letters, digits, '.', '_' and '-', at most 64 of them, and a letter or digit first",
    ),
]
"""Of schedules, windows and freezes."""
RuleText = Annotated[str, Meta(max_length=512)]
OffsetDays = Annotated[int, Meta(ge=-31, le=31, description="a whole number from -31 to 31")]
NoteKey = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.-]{1,64}$(?!\n)",
        description="a note's name: letters, digits, '_', '.' and '-', at most 64 of them",
    ),
]
NoteValue = Annotated[str, Meta(max_length=1024)]
Name = Annotated[
    PackageName,
    Meta(
        description="a package name: letters, digits, '.', '_', '+' and '-', without patterns or paths"
    ),
]
WindowName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)",
        description="the name of a window, next, or an object with begin, and end or duration",
    ),
]
MissedName = Literal["miss", "next", "grace"]
Advisories = Annotated[
    list[AdvisoryId], Meta(max_length=100, description="a list of at most 100 ids")
]
RoleName = Literal["viewer", "operator", "admin"]
TaskStateName = Literal[
    "scheduled",
    "waiting",
    "held",
    "running",
    "finished",
    "error",
    "timed_out",
    "canceled",
    "missed",
]

HistoryTypeName = Literal[
    "consumer_registered",
    "consumer_unregistered",
    "certificate_renewed",
    "packages_installed",
    "packages_updated",
    "packages_removed",
    "packages_repaired",
    "action_failed",
    "action_canceled",
    "window_missed",
    "late_result",
    "orphan_result",
    "profile_changed",
    "windows_changed",
    "rebooted",
    "override_used",
]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body: unknown fields are refused by name."""


class View(Struct, frozen=True, kw_only=True):
    """An answer body."""


# --- requests ---


class LoginBody(Body, frozen=True, kw_only=True):
    login: Annotated[str, Meta(max_length=64)]
    password: Annotated[str, Meta(max_length=256)]


class RegistrationTokenBody(Body, frozen=True, kw_only=True):
    """uses null: as often as wanted until it expires."""

    uses: Annotated[int, Meta(ge=1, le=1_000_000)] | None = 1
    expires_in: Duration = "1d"
    consumer_id: ConsumerId | None = None


class EmptyBody(Body, frozen=True, kw_only=True):
    """Nothing, or an empty object."""


class RegisterBody(Body, frozen=True, kw_only=True):
    id: ConsumerId
    csr: Annotated[str, Meta(max_length=16_384)]
    token: Annotated[str, Meta(max_length=256)]
    display_name: Annotated[str, Meta(max_length=256)] = ""
    notes: dict[NoteKey, NoteValue] = {}


class PatchConsumerBody(Body, frozen=True, kw_only=True):
    """Absent fields stay; a note set to null is removed. `enforced`: nothing changes the host outside its windows; for admins."""

    display_name: Annotated[str, Meta(max_length=256)] | None = None
    notes: dict[NoteKey, NoteValue | None] | None = None
    enforced: bool | None = None


class WindowBody(Body, frozen=True, kw_only=True):
    """`end` or `duration`, one of the two."""

    begin: Time
    end: Time | None = None
    duration: Duration | None = None


class OverrideBody(Body, frozen=True, kw_only=True):
    """An emergency: the work may begin outside the host's enforced windows and in its freezes. For admins."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=500, description="a text of 1 to 500 characters")
    ]
    for_: Duration = msgspec.field(name="for", default="4h")


class OpeningBody(Body, frozen=True, kw_only=True):
    """How work keeps to its window. missed: what becomes of it when it could not start in its opening; `grace` says how long
    after it that may still be. expected: how long the work takes; `0s`: not to be looked at."""

    missed: MissedName | None = None
    grace: Duration | None = None
    expected: Duration | None = None
    override: OverrideBody | None = None


class ActionBody(OpeningBody, frozen=True, kw_only=True):
    """What every action takes. window: the name of one, `next` for the host's next opening, or its times."""

    not_before: Time | None = None
    window: WindowName | WindowBody | None = None
    predownload: bool = False
    deliver_within: Duration = "7d"
    timeout: Duration = "2h"


class PackagesActionBody(ActionBody, frozen=True, kw_only=True):
    """install, update, remove: packages as names or as {name, version?, arch?}."""

    packages: Annotated[list[Name | PackageSpec], Meta(min_length=1, max_length=1000)]
    policy: Policy = Policy()
    dry_run: bool = False


class UpdateAllBody(ActionBody, frozen=True, kw_only=True):
    """`security_only` or `advisories` (ids of advisories and of CVEs), or neither."""

    security_only: bool = False
    advisories: Advisories = msgspec.field(default_factory=list)
    policy: Policy = Policy()
    dry_run: bool = False


class UpdatesBody(ActionBody, frozen=True, kw_only=True):
    """`refresh`: the host asks its repositories first."""

    refresh: bool = False


class RetryBody(OpeningBody, frozen=True, kw_only=True):
    """`window` left out: the first task's, if it is not over, and with it whatever else is left out; null: none. `timeout` left
    out: the first task's. An override is never repeated."""

    not_before: Time | None = None
    window: WindowName | WindowBody | UnsetType | None = UNSET
    predownload: bool | None = None
    deliver_within: Duration = "7d"
    timeout: Duration | None = None


class UserBody(Body, frozen=True, kw_only=True):
    login: Login
    password: Password
    role: RoleName


class PatchUserBody(Body, frozen=True, kw_only=True):
    """`old_password` is needed to change one's own password."""

    password: Password | None = None
    old_password: Annotated[str, Meta(max_length=256)] | None = None
    role: RoleName | None = None


# --- answers ---


class ListView(View, Generic[T], frozen=True, kw_only=True):
    items: list[T]
    next: str | None


class StatusView(View, frozen=True, kw_only=True):
    version: str
    ready: bool


class HealthView(View, frozen=True, kw_only=True):
    alive: bool


class LoginView(View, frozen=True, kw_only=True):
    token: str
    expires_at: datetime
    role: RoleName


class RegistrationTokenView(View, frozen=True, kw_only=True):
    """`token` only in the answer that makes it."""

    id: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    uses_left: int | None
    consumer_id: str | None
    token: str | None = None


class AgentView(View, frozen=True, kw_only=True):
    version: str
    protocols: list[int]
    methods: dict[str, list[int]]
    features: list[str]
    boot_id: str
    timezone: str
    os: dict[str, Any]


class ConsumerView(View, frozen=True, kw_only=True):
    """clock_offset: ms the host's clock is ahead of the server's. windows: the windows and freezes that are bound to it, beside
    those that hold everywhere. enforced: nothing changes the host outside of them. problems: in sentences, what keeps it from
    what it is meant to do."""

    id: str
    uid: str
    display_name: str
    notes: dict[str, str]
    registered_at: datetime
    online: bool
    last_seen: datetime | None
    clock_offset: int | None
    agent: AgentView | None
    flags: list[str]
    windows: list[str]
    enforced: bool
    problems: list[str] = msgspec.field(default_factory=list)


class MessagingView(View, frozen=True, kw_only=True):
    """The agent's messaging profile; heartbeat in seconds."""

    urls: list[str]
    source: str
    target: str
    confirm: Literal["outcome", "message"]
    heartbeat: int


class RegisteredView(View, frozen=True, kw_only=True):
    consumer: ConsumerView
    certificate: str
    ca: list[str]
    signing_keys: list[str]
    messaging: MessagingView


class ProfileView(View, frozen=True, kw_only=True):
    consumer_id: str
    hash: str
    at: datetime
    packages: Raw


class InstallationView(View, frozen=True, kw_only=True):
    """One package on one host."""

    consumer_id: str
    name: str
    version: str
    arch: str


class VersionCountView(View, frozen=True, kw_only=True):
    version: str
    arch: str
    hosts: int


class SpreadView(View, frozen=True, kw_only=True):
    """hosts: how many have any version, out of `reported` that have told their packages; versions: the most frequent first."""

    name: str
    hosts: int
    reported: int
    versions: list[VersionCountView]


class PingView(View, frozen=True, kw_only=True):
    rtt_ms: float


class WindowView(View, frozen=True, kw_only=True):
    """The opening that the work was planned for. asked: the window's name, `next`, or empty where it was given by its times.
    cutoff_at: nothing starts any more from then on. late: where the grace is over. expected: how long the work takes."""

    begin: datetime
    end: datetime
    asked: str
    cutoff_at: datetime | None
    missed: MissedName
    grace: str | None
    late: datetime | None
    expected: str | None
    predownload: bool


class OverrideView(View, frozen=True, kw_only=True):
    reason: str
    by: str
    until: datetime


class WaitingForView(View, frozen=True, kw_only=True):
    """code: start-time, queue, agent-offline, agent-busy, agent-accept, window, lane, agent, cancel, unsupported-version.

    Where one task is asked for, `by` is the task whose call is before it in the host's lane, `windows` are those that open for
    it at `until`, and `freezes` those that are on until `frozen_until`. `clock_offset`: of a held task, whose host's own clock
    decides: ms that it was ahead of the server's at the last hello. `missed_opening`: of what is carried over, when the opening
    began that it was planned for. `void`: of what is called off, why nothing is left of its window.
    """

    code: str
    since: datetime
    until: datetime | None
    by: str | None = None
    windows: list[str] = msgspec.field(default_factory=list)
    freezes: list[str] = msgspec.field(default_factory=list)
    frozen_until: datetime | None = None
    missed_opening: datetime | None = None
    void: str = ""
    clock_offset: int | None = None


class TaskErrorView(View, frozen=True, kw_only=True):
    code: str
    message: str
    details: Raw


class TaskView(View, frozen=True, kw_only=True):
    id: str
    revision: int
    kind: str
    version: int
    state: TaskStateName
    phase: str
    consumer_id: str | None
    job_id: str | None
    args: Raw
    requested_by: str
    created_at: datetime
    not_before: datetime | None
    window: WindowView | None
    override: OverrideView | None
    plan: int
    accepted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    deadline: datetime | None
    progress: Raw | None
    result: Raw | None
    error: TaskErrorView | None
    waiting_for: WaitingForView | None
    cancel_requested: bool
    retry_of: str | None


class HistoryEventView(View, frozen=True, kw_only=True):
    """abridged: a list leaves the log of package tools out of the details; the entry by itself has it."""

    id: str
    consumer_id: str
    type: HistoryTypeName
    at: datetime
    originator: str
    task_id: str | None
    details: Raw
    abridged: bool = False


class UserView(View, frozen=True, kw_only=True):
    login: str
    role: RoleName
    created_at: datetime


class FieldProblem(View, frozen=True, kw_only=True):
    field: str
    message: str


class Problem(View, frozen=True, kw_only=True):
    """RFC 9457 problem details; `code` is stable."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = msgspec.field(default_factory=list)
