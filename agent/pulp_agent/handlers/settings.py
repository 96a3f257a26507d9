"""How the settings of package work come from the agent to its jobs' processes: a file in the jobs' folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pulp_agent.files import write_atomically
from pulp_agent.handlers.packages.apt.settings import AptSettings

_NAME = ".settings.json"  # no call's id begins with a dot


def write_settings(jobs: Path, settings: AptSettings) -> None:
    write_atomically(jobs / _NAME, msgspec.json.encode(settings))


def read_settings(jobs: Path) -> AptSettings:
    """The defaults where there is no file."""
    try:
        return msgspec.json.decode((jobs / _NAME).read_bytes(), type=AptSettings)
    except FileNotFoundError:
        return AptSettings()
