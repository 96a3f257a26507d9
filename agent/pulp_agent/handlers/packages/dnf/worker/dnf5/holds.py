"""Packages on hold: those that dnf's main configuration excludes, and those that its versionlock locks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from libdnf5.rpm import VectorVersionlockCondition, VersionlockCondition, VersionlockPackage

from .. import rpmdb
from ..held import matches


class Holds:
    """Read anew for each command. `base`: set up; `excluded`: what its main configuration excludes."""

    def __init__(self, base: Any, excluded: Collection[str]) -> None:
        self._config = base.get_rpm_package_sack().get_versionlock_config()
        self._patterns = {*excluded, *(e.get_name() for e in self._entries() if _holds(e))}

    def _entries(self) -> list[Any]:
        return list(self._config.get_packages())

    def has(self, name: str, arch: str, version: str) -> bool:
        return matches(self._patterns, name, arch, version)

    def renew(self, names: Iterable[str], installed: Iterable[Any]) -> None:
        """Lock those of these packages that are locked at the versions that they have now."""
        wanted, now = set(names), {rpmdb.name_of(h): rpmdb.version_of(h) for h in installed}
        entries = self._entries()
        stale = [e for e in entries if _holds(e) and e.get_name() in wanted.intersection(now)]
        if not stale:
            return
        fresh = [_renewed(e, now[e.get_name()]) if e in stale else e for e in entries]
        packages = self._config.get_packages()
        packages.clear()
        for entry in fresh:
            packages.append(entry)
        self._config.save()


def _holds(entry: Any) -> bool:
    """Whether it locks one version; an entry that only bars some holds nothing."""
    return entry.is_valid() and any(map(_is_version, entry.get_conditions()))


def _is_version(condition: Any) -> bool:
    return condition.get_key_str() == "evr" and condition.get_comparator_str() in ("=", "==")


def _renewed(entry: Any, version: str) -> Any:
    conditions = VectorVersionlockCondition()
    for old in entry.get_conditions():
        new = VersionlockCondition("evr", "=", version) if _is_version(old) else old
        conditions.append(new)
    made = VersionlockPackage(entry.get_name(), conditions)
    made.set_comment(entry.get_comment())
    return made
