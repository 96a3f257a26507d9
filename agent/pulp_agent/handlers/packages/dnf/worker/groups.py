"""Package groups: what the repositories' comps files say, and what dnf's history has down as installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .refused import Refused

_TYPES = ("mandatory", "default")
"""Of a group's packages: what an installation brings."""


def listed(base: Any) -> list[dict[str, Any]]:
    """Every group of the repositories, and those that are installed and in no repository any more."""
    known = {group.id: _told(base, group) for group in _available(base).values()}
    for item in base.history.group.search_by_pattern("%"):
        group = item.getCompsGroupItem()
        known.setdefault(
            group.getGroupId(),
            {"id": group.getGroupId(), "name": group.getName(), "installed": True},
        )
    return [known[group_id] for group_id in sorted(known)]


def _told(base: Any, group: Any) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.ui_name or "",
        "installed": _is_installed(base, group.id),
        "mandatory": sorted(package.name for package in group.mandatory_packages),
        "default": sorted(package.name for package in group.default_packages),
    }


def _available(base: Any) -> dict[str, Any]:
    base.read_comps(arch_filter=True)
    return {group.id: group for group in base.comps.groups}


def _is_installed(base: Any, group_id: str) -> bool:
    return base.history.group.get(group_id) is not None


def mark_installation(base: Any, ids: Iterable[str]) -> bool:
    """Whether dnf has anything to write down. Raises `not-found` with the groups that no repository has."""
    available = _available(base)
    missing = {group_id: _missing(base, group_id) for group_id in ids if group_id not in available}
    if missing:
        raise Refused("not-found", "; ".join(missing.values()), missing)
    fresh = [group_id for group_id in ids if not _is_installed(base, group_id)]
    for group_id in ids:
        base.group_install(group_id, _TYPES)
    return bool(fresh)


def _missing(base: Any, group_id: str) -> str:
    for environment in base.comps.environments:
        if environment.id == group_id:
            parts = ", ".join(group.id for group in environment.mandatory_groups)
            return f"{group_id} is an environment, not a group; its groups are {parts}"
    return f"this host's repositories have no group {group_id}"


def mark_removal(base: Any, ids: Iterable[str]) -> bool:
    """Whether dnf has anything to write down. A group that is not installed is removed already."""
    installed = [group_id for group_id in ids if _is_installed(base, group_id)]
    for group_id in installed:
        base.group_remove(group_id)
    return bool(installed)


def members(base: Any, ids: Iterable[str]) -> set[str]:
    """The names of the packages of these groups, by the repositories and by dnf's history."""
    groups = _available(base)
    names = {p.name for i in ids if i in groups for p in groups[i].packages_iter()}
    recorded = [group for i in ids if (group := base.history.group.get(i)) is not None]
    return names | {package.getName() for group in recorded for package in group.getPackages()}
