"""What the client reads of the server's answers. Lenient on purpose: unknown fields and new words of a newer server pass."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

T = TypeVar("T")

ABSENT = Raw(b"null")
"""A part that is not there, or null: msgspec takes no `Raw | None`."""


class TaskState(Enum):
    """The states of docs/API.md; the only place in the client that spells them."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    FINISHED = "finished"
    ERROR = "error"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    MISSED = "missed"


_FINAL = frozenset(
    {
        TaskState.FINISHED.value,
        TaskState.ERROR.value,
        TaskState.TIMED_OUT.value,
        TaskState.CANCELED.value,
        TaskState.MISSED.value,
    }
)


class HistoryType(Enum):
    """The types of docs/API.md; others of a newer server are shown, but not asked for."""

    CONSUMER_REGISTERED = "consumer_registered"
    CONSUMER_UNREGISTERED = "consumer_unregistered"
    CERTIFICATE_RENEWED = "certificate_renewed"
    PACKAGES_INSTALLED = "packages_installed"
    PACKAGES_UPDATED = "packages_updated"
    PACKAGES_REMOVED = "packages_removed"
    PACKAGES_REPAIRED = "packages_repaired"
    ACTION_FAILED = "action_failed"
    ACTION_CANCELED = "action_canceled"
    WINDOW_MISSED = "window_missed"
    LATE_RESULT = "late_result"
    ORPHAN_RESULT = "orphan_result"
    PROFILE_CHANGED = "profile_changed"
    WINDOWS_CHANGED = "windows_changed"
    REBOOTED = "rebooted"
    OVERRIDE_USED = "override_used"


class View(Struct, frozen=True, kw_only=True):
    pass


class Answer(Struct, Generic[T], frozen=True):
    """One JSON document of the server: as it came (for --json) and as the client reads it."""

    raw: bytes
    value: T


class Page(View, frozen=True, kw_only=True):
    items: list[Raw]
    next: str | None = None


class Status(View, frozen=True, kw_only=True):
    version: str
    ready: bool


class Login(View, frozen=True, kw_only=True):
    token: str
    expires_at: datetime
    role: str


class Agent(View, frozen=True, kw_only=True):
    version: str = ""
    methods: dict[str, list[int]] = {}
    timezone: str = ""
    os: dict[str, Any] = {}


class Consumer(View, frozen=True, kw_only=True):
    """clock_offset: ms the host's clock is ahead of the server's."""

    id: str
    uid: str = ""
    display_name: str = ""
    notes: dict[str, str] = {}
    registered_at: datetime | None = None
    online: bool = False
    last_seen: datetime | None = None
    clock_offset: int | None = None
    agent: Agent | None = None
    flags: list[str] = []
    windows: list[str] = []
    enforced: bool = False
    problems: list[str] = []


class Package(View, frozen=True, kw_only=True):
    name: str
    version: str = ""
    arch: str = ""
    held: bool = False
    state: str = ""


class Profile(View, frozen=True, kw_only=True):
    consumer_id: str
    at: datetime
    packages: list[Package]


class Ping(View, frozen=True, kw_only=True):
    rtt_ms: float


class Progress(View, frozen=True, kw_only=True):
    """percent: of the whole call."""

    phase: str = ""
    percent: float | None = None
    message: str = ""


class WaitingFor(View, frozen=True, kw_only=True):
    code: str
    since: datetime | None = None
    until: datetime | None = None
    by: str | None = None
    windows: list[str] = []
    freezes: list[str] = []
    frozen_until: datetime | None = None
    missed_opening: datetime | None = None
    void: str = ""
    clock_offset: int | None = None


class Window(View, frozen=True, kw_only=True):
    """asked: a window's name, `next`, or empty where it was given by its times."""

    begin: datetime
    end: datetime
    asked: str = ""
    cutoff_at: datetime | None = None
    missed: str = ""
    grace: str | None = None
    late: datetime | None = None
    expected: str | None = None
    predownload: bool = False


class Override(View, frozen=True, kw_only=True):
    reason: str = ""
    by: str = ""
    until: datetime | None = None


class TaskError(View, frozen=True, kw_only=True):
    code: str
    message: str = ""
    details: Raw = ABSENT


class Task(View, frozen=True, kw_only=True):
    id: str
    revision: int
    kind: str
    state: str
    phase: str = ""
    consumer_id: str | None = None
    args: Raw = ABSENT
    requested_by: str = ""
    created_at: datetime | None = None
    not_before: datetime | None = None
    window: Window | None = None
    override: Override | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: datetime | None = None
    progress: Progress | None = None
    result: Raw = ABSENT
    error: TaskError | None = None
    waiting_for: WaitingFor | None = None
    cancel_requested: bool = False
    retry_of: str | None = None

    @property
    def final(self) -> bool:
        """Over, also in a state that only a newer server knows."""
        return self.state in _FINAL or self.finished_at is not None

    @property
    def finished(self) -> bool:
        return self.state == TaskState.FINISHED.value

    @property
    def running(self) -> bool:
        return self.state == TaskState.RUNNING.value


class Change(View, frozen=True, kw_only=True):
    """`from`/`to` are None where the package was or is absent."""

    name: str
    arch: str = ""
    action: str = ""
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    requested: bool = False
    outcome: str = ""
    error: str = ""


class KeptBack(View, frozen=True, kw_only=True):
    name: str
    reason: str = ""


class Restart(View, frozen=True, kw_only=True):
    """The host went down and is back. took: ms; 0 where nobody measured it."""

    to: str
    took: int = 0
    reasons: list[str] = []


class PackagesResult(View, frozen=True, kw_only=True):
    """`backend` tells this result from those of other work. overrun: ms that it went on after its window. override_used: it
    began outside the host's own windows."""

    backend: str
    dry_run: bool = False
    changed: bool = False
    changes: list[Change] = []
    unknown: list[str] = []
    kept_back: list[KeptBack] = []
    scripts_failed: list[str] = []
    repaired: bool = False
    reboot_needed: bool = False
    reboot_reasons: list[str] = []
    restart: Restart | None = None
    restart_late: bool = False
    overrun: int = 0
    override_used: bool = False
    log: str = ""


class RestartResult(View, frozen=True, kw_only=True):
    """`needed` tells this result from those of other work."""

    needed: bool
    reasons: list[str] = []
    restart: Restart | None = None


class Update(View, frozen=True, kw_only=True):
    """`fix`: the version that mends security, where there is one."""

    name: str
    arch: str = ""
    from_: str = msgspec.field(name="from", default="")
    to: str = ""
    security: bool = False
    fix: str = ""
    advisories: list[str] = []
    kept_back: str = ""


class UpdatesResult(View, frozen=True, kw_only=True):
    updates: list[Update]


class Group(View, frozen=True, kw_only=True):
    id: str
    name: str = ""
    installed: bool = False
    mandatory: list[str] = []
    default: list[str] = []


class GroupsResult(View, frozen=True, kw_only=True):
    groups: list[Group]


class HistoryEvent(View, frozen=True, kw_only=True):
    id: str
    consumer_id: str
    type: str
    at: datetime
    originator: str = ""
    task_id: str | None = None
    details: Raw = ABSENT


class RegistrationToken(View, frozen=True, kw_only=True):
    """`token` only in the answer that makes it; uses_left None: as often as wanted."""

    id: str
    created_by: str = ""
    created_at: datetime | None = None
    expires_at: datetime
    uses_left: int | None = None
    consumer_id: str | None = None
    token: str | None = None


class User(View, frozen=True, kw_only=True):
    login: str
    role: str
    created_at: datetime | None = None


class FieldProblem(View, frozen=True, kw_only=True):
    field: str = ""
    message: str = ""


class Problem(View, frozen=True, kw_only=True):
    """RFC 9457 problem details with Pulp's stable `code`."""

    code: str
    title: str = ""
    detail: str = ""
    errors: list[FieldProblem] = []


def read(raw: Raw | bytes, type_: type[T]) -> T | None:
    """A part of an answer as `type_`; None where there is none or where it is something else."""
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
