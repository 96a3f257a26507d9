"""A copy-on-write view of this host, thrown away after use: the real apt and dpkg with the host untouched. Needs root."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

_VIEW = """
set -e
base=/mnt; share=$1; shift
mount -t tmpfs -o size=6g tmpfs $base
mkdir $base/upper $base/work $base/view
mount -t overlay overlay -o lowerdir=/,upperdir=$base/upper,workdir=$base/work $base/view
view=$base/view
mount -t proc proc $view/proc
for folder in sys dev; do mount --rbind /$folder $view/$folder; done
mount -t tmpfs tmpfs $view/run; mkdir -p $view/run/lock
for path in $BOUND; do mount --bind "$path" "$view$path"; mount -o remount,bind,ro "$view$path"; done
mkdir -p "$view$share"; mount --bind "$share" "$view$share"
if [ -e "$share/sources.list" ]; then
    rm -f $view/etc/apt/sources.list.d/*
    cp "$share/sources.list" $view/etc/apt/sources.list
fi
cd /; exec chroot $view "$@"
"""
"""The view: an overlay over the whole host whose upper layer is memory, in mount and process namespaces of its own. A
sources.list in the shared folder takes the place of the host's package sources; everything else of apt's and dpkg's set-up is
the host's."""


def bound() -> str:
    """The folders that Python needs and that lie on other file systems than the root, where an overlay does not show them."""
    root = os.stat("/").st_dev
    places = {str(CHECKOUT), sys.prefix, sys.base_prefix}
    return " ".join(sorted(place for place in places if os.stat(place).st_dev != root))


def in_view(share: Path, *command: str, limit: float = 120) -> subprocess.CompletedProcess[str]:
    """Run `command` there; `share` is seen under its own path. `limit` in seconds."""
    isolate = [
        "unshare",
        "-m",
        "-p",
        "-f",
        "--kill-child",
        "--mount-proc",
        "--propagation",
        "private",
    ]
    env = {**os.environ, "BOUND": bound(), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [*isolate, "bash", "-c", _VIEW, "view", str(share), *command],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=limit,
    )


def need_view(share: Path) -> None:
    """Where the kernel allows no view CI fails, and everybody else skips."""
    if (probe := in_view(share, "true")).returncode != 0:
        lacking = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        lacking(f"no copy-on-write view of this host is possible: {probe.stderr.strip()}")


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder that host and view share. apt's own user must be able to read it, which pytest's folders forbid."""
    folder = Path(tempfile.mkdtemp(prefix="pulp-view-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def host_packages() -> tuple[str, set[str]]:
    """The host's package state, and the names of apt's lists."""
    status = Path("/var/lib/dpkg/status").read_bytes()
    lists = Path("/var/lib/apt/lists")
    return hashlib.sha256(status).hexdigest(), {path.name for path in lists.iterdir()}


def order(share: Path, name: str, method: str, args: dict[str, Any], *, timeout: float = 60) -> str:
    """A job for package_job.py; the path of its file."""
    path = share / f"{name}.json"
    job = {"spool": str(share / name), "resumed": False, "settings": {}, "timeout": timeout}
    path.write_text(json.dumps({"method": method, "args": args, **job}))
    return str(path)


def outcome(share: Path, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((share / f"{name}.outcome").read_text())
    assert "value" in answer, answer
    value: dict[str, Any] = answer["value"]
    return value
