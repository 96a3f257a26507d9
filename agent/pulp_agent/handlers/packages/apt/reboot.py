"""Whether the host needs a restart after a transaction. On plain Debian nobody writes the flag file, so it is not enough."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pulp.rmi.interfaces import Change

_CORE = frozenset({"libc6", "systemd", "dbus"})
_KERNEL = "linux-image-"
_NEW_KERNEL = ("NEEDRESTART-KSTA: 2", "NEEDRESTART-KSTA: 3")
_TIMEOUT = 30.0  # s


def reboot_needed(changes: Sequence[Change], root: str, env: Mapping[str, str]) -> bool:
    """By the flag file, by what has changed, or (on a real host) by needrestart's look at the kernel."""
    if Path(root, "run/reboot-required").exists():
        return True
    done = [c.name for c in changes if c.outcome in ("done", "unplanned") and c.to is not None]
    if not done:
        return False
    if any(name in _CORE or name.startswith(_KERNEL) for name in done):
        return True
    return root == "/" and _kernel_is_old(env)


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
