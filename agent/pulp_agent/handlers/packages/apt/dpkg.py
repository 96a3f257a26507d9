"""dpkg's side: its state, whether a transaction was cut off, and what it logged about configuration files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from pulp.rmi.interfaces import ConfigFile
from pulp_agent.handlers.packages.apt.config import AptConfig, read
from pulp_agent.handlers.packages.base import Key, PackageState, State

_FIELDS = (
    "Package",
    "Architecture",
    "Version",
    "db:Status-Status",
    "db:Status-Want",
    "db:Status-Eflag",
)
_FORMAT = "\\t".join(f"${{{name}}}" for name in _FIELDS) + "\\n"
_ABSENT = ("not-installed", "config-files")
_TIMEOUT = 60.0  # s
_CONFIG_FILE = re.compile(r" conffile (\S+) (keep|install)$", re.MULTILINE)


def key(name: str, architecture: str | None, config: AptConfig) -> Key:
    """`all` and no architecture both mean the host's own slot."""
    slot = config.architecture if architecture in (None, "", "all") else architecture
    return f"{name}:{slot}"


def state(config: AptConfig, env: Mapping[str, str]) -> State:
    """What is installed, wholly or in part; 15 ms for 900 packages."""
    command = ["dpkg-query", f"--admindir={config.admin}", "--show", f"--showformat={_FORMAT}"]
    result: State = {}
    for line in read(command, env).splitlines():
        name, architecture, version, status, want, flag = line.split("\t")
        if status not in _ABSENT:
            result[key(name, architecture, config)] = PackageState(
                name=name,
                arch=architecture,
                version=version,
                status=status,
                held=want == "hold",
                broken=flag == "reinstreq",
            )
    return result


def is_at_least(version: str, other: str, env: Mapping[str, str]) -> bool:
    command = ["dpkg", "--compare-versions", version, "ge", other]
    return subprocess.run(command, check=False, env=dict(env), timeout=_TIMEOUT).returncode == 0


def journal_dirty(config: AptConfig) -> bool:
    """Whether dpkg was cut off: apt-get then refuses to work until `dpkg --configure -a` has been run."""
    updates = config.admin / "updates"
    return updates.is_dir() and any(entry.name.isdigit() for entry in updates.iterdir())


def log_size(config: AptConfig) -> int:
    try:
        return config.log.stat().st_size
    except OSError:
        return 0


def config_files(config: AptConfig, mark: int) -> list[ConfigFile]:
    """The decisions logged since the log had `mark` bytes. A log that was rotated away meanwhile tells nothing: an empty list."""
    try:
        with config.log.open("rb") as log:
            log.seek(mark)
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [ConfigFile(path=path, decision=what) for path, what in _CONFIG_FILE.findall(text)]
