"""What an agent tells of its host when it is asked for the updates or the package groups that there are."""

from __future__ import annotations

from msgspec import Struct, field


class UpdatesArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`refresh`: fetch the repositories' metadata first; else what the host has of it is looked at."""

    refresh: bool = False


class Update(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One installed package of which there is a newer version.

    `to` is empty where the package system does not tell which. `security`: a newer version mends security, and `fix` is that
    version. `advisories`: the ids of those that the update brings. `kept_back`: why an update of everything would leave the
    package as it is (`held`, `dependency`, `phasing`).
    """

    name: str
    arch: str = ""
    from_: str = field(name="from")
    to: str = ""
    repo: str = ""
    security: bool = False
    fix: str = ""
    advisories: list[str] = []
    kept_back: str = ""


class Advisory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`kind`: security, bugfix, enhancement, newpackage or whatever else a repository calls it; `severity` in its words."""

    id: str
    kind: str = ""
    severity: str = ""
    title: str = ""
    cves: list[str] = []


class UpdatesResult(Struct, frozen=True, kw_only=True):
    """`advisories`: those that any of the updates brings, where the package system has them."""

    backend: str
    updates: list[Update]
    advisories: list[Advisory] = []


class GroupsArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`refresh` as for updates."""

    refresh: bool = False


class Group(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`name`: for people. `installed`: the package system has it down as installed. An installation brings what is `mandatory`
    and what is `default`; both are empty for a group that is installed and that no repository has any more."""

    id: str
    name: str = ""
    installed: bool = False
    mandatory: list[str] = []
    default: list[str] = []


class GroupsResult(Struct, frozen=True, kw_only=True):
    backend: str
    groups: list[Group]


class RefreshResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The repositories' metadata is as new as they have it. `log`: the last 64 KiB; `phases`: phase → ms."""

    backend: str
    phases: dict[str, int] = {}
    log: str = ""
