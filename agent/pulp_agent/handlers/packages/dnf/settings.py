"""The settings of the dnf back end, for dnf4 and dnf5."""

from __future__ import annotations

from dataclasses import dataclass

from pulp_agent.handlers.packages.settings import PackageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DnfSettings(PackageSettings):
    """`config` is a dnf.conf and `home` the folder of an .rpmmacros: for private roots; a host leaves both alone."""

    config: str | None = None
    home: str | None = None
    python: str | None = None
    """The Python that has dnf's module; None: the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnf5Settings(DnfSettings):
    """The type says that it is dnf5."""
