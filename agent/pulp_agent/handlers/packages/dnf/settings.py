"""The dnf back end's settings."""

from __future__ import annotations

from dataclasses import dataclass

from pulp_agent.handlers.packages.settings import PackageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DnfSettings(PackageSettings):
    """`config` is a dnf.conf and `home` the folder of an .rpmmacros: for private roots; a host leaves both alone."""

    config: str | None = None
    home: str | None = None
