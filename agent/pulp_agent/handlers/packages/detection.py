"""Which package system a host is managed with, and whether it has what a back end needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from glob import iglob
from pathlib import Path

from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.dnf.settings import Dnf5Settings, DnfSettings

Settings = AptSettings | DnfSettings
"""Their type says which package system is meant."""

_APT_TOOLS = ("apt-get", "apt-cache", "apt-mark", "apt-config", "dpkg", "dpkg-query")
_DNF_TOOLS = ("dnf-3", "rpm")
"""`dnf-3` is dnf4's name of its own; `dnf` may be dnf5, which is another program."""
_DNF5_TOOLS = ("dnf5", "rpm")
_DPKG_STATUS = Path("/var/lib/dpkg/status")
_LIBDNF5 = "/usr/lib*/python3*/*-packages/libdnf5"
"""The module of the system's Python, which no package of dnf5 itself brings."""


def detect() -> type[Settings] | None:
    """A host with dpkg and rpm is apt's when dpkg knows of any package. One with dnf5 and dnf4 is dnf5's, unless the Python
    module for it is missing."""
    managed_by_dpkg = _DPKG_STATUS.is_file() and _DPKG_STATUS.stat().st_size > 0
    if _has_apt() and managed_by_dpkg:
        return AptSettings
    return detect_dnf()


def detect_dnf() -> type[DnfSettings] | None:
    return next((kind for kind in (Dnf5Settings, DnfSettings) if _NEEDS[kind]()), None)


def usable(settings: Settings) -> bool:
    """Whether this host has what the back end needs; a Python that is named is taken to have it."""
    if isinstance(settings, DnfSettings) and settings.python is not None:
        return True
    return _NEEDS[type(settings)]()


def _has_apt() -> bool:
    return _has(_APT_TOOLS)


def _has_dnf() -> bool:
    return _has(_DNF_TOOLS)


def _has_dnf5() -> bool:
    return _has(_DNF5_TOOLS) and any(iglob(_LIBDNF5))


def _has(tools: tuple[str, ...]) -> bool:
    return all(shutil.which(tool) for tool in tools)


_NEEDS: dict[type[Settings], Callable[[], bool]] = {
    AptSettings: _has_apt,
    DnfSettings: _has_dnf,
    Dnf5Settings: _has_dnf5,
}
