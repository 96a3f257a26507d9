"""Starts a job's process: a child in a session of its own, or under systemd a unit of its own that outlives the agent."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pulp.common.errors import PulpError

MODULE = "pulp_agent.job"
_PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "TZ", "LANG", "APT_CONFIG"),
    *("http_proxy", "https_proxy", "ftp_proxy", "no_proxy"),
)


class LaunchError(PulpError):
    """No process could be started; the sentence says why."""

    code = "launch"


def uses_systemd(environ: Mapping[str, str]) -> bool:
    """Only a service of systemd has its children killed with it, and only there can units be made."""
    systemd = "INVOCATION_ID" in environ and Path("/run/systemd/system").is_dir()
    return systemd and shutil.which("systemd-run") is not None


def spawn(argv: list[str], *, stdout: int | None = None) -> int:
    """A child of its own session, with stdin closed and our stderr. Its process id; LaunchError."""
    actions: list[tuple[int, ...]] = []
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        actions.append((os.POSIX_SPAWN_DUP2, null, 0))
        actions.append((os.POSIX_SPAWN_DUP2, null if stdout is None else stdout, 1))
        return os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, setsid=True)
    except OSError as error:
        raise LaunchError(f"{argv[0]} cannot be started: {error.strerror}") from error
    finally:
        os.close(null)


def job_command(*arguments: str) -> list[str]:
    """`-P`: a job's folder is no place to import from."""
    return [sys.executable, "-P", "-m", MODULE, *arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """How jobs of a kind look to systemd: the beginning of their units' names, and the units' properties."""

    name: str
    description: str
    properties: tuple[str, ...]


WORK = Unit(
    name="pulp-agent-job",
    description="Pulp package work",
    properties=("SendSIGKILL=no", "TimeoutStopSec=infinity", "KillMode=process"),
)
"""systemd never kills it in mid-commit."""
FETCH = Unit(
    name="pulp-agent-fetch",
    description="Pulp fetches packages ahead",
    properties=("TimeoutStopSec=10s",),
)
"""It holds up no shutdown."""


def main_process_command(name: str) -> list[str]:
    """Prints the process id of a unit, 0 where it has none (any more)."""
    systemctl = shutil.which("systemctl") or "systemctl"
    return [systemctl, "show", "--property=MainPID", "--value", f"{name}.service"]


def unit_command(kind: Unit, name: str, spool: Path, environ: Mapping[str, str]) -> list[str]:
    """A unit that no restart of the agent touches."""
    variables = [f"--setenv={key}={environ[key]}" for key in _PASSED_ON if key in environ]
    return [
        shutil.which("systemd-run") or "systemd-run",
        f"--unit={name}",
        "--collect",
        "--quiet",
        f"--description={kind.description}",
        *[f"--property={p}" for p in kind.properties],
        *variables,
        *job_command(str(spool)),
    ]
