"""The settings of package work as a job's process reads them, from the file the agent wrote at its start."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pulp.common.times import SECOND
from pulp_agent.config import Packages
from pulp_agent.handlers.packages import AptSettings, DnfSettings, Settings, detect
from pulp_agent.handlers.packages.detection import detect_dnf
from pulp_agent.spool import SETTINGS


def read_settings(jobs: Path) -> Settings:
    """The defaults where there is no file. A host with no package system that we know gets apt's settings, and no handlers."""
    try:
        packages = msgspec.json.decode((jobs / SETTINGS).read_bytes(), type=Packages)
    except FileNotFoundError:
        packages = Packages()
    kind = _kind(packages.family)
    if kind is not None and issubclass(kind, DnfSettings):
        return _dnf(packages, kind)
    return _apt(packages)


def _kind(family: str) -> type[Settings] | None:
    if family == "apt":
        return AptSettings
    return detect_dnf() or DnfSettings if family == "dnf" else detect()


def _apt(packages: Packages) -> AptSettings:
    """The settings' ms as the handler's seconds."""
    return AptSettings(
        apt_config=packages.apt_config,
        root=packages.root,
        lock_timeout=packages.lock_timeout / SECOND,
        refresh_timeout=packages.refresh_timeout / SECOND,
        plan_timeout=packages.plan_timeout / SECOND,
        download_timeout=packages.download_timeout / SECOND,
        commit_timeout=packages.commit_timeout / SECOND,
        retry_delay=packages.retry_delay / SECOND,
        security_labels=packages.security_labels,
    )


def _dnf(packages: Packages, kind: type[DnfSettings]) -> DnfSettings:
    return kind(
        config=packages.dnf_config,
        root=packages.root,
        lock_timeout=packages.lock_timeout / SECOND,
        refresh_timeout=packages.refresh_timeout / SECOND,
        plan_timeout=packages.plan_timeout / SECOND,
        download_timeout=packages.download_timeout / SECOND,
        commit_timeout=packages.commit_timeout / SECOND,
        retry_delay=packages.retry_delay / SECOND,
    )
