"""What takes effect only with a restart of the host. On plain Debian nobody writes the flag file, so it is not enough."""

from __future__ import annotations

import glob
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pulp.rmi.interfaces import Change
from pulp_agent.host import booted_at

_CORE = frozenset({"libc6", "systemd", "dbus"})
_KERNEL = "linux-image-"
_NEW_KERNEL = ("NEEDRESTART-KSTA: 2", "NEEDRESTART-KSTA: 3")
_FLAG = "run/reboot-required"
_FILE_LISTS = "var/lib/dpkg/info"
"""dpkg writes a package's list of files anew with each of its versions."""
_TIMEOUT = 30.0  # s


def reboot_reasons(changes: Sequence[Change], root: str, env: Mapping[str, str]) -> list[str]:
    """Packages, or sentences: by the flag file, by what has changed now, or (on a real host) since its start, or by
    needrestart's look at the kernel."""
    done = [c.name for c in changes if c.outcome in ("done", "unplanned") and c.to is not None]
    reasons = {*_flagged(root), *filter(_matters, done)}
    if root == "/":
        reasons.update(came_since(booted_at(), root))
        if not reasons and _kernel_is_old(env):
            reasons.add("a newer kernel is installed than the one that runs")
    return sorted(reasons)


def _flagged(root: str) -> list[str]:
    if not Path(root, _FLAG).exists():
        return []
    try:
        names = Path(root, f"{_FLAG}.pkgs").read_text().split()
    except OSError:
        names = []
    return names or [f"/{_FLAG} is there"]


def _matters(name: str) -> bool:
    return name in _CORE or name.startswith(_KERNEL)


def came_since(moment: float, root: str) -> list[str]:
    """The packages that need a restart and were unpacked later than `moment` (s UTC)."""
    folder = glob.escape(str(Path(root, _FILE_LISTS)))
    found = (path for name in (*_CORE, f"{_KERNEL}*") for path in _lists_of(folder, name))
    return [path.stem.partition(":")[0] for path in found if _changed_at(path) > moment]


def _lists_of(folder: str, name: str) -> Iterable[Path]:
    yield from map(Path, glob.glob(f"{folder}/{name}.list"))
    yield from map(Path, glob.glob(f"{folder}/{name}:*.list"))


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _kernel_is_old(env: Mapping[str, str]) -> bool:
    command = ["needrestart", "-b", "-k"]
    try:
        done = subprocess.run(
            command,
            check=False,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return any(line.strip() in _NEW_KERNEL for line in done.stdout.splitlines())
