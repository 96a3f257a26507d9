"""What the settings of all back ends have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSettings:
    """All times in seconds. `root`: the folder that packages are installed into; a host leaves it alone."""

    root: str = "/"
    lock_timeout: float = 60.0
    """For all waits for other programs' locks together."""
    refresh_timeout: float = 300.0
    plan_timeout: float = 300.0
    download_timeout: float = 3600.0
    commit_timeout: float = 7200.0
    """After it (or when the call's time is over) package scripts that hang are ended; the commit itself never is."""
    script_grace: float = 30.0
    """Between SIGTERM and SIGKILL for such a script."""
    leftover_timeout: float = 300.0
    """For the scripts of an earlier process that died."""
    retry_delay: float = 1.0
    """Before a failed fetch is tried again; doubled each time."""
