"""Package groups: what the repositories' comps files say, and what dnf has down as installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from libdnf5.base import GoalJobSettings
from libdnf5.comps import (
    EnvironmentQuery,
    GroupQuery,
    PackageType_DEFAULT,
    PackageType_MANDATORY,
)
from libdnf5.transaction import TransactionItemReason_USER

from ..refused import Refused


def listed(base: Any) -> list[dict[str, Any]]:
    """Every group of the repositories, and those that are installed and in no repository any more."""
    available, installed = _groups(base, installed=False), _groups(base, installed=True)
    known = {group_id: _told(group) for group_id, group in available.items()}
    for group_id, group in installed.items():
        told = {"id": group_id, "name": group.get_name()}
        known[group_id] = {**known.get(group_id, told), "installed": True}
    return [known[group_id] for group_id in sorted(known)]


def _told(group: Any) -> dict[str, Any]:
    return {
        "id": group.get_groupid(),
        "name": group.get_name(),
        "installed": False,
        "mandatory": _names(group.get_packages_of_type(PackageType_MANDATORY)),
        "default": _names(group.get_packages_of_type(PackageType_DEFAULT)),
    }


def _names(packages: Iterable[Any]) -> list[str]:
    return sorted(package.get_name() for package in packages)


def _groups(base: Any, *, installed: bool) -> dict[str, Any]:
    query = GroupQuery(base)
    query.filter_installed(installed)
    return {group.get_groupid(): group for group in query}


def mark_installation(base: Any, goal: Any, ids: Collection[str]) -> bool:
    """Whether dnf has anything to write down. Raises `not-found` with the groups that no repository has."""
    available, installed = _groups(base, installed=False), _groups(base, installed=True)
    missing = {i: _missing(base, i) for i in ids if i not in available}
    if missing:
        raise Refused("not-found", "; ".join(missing.values()), missing)
    settings = _exactly()
    settings.set_group_package_types(PackageType_MANDATORY | PackageType_DEFAULT)
    for group_id in ids:
        goal.add_group_install(group_id, TransactionItemReason_USER, settings)
    return any(group_id not in installed for group_id in ids)


def mark_removal(base: Any, goal: Any, ids: Collection[str]) -> bool:
    """Whether dnf has anything to write down. A group that is not installed is removed already."""
    installed = _groups(base, installed=True)
    gone = [group_id for group_id in ids if group_id in installed]
    for group_id in gone:
        goal.add_group_remove(group_id, TransactionItemReason_USER, _exactly())
    return bool(gone)


def _exactly() -> Any:
    """By id, and by nothing else."""
    settings = GoalJobSettings()
    settings.set_expand_globs(False)
    settings.set_group_search_environments(False)
    return settings


def _missing(base: Any, group_id: str) -> str:
    for environment in EnvironmentQuery(base):
        if environment.get_environmentid() == group_id:
            parts = ", ".join(environment.get_groups())
            return f"{group_id} is an environment, not a group; its groups are {parts}"
    return f"this host's repositories have no group {group_id}"


def members(base: Any, ids: Collection[str]) -> set[str]:
    """The names of the packages of these groups, by the repositories and by what dnf has down."""
    wanted = set(ids)
    groups = [group for group in GroupQuery(base) if group.get_groupid() in wanted]
    return {package.get_name() for group in groups for package in group.get_packages()}
