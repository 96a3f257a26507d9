"""apt and the administrator's pins in ordinary work, and full disks of the host (research: what apt was measured to do)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from package_hosts import AptHost
from test_packages import refused, told

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


@pytest.fixture
def host(tmp_path: Path) -> AptHost:
    return AptHost(tmp_path)


def pin(host: AptHost, name: str, what: str, priority: int) -> None:
    text = f"Package: {name}\nPin: {what}\nPin-Priority: {priority}\n"
    (host.root / "etc/apt/preferences").write_text(text)


def test_a_pin_to_an_older_version_needs_leave_to_go_down(host: AptHost) -> None:
    host.give("demo", "demolib")
    pin(host, "demo", "version 1.0", 1001)
    error = refused("dependency", host.update_all)
    assert "from 1.1 to 1.0" in str(error) and "allow_downgrade" in str(error)
    assert host.installed()["demo"] == "1.1"
    result = host.update_all(allow_downgrade=True)
    assert told(result) == {("demo", "downgrade", "1.1", "1.0", "done")}


def test_a_pin_that_bars_a_package_blocks_updates_but_not_a_version_that_is_asked_for(
    host: AptHost,
) -> None:
    host.give("demo=1.0", "demolib")
    pin(host, "demo", "release l=*", -1)
    assert host.update_all().changes == []
    assert "bar it" in str(refused("not-found", host.update, "demo"))
    assert told(host.install("demo=1.1")) == {("demo", "upgrade", "1.0", "1.1", "done")}


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@needs_root
def test_a_full_disk_in_the_unpacking_is_told_and_what_fits_is_done(host: AptHost) -> None:
    host.give("demo00")
    with full_disk(host.root / "usr/share/demofat"):
        error = refused("no-space", host.install, "demofat", "demo01")
        assert "space" in str(error)
    assert "demofat" not in host.installed()
    assert host.install("demofat").changed
    assert host.installed().keys() == {"demo00", "demo01", "demofat"}
    assert host.audit() == ""
