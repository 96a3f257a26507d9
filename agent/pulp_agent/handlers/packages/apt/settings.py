"""The apt back end's settings."""

from __future__ import annotations

from dataclasses import dataclass

from pulp_agent.handlers.packages.settings import PackageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSettings(PackageSettings):
    """`apt_config` is the value of APT_CONFIG: for private roots; a host leaves it alone."""

    apt_config: str | None = None
    security_labels: tuple[str, ...] = ("Debian-Security",)
    """The `Label` of the suites that hold security updates."""
