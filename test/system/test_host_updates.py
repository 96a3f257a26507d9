"""All security updates that wait for this host, for real, in a copy-on-write view of it: the host stays as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from host_view import CHECKOUT, host_packages, in_view, need_view, order, outcome, shared_folder

pytestmark = pytest.mark.root

LIMIT = 900
SECURITY = "Debian-Security"


def waiting() -> set[str]:
    """What apt itself would take from a security source now. Empty where there is none, or no network."""
    lines = subprocess.check_output(["apt-get", "-s", "upgrade"], text=True).splitlines()
    return {line.split()[1] for line in lines if line.startswith("Inst ") and SECURITY in line}


def test_all_security_updates_are_applied_and_the_host_is_untouched() -> None:
    expected = waiting()
    if not expected:
        pytest.skip("NO SECURITY UPDATES wait for this host")
    before = host_packages()
    with shared_folder() as share:
        need_view(share)
        settled = _apply(share)
    assert host_packages() == before
    changes = {change["name"]: change for change in settled["changes"]}
    assert [c for c in changes.values() if c["outcome"] != "done"] == []
    assert expected <= set(changes), expected - set(changes)
    assert all(change.get("security") for name, change in changes.items() if name in expected)


def _apply(share: Path) -> dict[str, object]:
    """Twice: the second time nothing is left to do. The first result."""
    job = f"{sys.executable} {CHECKOUT}/test/package_job.py"
    args = {"security_only": True}
    orders = [
        order(share, name, "Packages.update_all", args, timeout=LIMIT)
        for name in ("first", "again")
    ]
    script = f"set -e; {job} {orders[0]}; {job} {orders[1]}; dpkg --audit > {share}/audit"
    done = in_view(share, "bash", "-c", script, limit=LIMIT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (share / "audit").read_text() == ""
    assert not outcome(share, "again").get("changes")
    return outcome(share, "first")
