"""Hosts for the package contract: one class per back end, all with the verbs of `package_host.Host`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import debrepo
import dnf5_tree
import pytest
import rpmrepo
from package_host import PATIENCE, Host
from pulp_agent.handlers.packages import AptSettings
from pulp_agent.handlers.packages.processes import Process, Session
from rpm_hosts import Dnf5Host, DnfHost


class AptHost(Host):
    """A private apt and dpkg root. Needs no root."""

    backend = "apt"
    setting_up = "Setting up {}"
    remembers_failed_scripts = True
    settings: AptSettings

    def __init__(self, folder: Path, *, uri: str | None = None) -> None:
        super().__init__(folder)
        self.repository = debrepo.build_repository(folder / "repository", slow_seconds=1)
        config = debrepo.make_root(self.root, self.repository, uri=uri)
        self.settings = AptSettings(
            apt_config=str(config),
            root=str(self.root),
            security_labels=(debrepo.SECURITY_LABEL,),
            **PATIENCE,
        )

    def tool(self, *command: str) -> str:
        env = {**os.environ, "APT_CONFIG": str(self.settings.apt_config), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            command, env=env, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True
        ).stdout

    def give(self, *packages: str) -> None:
        """Have packages installed, by the tool itself."""
        self.tool("apt-get", "-q", "update")
        self.tool("apt-get", "-q", "-y", "install", *packages)

    def installed(self) -> dict[str, str]:
        """Name → version of what is fully installed."""
        return {n: v for n, (s, v, _) in self._status().items() if s == "installed"}

    def status(self, name: str) -> str:
        return self._status()[name][0]

    def held(self) -> set[str]:
        return {name for name, (_, _, want) in self._status().items() if want == "hold"}

    def _status(self) -> dict[str, tuple[str, str, str]]:
        form = "${Package} ${db:Status-Status} ${Version} ${db:Status-Want}\\n"
        admin = f"--admindir={self.root}/var/lib/dpkg"
        lines = self.tool("dpkg-query", admin, "-W", "-f", form).splitlines()
        return {words[0]: (words[1], words[2], words[3]) for words in map(str.split, lines)}

    def hold(self, name: str) -> None:
        self.tool("apt-mark", "hold", name)

    def audit(self) -> str:
        """What the package system finds wrong with itself."""
        return self.tool("dpkg", f"--root={self.root}", "--audit")

    def cut_off_unpacking(self, name: str, status: str) -> None:
        """Leave a package as a power cut in mid-unpacking does."""
        file = self.root / "var/lib/dpkg/status"
        whole = f"Package: {name}\nStatus: install ok installed\n"
        text = file.read_text()
        assert whole in text
        file.write_text(
            text.replace(whole, f"Package: {name}\nStatus: install reinstreq {status}\n")
        )
        (self.root / "var/lib/dpkg/updates/0001").touch()

    def interrupted(self) -> bool:
        """Whether a transaction was cut off."""
        return any((self.root / "var/lib/dpkg/updates").iterdir())

    def fingerprint(self) -> dict[str, tuple[int, int]]:
        """Every file of the package state, with its size and time of change."""
        folders = ("var/lib/dpkg", "var/lib/apt", "var/cache/apt/archives", "usr", "etc")
        paths = [path for folder in folders for path in (self.root / folder).rglob("*")]
        return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in paths}

    def publish(self, name: str, version: str, **fields: Any) -> None:
        self.repository.publish(debrepo.Package(name=name, version=version, **fields))

    def lock(self, *, metadata: bool) -> tuple[Path, bool]:
        place = "var/lib/apt/lists/lock" if metadata else "var/lib/dpkg/lock-frontend"
        return self.root / place, False

    def left_by_failed_script(self, name: str) -> dict[str, str]:
        """What stands as installed of a package of version 1.0 whose set-up script failed."""
        return {} if self.remembers_failed_scripts else {name: "1.0"}

    def scripts_run(self, name: str) -> int:
        """How often a package's set-up was begun, by the package system's own log."""
        log = (self.root / "var/log/dpkg.log").read_text()
        return sum(f" configure {name}:" in line for line in log.splitlines())

    def is_tool(self, process: Process, session: Session) -> bool:
        return process.name in ("apt-get", "dpkg")


HOSTS: dict[str, Callable[[Path], Host]] = {"apt": AptHost, "dnf": DnfHost, "dnf5": Dnf5Host}


def need(name: str) -> None:
    """Skip where a family's tools are lacking, and say so; in CI everything is there, or it is a failure. dnf5 is another matter:
    see dnf5_tree."""
    missing = _missing(name)
    if not missing:
        return
    text = f"the {name} contract was NOT tested: {missing}"
    if os.environ.get("CI") == "true" and name != "dnf5":
        pytest.fail(text)
    pytest.skip(text)


def _missing(name: str) -> str:
    tools = ("apt-get", "dpkg") if name == "apt" else rpmrepo.TOOLS
    missing = [tool for tool in tools if not shutil.which(tool)]
    if name == "dnf" and os.geteuid() != 0:
        missing.append("root")
    if missing:
        return f"no {', '.join(missing)} here"
    return dnf5_tree.lack() if name == "dnf5" else ""
