"""The real handler with the host's real apt and dpkg, in a copy-on-write view of the host that is thrown away."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debrepo
import pytest
from debrepo import Package

pytestmark = pytest.mark.root

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "pulp-system-test"
MARK = Path("/var/lib/pulp-system-test.mark")

_VIEW = """
set -e
base=/mnt; share=$1; shift
mount -t tmpfs -o size=1g tmpfs $base
mkdir $base/upper $base/work $base/view
mount -t overlay overlay -o lowerdir=/,upperdir=$base/upper,workdir=$base/work $base/view
view=$base/view
mount -t proc proc $view/proc
for folder in sys dev; do mount --rbind /$folder $view/$folder; done
mount -t tmpfs tmpfs $view/run; mkdir -p $view/run/lock
for path in $BOUND; do mount --bind "$path" "$view$path"; mount -o remount,bind,ro "$view$path"; done
mkdir -p "$view$share"; mount --bind "$share" "$view$share"
rm -f $view/etc/apt/sources.list.d/*
cp "$share/sources.list" $view/etc/apt/sources.list
cd /; exec chroot $view "$@"
"""
"""The view: an overlay over the whole host whose upper layer is memory, in mount and process namespaces of its own. Its only
repository is ours, so that the test needs no network; everything else of apt's and dpkg's set-up is the host's."""


def bound() -> str:
    """The folders that Python needs and that lie on other file systems than the root, where an overlay does not show them."""
    root = os.stat("/").st_dev
    places = {str(CHECKOUT), sys.prefix, sys.base_prefix}
    return " ".join(sorted(place for place in places if os.stat(place).st_dev != root))


def in_view(share: Path, *command: str) -> subprocess.CompletedProcess[str]:
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
        timeout=120,
    )


@pytest.fixture
def share() -> Iterator[Path]:
    """A folder that host and view share. apt's own user must be able to read it, which pytest's folders forbid."""
    folder = Path(tempfile.mkdtemp(prefix="pulp-view-"))
    folder.chmod(0o755)
    (folder / "sources.list").touch()
    yield folder
    shutil.rmtree(folder)


def host_packages() -> tuple[str, set[str]]:
    """The host's package state, and the names of apt's lists."""
    status = Path("/var/lib/dpkg/status").read_bytes()
    lists = Path("/var/lib/apt/lists")
    return hashlib.sha256(status).hexdigest(), {path.name for path in lists.iterdir()}


def order(share: Path, name: str, method: str, args: dict[str, Any]) -> str:
    path = share / f"{name}.json"
    job = {"spool": str(share / name), "resumed": False, "settings": {}}
    path.write_text(json.dumps({"method": method, "args": args, **job}))
    return str(path)


def test_install_and_remove_on_the_real_host(share: Path) -> None:
    if (probe := in_view(share, "true")).returncode != 0:
        lacking = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        lacking(f"no copy-on-write view of this host is possible: {probe.stderr.strip()}")
    package = Package(
        name=NAME,
        files={f"usr/share/{NAME}/hello": "hello\n"},
        scripts={"postinst": f"touch {MARK}"},
    )
    repository = debrepo.build_repository(share / "repository")
    repository.publish(package)
    (share / "sources.list").write_text(repository.sources())
    before = host_packages()
    packages = {"packages": [{"name": NAME}]}
    job = f"{sys.executable} {CHECKOUT}/test/package_job.py"
    script = f"""
        set -e
        {job} {order(share, "install", "Packages.install", packages)}
        dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {NAME} > {share}/state
        cat {MARK} /usr/share/{NAME}/hello > {share}/files
        {job} {order(share, "again", "Packages.install", packages)}
        {job} {order(share, "remove", "Packages.remove", packages)}
        test ! -e /usr/share/{NAME}/hello
    """
    done = in_view(share, "bash", "-c", script)
    assert done.returncode == 0, done.stderr

    install, again, remove = (outcome(share, name) for name in ("install", "again", "remove"))
    assert told(install) == [(NAME, "install", None, "1.0", "done")]
    assert "Setting up pulp-system-test" in install["log"]
    assert told(again) == []
    assert told(remove) == [(NAME, "remove", "1.0", None, "done")]
    assert (share / "state").read_text() == "installed 1.0"
    assert (share / "files").read_text() == "hello\n"

    assert host_packages() == before
    assert not MARK.exists()
    assert not Path(f"/usr/share/{NAME}").exists()


def outcome(share: Path, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((share / f"{name}.outcome").read_text())
    assert "value" in answer, answer
    value: dict[str, Any] = answer["value"]
    return value


def told(result: dict[str, Any]) -> list[tuple[str | None, ...]]:
    fields = ("name", "action", "from", "to", "outcome")
    return [tuple(change.get(field) for field in fields) for change in result.get("changes", [])]
