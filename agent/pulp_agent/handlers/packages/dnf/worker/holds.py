"""Packages on hold: those that dnf's main configuration excludes, and those that its plugin versionlock locks."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable
from typing import Any, Optional

from . import rpmdb
from .held import matches

_ENTRY = re.compile(r"(?P<name>.+)-(?:\d+:)?\d[^-]*-[^-]+")
"""versionlock writes `name-epoch:version-release.*`."""


class Holds:
    """Read anew for each command."""

    def __init__(self, conf: Any) -> None:
        self._list = _lock_list(conf)
        self._locked = {_name(entry) for entry in self._entries()}
        self._excluded = tuple(conf.excludepkgs)

    def has(self, name: str, arch: str, version: str) -> bool:
        return matches((*self._excluded, *self._locked), name, arch, version)

    def _entries(self) -> list[str]:
        """Those of versionlock; `!` forbids a single version, which holds nothing."""
        return [line for line in self._lines() if line[0] not in "#!"]

    def _lines(self) -> list[str]:
        if self._list is None:
            return []
        with open(self._list, encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip()]

    def renew(self, names: Iterable[str], installed: Iterable[Any]) -> None:
        """Lock those of these packages that are locked at the versions that they have now."""
        wanted = self._locked.intersection(names)
        if self._list is None or not wanted:
            return
        kept = [line for line in self._lines() if line[0] in "#!" or _name(line) not in wanted]
        fresh = [_entry(header) for header in installed if rpmdb.name_of(header) in wanted]
        part = self._list + ".part"
        with open(part, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in [*kept, *fresh])
        os.replace(part, self._list)


def _name(entry: str) -> str:
    found = _ENTRY.fullmatch(entry)
    return found["name"] if found else entry


def _entry(header: Any) -> str:
    version = rpmdb.version_of(header)
    epoch = "" if ":" in version else "0:"
    return f"{rpmdb.name_of(header)}-{epoch}{version}.*"


def _lock_list(conf: Any) -> Optional[str]:
    """Where versionlock keeps its entries, if it is in use."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(os.path.join(path, "versionlock.conf") for path in conf.pluginconfpath)
    if not conf.plugins or not parser.getboolean("main", "enabled", fallback=False):
        return None
    path = parser.get("main", "locklist", fallback="")
    return path if path and os.path.exists(path) else None
