"""Throw-away Debian machines: systemd-nspawn on a copy-on-write view of a tree. Nothing of this host is written to but a folder.

A machine's view is mounted in a mount namespace of its own, so it is gone with the machine, however that ends. Its network is
a loopback that it shares with no one but the machines made `beside` it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

CACHE = Path(os.environ.get("TEST_CACHE") or Path.home() / ".cache/pulp-test")
PACKAGES = "systemd-sysv,dbus,python3,util-linux"
"""What the trees have beside the bare minimum: all that our packages depend on, as the machines have no network."""
_REBOOT = 133
"""systemd-nspawn's exit code when the machine wants to be started again."""
_VIEW = """
set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
name=$2; shift 2
exec systemd-nspawn --quiet --boot --register=no --keep-unit --console=read-only --directory="$name/root" "$@"
"""


class MachineError(Exception):
    """A machine did not do what was asked; with its words."""


@contextmanager
def cache() -> Iterator[None]:
    """The cache's folder, for one process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tree(release: str, folder: Path) -> Path:
    """A Debian tree, unpacked in `folder`; made once and kept as a tar in the cache."""
    tar = CACHE / f"{release}-{PACKAGES.replace(',', '-')}.tar"
    with cache():
        if not tar.exists():
            part = tar.with_suffix(".part")
            options = ["--variant=apt", f"--include={PACKAGES}", "--format=tar"]
            _run(["mmdebstrap", *options, release, str(part)], limit=400)
            part.rename(tar)
    target = folder / release
    target.mkdir()
    _run(["tar", "-xf", str(tar), "-C", str(target), "--numeric-owner"], limit=120)
    return target


def _run(command: list[str], *, limit: float) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=limit,
    )
    if done.returncode:
        raise MachineError(f"{command} failed:\n{done.stdout[-3000:]}")


class Machine:
    """One machine; a context manager that ends it. It is booted by `boot`."""

    def __init__(
        self,
        name: str,
        *,
        lower: Path,
        folder: Path,
        binds: Mapping[Path, str],
        beside: Machine | None = None,
    ) -> None:
        """`binds`: folders of this host and where the machine sees them, read-only. `beside`: shares that one's loopback."""
        self.name = name
        self._lower = lower
        self._folder = folder / name
        self._binds = binds
        self._beside = beside
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        for part in ("upper", "work", "root"):
            (self._folder / part).mkdir(parents=True)
        self._log = self._folder / "console"

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- life ---

    def boot(self) -> None:
        """Returns once its systemd is up."""
        assert self._process is None, f"{self.name} runs already"
        options = [f"--bind-ro={host}:{there}" for host, there in self._binds.items()]
        if self._beside is None:
            options.append("--private-network")
        else:
            options.append(f"--network-namespace-path=/proc/{self._beside._leader}/ns/net")
        options.append(f"--machine={self.name}")
        view = ["bash", "-c", _VIEW, "view", str(self._lower), str(self._folder), *options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                # Should the test itself be killed, its machine ends too.
                [
                    "setpriv",
                    "--pdeathsig=KILL",
                    "unshare",
                    "--mount",
                    "--propagation=private",
                    *view,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._leader = self.until(self._find_leader, "its first process")
        self.until(self._is_up, "its systemd")

    def _find_leader(self) -> int:
        """The process that is number 1 in there."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise MachineError(f"{self.name} did not start:\n{self.console()}")
        pid = self._process.pid
        with suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                for line in Path(f"/proc/{child}/status").read_text().splitlines():
                    if line.startswith("NSpid:") and line.split()[2:] == ["1"]:
                        return int(child)
        return 0

    def _is_up(self) -> bool:
        state = self.run("systemctl", "is-system-running", code=None).strip()
        return state in ("running", "degraded")

    def await_reboot(self, limit: float = 60) -> None:
        """It goes down by itself, wanting to be started again; then it is."""
        assert self._process is not None
        code = self._process.wait(limit)
        self._process = None
        if code != _REBOOT:
            raise MachineError(
                f"{self.name} ended with {code}, not for a reboot:\n{self.console()}"
            )
        self.boot()

    def kill(self) -> None:
        """At once, with all that runs in it: as when its plug is pulled, but for what the disk has not written yet."""
        if self._process is not None:
            if self._leader:
                with suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._process = None
            gone = Path(f"/proc/{self._leader}")
            self.until(lambda: not gone.exists(), "its last process to be gone")

    def console(self) -> str:
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""

    # --- what is done in it ---

    def command(self, *words: str) -> list[str]:
        """To run `words` in there from here."""
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        environment = ["env", "-i", "LC_ALL=C.UTF-8", "HOME=/root"]
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        return ["nsenter", "--target", str(self._leader), *spaces, "--", *environment, path, *words]

    def run(self, *words: str, code: int | None = 0, limit: float = 120) -> str:
        """Its output, errors too. MachineError unless it ends with `code`; None: any."""
        done = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=limit,
        )
        if code is not None and done.returncode != code:
            raise MachineError(f"{self.name}: {words} ended with {done.returncode}\n{done.stdout}")
        return done.stdout

    def shell(self, script: str, code: int | None = 0, limit: float = 120) -> str:
        return self.run("sh", "-ec", script, code=code, limit=limit)

    def write(self, path: str, text: str) -> None:
        """A file in it, while it runs."""
        subprocess.run(
            self.command("sh", "-ec", 'mkdir -p "${1%/*}"; cat >"$1"', "write", path),
            input=text,
            text=True,
            check=True,
        )

    def exists(self, path: str) -> bool:
        return self.run("sh", "-c", f"test -e {path} && echo yes || echo no") == "yes\n"

    def until(self, is_so: Callable[[], T], what: str, limit: float = 60) -> T:
        """The first true answer."""
        deadline = time.monotonic() + limit
        while not (answer := is_so()):
            if time.monotonic() > deadline:
                raise MachineError(f"{self.name}: waited {limit:g} s for {what}\n{self.console()}")
            time.sleep(0.1)
        return answer
