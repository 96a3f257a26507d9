"""What a host of the package contract has, whatever its family: the verbs that the tests are written in."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
from package_job import PackageJob, call
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import Settings
from pulp_agent.handlers.packages.processes import Process, Session

from pulp.rmi import interfaces
from pulp.rmi.interfaces import (
    GroupArgs,
    Method,
    NoArgs,
    PackagesArgs,
    PackageSpec,
    Policy,
    RepairArgs,
    UpdateAllArgs,
)
from pulp.rmi.reports import GroupsArgs, UpdatesArgs

DEADLINE = 60.0  # s; a wait that takes longer has failed


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

    def at_work(self) -> bool:
        return self._thread.is_alive()

    def outcome(self) -> Any:
        """The result, or the HandlerError."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the handler did not end"
        return self._outcome[0]


PATIENCE = {"lock_timeout": 5.0, "retry_delay": 0.05, "script_grace": 0.5}


class Host:
    """A private root on a throw-away repository, with the verbs that the contract is written in.

    Versions are told and understood as the contract writes them, `1.0`; where a family rightly differs, an attribute says how.
    """

    backend: str
    setting_up: str
    """What the log says when a package is set up, with `{}` for its name."""
    remembers_failed_scripts: bool
    """Whether a package whose set-up script failed stays known as not set up, and is set up again at the next occasion."""

    locks_metadata = True
    """Whether a lock keeps others from the repositories' metadata while they are fetched."""

    folder: Path
    root: Path
    repository: Any
    settings: Settings

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self._numbers = itertools.count(1)

    def plain(self, value: Any) -> Any:
        """A result with the versions of the contract."""
        return value

    def spec(self, text: str) -> PackageSpec:
        """`name=version` in the family's spelling."""
        return spec(text)

    # --- calling the handlers ---

    def job(self, **options: Any) -> PackageJob:
        return PackageJob(self.folder / f"job{next(self._numbers)}", **options)

    def call(
        self, method: Method, *packages: str, job: PackageJob | None = None, **options: Any
    ) -> Any:
        """A call of one of the named-package methods; options: dry_run, and the policy's."""
        dry_run = options.pop("dry_run", False)
        args = PackagesArgs(
            packages=list(map(self.spec, packages)), policy=Policy(**options), dry_run=dry_run
        )
        return self._call(method, args, job or self.job())

    def _call(self, method: Method, args: msgspec.Struct, job: PackageJob) -> Any:
        try:
            return self.plain(call(self.settings, method, args, job))
        except HandlerError as error:
            error.details = self.plain(error.details)
            raise

    def install(self, *packages: str, **options: Any) -> Any:
        return self.call(interfaces.INSTALL, *packages, **options)

    def update(self, *packages: str, **options: Any) -> Any:
        return self.call(interfaces.UPDATE, *packages, **options)

    def remove(self, *packages: str, **options: Any) -> Any:
        return self.call(interfaces.REMOVE, *packages, **options)

    def update_all(
        self,
        *,
        security_only: bool = False,
        advisories: Sequence[str] = (),
        dry_run: bool = False,
        **policy: Any,
    ) -> Any:
        args = UpdateAllArgs(
            security_only=security_only,
            advisories=list(advisories) or msgspec.UNSET,
            dry_run=dry_run,
            policy=Policy(**policy),
        )
        return self._call(interfaces.UPDATE_ALL, args, self.job())

    def install_group(self, *groups: str, **options: Any) -> Any:
        return self._change_groups(interfaces.INSTALL_GROUP, groups, **options)

    def remove_group(self, *groups: str, **options: Any) -> Any:
        return self._change_groups(interfaces.REMOVE_GROUP, groups, **options)

    def _change_groups(
        self, method: Method, groups: Sequence[str], *, dry_run: bool = False, **policy: Any
    ) -> Any:
        args = GroupArgs(groups=list(groups), dry_run=dry_run, policy=Policy(**policy))
        return self._call(method, args, self.job())

    def repair(self, *, job: PackageJob | None = None, **options: Any) -> Any:
        return self._call(interfaces.REPAIR, RepairArgs(**options), job or self.job())

    def refresh(self, *, job: PackageJob | None = None) -> Any:
        return self._call(interfaces.REFRESH, NoArgs(), job or self.job())

    def groups(self, *, refresh: bool = False) -> Any:
        return self._call(interfaces.GROUPS, GroupsArgs(refresh=refresh), self.job())

    def updates(self, *, refresh: bool = False, job: PackageJob | None = None) -> Any:
        return self._call(interfaces.UPDATES, UpdatesArgs(refresh=refresh), job or self.job())

    def profile(self) -> Any:
        return self._call(interfaces.PROFILE, NoArgs(), self.job())

    def start_install(self, *packages: str, job: PackageJob | None = None) -> Started:
        """An install at work in a thread of its own."""
        return self.start(self.install, *packages, job=job)

    def start(
        self, verb: Callable[..., Any], *packages: str, job: PackageJob | None = None
    ) -> Started:
        return Started(lambda job: verb(*packages, job=job), job or self.job())

    def spawn_install(self, *packages: str, spool: Path) -> subprocess.Popen[bytes]:
        """An install in a process and process group of its own."""
        args = PackagesArgs(packages=list(map(self.spec, packages)))
        return self.spawn(interfaces.INSTALL, args, spool=spool)

    def spawn(
        self, method: Method, args: msgspec.Struct, *, spool: Path
    ) -> subprocess.Popen[bytes]:
        order = self.folder / "order.json"
        order.write_text(
            json.dumps(
                {
                    "method": method.path,
                    "args": msgspec.to_builtins(args),
                    "spool": str(spool),
                    "resumed": False,
                    "backend": self.backend,
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

    def give(self, *packages: str) -> None:
        """Have packages installed, by the tool itself."""
        raise NotImplementedError

    def installed(self) -> dict[str, str]:
        """Name → version of what is fully installed, in the package system's own eyes."""
        raise NotImplementedError

    def held(self) -> set[str]:
        raise NotImplementedError

    def hold(self, name: str) -> None:
        raise NotImplementedError

    def audit(self) -> str:
        """What the package system finds wrong with itself."""
        raise NotImplementedError

    def cut_off_unpacking(self, name: str, status: str) -> None:
        """Leave a package as a power cut in mid-unpacking does; `status` is dpkg's word for how far it had come."""
        raise NotImplementedError

    def interrupted(self) -> bool:
        """Whether a transaction was cut off."""
        raise NotImplementedError

    def fingerprint(self) -> dict[str, tuple[int, int]]:
        """Every file of the package state, with its size and time of change."""
        raise NotImplementedError

    def publish(self, name: str, version: str, **fields: Any) -> None:
        """`fields` as debrepo.Package has them."""
        raise NotImplementedError

    def left_by_failed_script(self, name: str) -> dict[str, str]:
        """What stands as installed of a package of version 1.0 whose set-up script failed."""
        return {} if self.remembers_failed_scripts else {name: "1.0"}

    def scripts_run(self, name: str) -> int:
        """How often the set-up of `demogate` was begun."""
        raise NotImplementedError

    def is_tool(self, process: Process, session: Session) -> bool:
        """Whether a process of a transaction is the package tool itself."""
        raise NotImplementedError

    def lock(self, *, metadata: bool) -> tuple[Path, bool]:
        """A lock's file, and whether it is held by writing a pid into it (else by fcntl)."""
        raise NotImplementedError

    @contextmanager
    def locked(self, *, metadata: bool = False) -> Iterator[None]:
        """Hold the package system's lock, or that of the repositories' metadata, as another program would."""
        if metadata and not self.locks_metadata:
            yield
            return
        path, by_pid = self.lock(metadata=metadata)
        with self.holding(path, by_pid=by_pid):
            yield

    @contextmanager
    def holding(self, path: Path, *, by_pid: bool) -> Iterator[None]:
        with subprocess.Popen(
            [sys.executable, "-c", _PID_FILE if by_pid else _FCNTL, path],
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


_FCNTL = (
    "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX);"
    "print('locked', flush=True); sys.stdin.read()"
)
_PID_FILE = (
    "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid()));"
    "print('locked', flush=True); sys.stdin.read(); os.unlink(sys.argv[1])"
)
