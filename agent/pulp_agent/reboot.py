"""How the host's system is asked to restart it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pulp.rmi.interfaces import RESTART, Method
from pulp.rmi.versions import POLICY_REBOOT

_SYSTEMD = Path("/run/systemd/system")


def command(configured: Sequence[str], message: str) -> list[str] | None:
    """The command that asks for it and returns at once; None where the host has none. `message` is for who is logged in and for
    the system's log."""
    if configured:
        return list(configured)
    if _SYSTEMD.is_dir() and (systemctl := shutil.which("systemctl")):
        return [systemctl, "--no-block", f"--message={message}", "reboot"]
    shutdown = shutil.which("shutdown")
    return [shutdown, "-r", "now", message] if shutdown else None


def offered(
    methods: Mapping[tuple[str, int], Method],
    features: Collection[str],
    *,
    configured: Sequence[str],
    boot_id: str,
) -> tuple[dict[tuple[str, int], Method], frozenset[str]]:
    """Methods and features without the restart, where it could not be asked for, or its end not be noticed."""
    if boot_id and command(configured, ""):
        return dict(methods), frozenset(features)
    kept = {key: method for key, method in methods.items() if method.path != RESTART.path}
    return kept, frozenset(features) - {POLICY_REBOOT}
