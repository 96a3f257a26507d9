"""Where apt and dpkg keep things on this host: asked from apt itself, so that private roots and odd hosts work alike."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pulp_agent.handlers.base import HandlerError

_PATHS = {
    "status": "Dir::State::status/f",
    "lists": "Dir::State::lists/d",
    "preferences": "Dir::Etc::preferences/f",
    "preferences_parts": "Dir::Etc::preferencesparts/d",
}
_OWN = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",  # it would restart this agent in mid-transaction
    "LC_ALL": "C.UTF-8",  # texts are read by programs
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
_INHERITED = ("APT_CONFIG", "HOME", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "TMPDIR")
_READ_TIMEOUT = 60.0  # s


def environment(apt_config: str | None) -> dict[str, str]:
    """The tools' environment. Nothing of the agent's own leaks into maintainer scripts but what is named here."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ} | _OWN
    return env | ({"APT_CONFIG": apt_config} if apt_config else {})


def read(command: list[str], env: Mapping[str, str]) -> str:
    """The output of a tool that only reads. Raises `internal` with the tool's words."""
    try:
        done = subprocess.run(
            command,
            check=False,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_READ_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HandlerError("internal", f"{command[0]} cannot be run: {error}") from error
    if done.returncode != 0:
        raise HandlerError("internal", f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class AptConfig:
    admin: Path
    """dpkg's administration directory."""
    lists: Path
    preferences: Path
    preferences_parts: Path
    dpkg_options: tuple[str, ...]
    """What apt gives to dpkg here."""
    architecture: str
    foreign: tuple[str, ...]
    log: Path
    """dpkg's log."""


def load(env: Mapping[str, str], root: str) -> AptConfig:
    """Ask apt and dpkg."""
    pairs = [word for pair in _PATHS.items() for word in pair]
    shell = read(["apt-config", "shell", *pairs], env)
    paths = dict(word.split("=", 1) for word in shlex.split(shell))
    dump = read(["apt-config", "dump", "--format", "%v%n", "DPkg::Options"], env)
    options = tuple(line for line in dump.splitlines() if line)
    logs = [option.partition("=")[2] for option in options if option.startswith("--log=")]
    return AptConfig(
        admin=Path(paths["status"]).parent,
        lists=Path(paths["lists"]),
        preferences=Path(paths["preferences"]),
        preferences_parts=Path(paths["preferences_parts"]),
        dpkg_options=options,
        architecture=read(["dpkg", "--print-architecture"], env).strip(),
        foreign=tuple(read(["dpkg", "--print-foreign-architectures"], env).split()),
        log=Path(logs[-1] if logs else f"{root.rstrip('/')}/var/log/dpkg.log"),
    )
