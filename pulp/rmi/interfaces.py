"""The remote interfaces, declared once and typed, used by both ends (docs/WIRE.md, version 1).

A method is a `Method` value: its name, version, argument and result types, and its lane. The server calls through
`remotes.Packages` and `remotes.System`; the agent looks methods up in `METHODS`, never by getattr.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from pulp.rmi.messages import InstalledPackages
from pulp.rmi.reports import (
    GroupsArgs,
    GroupsResult,
    RefreshResult,
    UpdatesArgs,
    UpdatesResult,
)
from pulp.rmi.restarts import RestartArgs, RestartResult

PackageName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$(?!\n)", max_length=200)]
"""No glob, path, option or URL passes; each package family narrows it further (research: apt acts on `name-` and patterns)."""
PackageVersion = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9.+:~^_-]+$(?!\n)",
        max_length=200,
        description="a version: letters, digits, '.', '+', ':', '~', '^', '_' and '-'",
    ),
]
PackageArch = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9_-]+$(?!\n)",
        max_length=40,
        description="an architecture such as amd64: lower-case letters, digits, '_' and '-'",
    ),
]


AdvisoryId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9:._-]*$(?!\n)",
        max_length=100,
        description="an advisory's id such as RHSA-2026:1234, or a CVE's such as CVE-2026-1234",
    ),
]


class PackageSpec(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    name: PackageName
    version: PackageVersion | None = None
    arch: PackageArch | None = None


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the handler may do beyond the plain request; every default is the safe one.

    `reboot`: whether the host is restarted after the work, if that succeeded; what is not `never` needs `policy-reboot`.
    """

    allow_remove: bool = False
    allow_downgrade: bool = False
    allow_held: bool = False
    config_files: Literal["keep", "new"] = "keep"
    recommends: Literal["os", "no"] = "os"
    autoremove: bool = False
    minimal: bool = False
    reboot: Literal["never", "if_needed", "always"] = "never"


DEFAULT_POLICY = Policy()


class PackagesArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    packages: Annotated[list[PackageSpec], Meta(min_length=1, max_length=1000)]
    policy: Policy = DEFAULT_POLICY
    dry_run: bool = False


class UpdateAllArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`security_only` or `advisories`, or neither. `advisories`: only what these mend. Where there are none it is not sent: an
    agent of 0.1.0 refuses the field."""

    security_only: bool = False
    advisories: Annotated[list[AdvisoryId], Meta(max_length=100)] | UnsetType = UNSET
    policy: Policy = DEFAULT_POLICY
    dry_run: bool = False


class GroupArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`groups`: their ids, such as `web-server`; never their names for people."""

    groups: Annotated[list[PackageName], Meta(min_length=1, max_length=100)]
    policy: Policy = DEFAULT_POLICY
    dry_run: bool = False


class RepairArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`config_files` as in a Policy: what becomes of configuration files that were changed on the host."""

    config_files: Literal["keep", "new"] = "keep"


class NoArgs(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class RebootArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    delay: Annotated[int, Meta(ge=0)] = 0  # ms
    if_needed: bool = False


Action = Literal["install", "upgrade", "downgrade", "reinstall", "remove", "configure"]
Outcome = Literal["planned", "done", "failed", "incomplete", "not-done", "unplanned"]


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One package's change, dependencies too; `from`/`to` are None where it was or is absent. `advisories`: the ids of those
    that an upgrade brings, where the package system has any."""

    name: str
    arch: str = ""
    action: Action
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    requested: bool = False
    automatic: bool = False
    security: bool = False
    advisories: list[str] = []
    repo: str = ""
    outcome: Outcome = "planned"
    error: str = ""


class ConfigFile(Struct, frozen=True, kw_only=True):
    path: str
    decision: str  # keep | install


class KeptBack(Struct, frozen=True, kw_only=True):
    name: str
    reason: str = ""


class PackagesResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a package operation did, judged by the state before and after, never by an exit code.

    `changed`: anything differs. In a dry run `changes` are what would be done (`outcome: planned`). A failure carries the same
    value in `failed.details`, so that what was done is known too.
    """

    backend: str
    dry_run: bool = False
    changed: bool = False
    changes: list[Change] = []
    unknown: list[str] = []
    kept_back: list[KeptBack] = []
    config_files: list[ConfigFile] = []
    scripts_failed: list[str] = []
    repaired: bool = False
    reboot_needed: bool = False
    reboot_reasons: list[str] = []
    rebooting: bool = False  # the host is restarted once this is confirmed, as RestartResult says
    boot_id: str = ""  # with `rebooting`; put in by the agent
    restart_late: bool = False  # in place of `rebooting`: its window was over; put in by the agent
    phases: dict[str, int] = {}  # phase → ms
    overrun: int = 0  # ms that it went on after its window had ended; put in by the agent
    override_used: bool = False  # it began outside the host's enforced windows; put in by the agent
    log: str = ""  # the last 64 KiB


class ProfileResult(Struct, frozen=True, kw_only=True):
    hash: str
    packages: InstalledPackages


class Facts(Struct, frozen=True, kw_only=True):
    os: dict[str, Any]
    boot_id: str
    timezone: str


class Lane(Enum):
    """HOST calls change the host: one at a time, in order of acceptance. READ calls bypass the lane. NOW calls are neither
    journaled nor tasks (ping)."""

    HOST = "host"
    READ = "read"
    NOW = "now"


PACKAGE_ERRORS = frozenset(
    {
        "not-found",
        "dependency",
        "would-remove",
        "held",
        "untrusted",
        "locked",
        "fetch",
        "interrupted",
        "no-space",
        "script",
        "partial",
        "timeout",
        "canceled",
        "unsupported",
        "internal",
    }
)
"""Closed list of handler codes. locked, fetch and interrupted were tried again by the agent before they were reported."""


@dataclass(frozen=True, slots=True)
class Method:
    interface: str
    name: str
    version: int
    args: type[Struct]
    result: Any  # a type msgspec can convert to
    lane: Lane

    @property
    def path(self) -> str:
        """`Packages.install`: the key of `hello.methods`."""
        return f"{self.interface}.{self.name}"

    def changes_host(self, args: object) -> bool:
        """Whether the host's own windows are about it: a dry run changes nothing."""
        return self.lane is Lane.HOST and not getattr(args, "dry_run", False)


INSTALL = Method("Packages", "install", 1, PackagesArgs, PackagesResult, Lane.HOST)
UPDATE = Method("Packages", "update", 1, PackagesArgs, PackagesResult, Lane.HOST)
REMOVE = Method("Packages", "remove", 1, PackagesArgs, PackagesResult, Lane.HOST)
UPDATE_ALL = Method("Packages", "update_all", 1, UpdateAllArgs, PackagesResult, Lane.HOST)
PROFILE = Method("Packages", "profile", 1, NoArgs, ProfileResult, Lane.READ)
UPDATES = Method("Packages", "updates", 1, UpdatesArgs, UpdatesResult, Lane.READ)
INSTALL_GROUP = Method("Packages", "install_group", 1, GroupArgs, PackagesResult, Lane.HOST)
REMOVE_GROUP = Method("Packages", "remove_group", 1, GroupArgs, PackagesResult, Lane.HOST)
REPAIR = Method("Packages", "repair", 1, RepairArgs, PackagesResult, Lane.HOST)
REFRESH = Method("Packages", "refresh", 1, NoArgs, RefreshResult, Lane.READ)
GROUPS = Method("Packages", "groups", 1, GroupsArgs, GroupsResult, Lane.READ)
PING = Method("System", "ping", 1, NoArgs, NoArgs, Lane.NOW)
INFO = Method("System", "info", 1, NoArgs, Facts, Lane.READ)
REBOOT = Method("System", "reboot", 1, RebootArgs, NoArgs, Lane.HOST)
RESTART = Method("System", "restart", 1, RestartArgs, RestartResult, Lane.HOST)

METHODS: dict[tuple[str, int], Method] = {
    (m.path, m.version): m
    for m in (
        INSTALL,
        UPDATE,
        REMOVE,
        UPDATE_ALL,
        INSTALL_GROUP,
        REMOVE_GROUP,
        REPAIR,
        REFRESH,
        PROFILE,
        UPDATES,
        GROUPS,
        PING,
        INFO,
        REBOOT,
        RESTART,
    )
}
