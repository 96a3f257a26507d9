"""Hosts for the package contract: one class per back end, all with the same verbs."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import debrepo
import msgspec
from debrepo import Package
from package_job import PackageJob, call
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import AptSettings

from pulp.rmi import interfaces
from pulp.rmi.interfaces import Method, NoArgs, PackagesArgs, PackageSpec, Policy, UpdateAllArgs

DEADLINE = 20.0  # s; a wait that takes longer has failed


def wait_until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.02)


def spec(text: str) -> PackageSpec:
    """`name=version` as a PackageSpec, unchecked."""
    name, _, version = text.partition("=")
    return PackageSpec(name=name, version=version or None)


class Started:
    """A handler at work in a thread."""

    def __init__(self, work: Callable[[PackageJob], Any], job: PackageJob) -> None:
        self.job = job
        self._outcome: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(work,))
        self._thread.start()

    def _run(self, work: Callable[[PackageJob], Any]) -> None:
        try:
            self._outcome.append(work(self.job))
        except HandlerError as error:
            self._outcome.append(error)

    def outcome(self) -> Any:
        """The result, or the HandlerError."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the handler did not end"
        return self._outcome[0]


class AptHost:
    """A private apt and dpkg root on the throw-away repository. Needs no root."""

    backend = "apt"

    def __init__(self, folder: Path, *, uri: str | None = None) -> None:
        self.folder = folder
        self.repository = debrepo.build_repository(folder / "repository", slow_seconds=1)
        self.root = folder / "root"
        config = debrepo.make_root(self.root, self.repository, uri=uri)
        self.settings = AptSettings(
            apt_config=str(config),
            root=str(self.root),
            security_labels=(debrepo.SECURITY_LABEL,),
            lock_timeout=5.0,
            retry_delay=0.05,
            script_grace=0.5,
        )
        self._numbers = itertools.count(1)

    # --- calling the handlers ---

    def job(self, **options: Any) -> PackageJob:
        return PackageJob(self.folder / f"job{next(self._numbers)}", **options)

    def call(
        self, method: Method, *packages: str, job: PackageJob | None = None, **options: Any
    ) -> Any:
        """A call of one of the named-package methods; options: dry_run, and the policy's."""
        dry_run = options.pop("dry_run", False)
        args = PackagesArgs(
            packages=[spec(name) for name in packages], policy=Policy(**options), dry_run=dry_run
        )
        return call(self.settings, method, args, job or self.job())

    def install(self, *packages: str, **options: Any) -> Any:
        return self.call(interfaces.INSTALL, *packages, **options)

    def update(self, *packages: str, **options: Any) -> Any:
        return self.call(interfaces.UPDATE, *packages, **options)

    def remove(self, *packages: str, **options: Any) -> Any:
        return self.call(interfaces.REMOVE, *packages, **options)

    def update_all(
        self, *, security_only: bool = False, dry_run: bool = False, **policy: Any
    ) -> Any:
        args = UpdateAllArgs(security_only=security_only, dry_run=dry_run, policy=Policy(**policy))
        return call(self.settings, interfaces.UPDATE_ALL, args, self.job())

    def profile(self) -> Any:
        return call(self.settings, interfaces.PROFILE, NoArgs(), self.job())

    def start_install(self, *packages: str, job: PackageJob | None = None) -> Started:
        """An install at work in a thread of its own."""
        return Started(lambda job: self.install(*packages, job=job), job or self.job())

    def spawn_install(self, *packages: str, spool: Path) -> subprocess.Popen[bytes]:
        """An install in a process and process group of its own."""
        args = PackagesArgs(packages=[spec(name) for name in packages])
        order = self.folder / "order.json"
        order.write_text(
            json.dumps(
                {
                    "method": "Packages.install",
                    "args": msgspec.to_builtins(args),
                    "spool": str(spool),
                    "resumed": False,
                    "settings": asdict(self.settings),
                }
            )
        )
        script = Path(__file__).parent.parent / "package_job.py"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen([sys.executable, script, order], env=env, start_new_session=True)

    def configure(self, **settings: Any) -> None:
        self.settings = replace(self.settings, **settings)

    # --- looking at the host and changing it behind the handlers' back ---

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
        self.repository.publish(Package(name=name, version=version, **fields))

    @contextmanager
    def locked(self, *, metadata: bool = False) -> Iterator[None]:
        """Hold the package system's lock, or that of the repositories' metadata, as another program would."""
        place = "var/lib/apt/lists/lock" if metadata else "var/lib/dpkg/lock-frontend"
        program = (
            "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX);"
            "print('locked', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, self.root / place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"locked\n"
            try:
                yield
            finally:
                holder.communicate()

    # --- the gate: a package whose script waits until it is opened ---

    def close_gate(self) -> None:
        (self.root / "run/demogate.closed").touch()

    def open_gate(self) -> None:
        (self.root / "run/demogate.closed").unlink(missing_ok=True)

    def wait_for_gate(self) -> None:
        """Until the script of demogate is at work."""
        wait_until((self.root / "run/demogate.reached").exists, "the script of demogate runs")

    def scripts_run(self, name: str) -> int:
        """How often a package's set-up was begun, by the package system's own log."""
        log = (self.root / "var/log/dpkg.log").read_text()
        return sum(f" configure {name}:" in line for line in log.splitlines())


HOSTS = {"apt": AptHost}
