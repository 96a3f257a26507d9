"""What only dnf5 has: the lock of its program, advisories that suggest a restart, version locks with conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from package_hosts import Dnf5Host, need
from rpmrepo import Advisory, Package
from test_packages import refused, told


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Dnf5Host]:
    need("dnf5")
    host = Dnf5Host(tmp_path)
    yield host
    host.open_gate()


def test_the_lock_of_the_dnf5_program_is_waited_for_and_its_holder_named(host: Dnf5Host) -> None:
    """It holds it from its plan on, when it has no lock of rpm's yet."""
    host.give("demo00")
    host.configure(lock_timeout=0.3)
    with host.system_lock():
        error = refused("locked", host.install, "demo")
    assert "python" in str(error)
    assert host.installed() == {"demo00": "1.0"}


def test_an_advisory_may_suggest_a_restart(host: Dnf5Host) -> None:
    host.give("demo00", "demo01")
    advisory = Advisory("DEMO-2026:9", "security", ("demo00-2.0-1",), restart=True)
    fixed = [Package(name=name, version="2.0") for name in ("demo00", "demo01")]
    host.repository.publish(*fixed, advisories=[advisory])
    assert not host.update("demo01").reboot_needed
    result = host.update("demo00")
    assert (result.reboot_needed, result.reboot_reasons) == (True, ["demo00"])


LOCKS = """version = "1.0"

[[packages]]
name = "demo"
comment = "the database needs it"

[[packages.conditions]]
key = "evr"
comparator = "="
value = "1.0-1"

[[packages.conditions]]
key = "arch"
comparator = "="
value = "noarch"

[[packages]]
name = "demo00"

[[packages.conditions]]
key = "evr"
comparator = "<"
value = "3.0"
"""


def test_a_lock_is_renewed_with_all_that_it_says(host: Dnf5Host) -> None:
    host.give("demo=1.0", "demolib")
    host.locks_path.write_text(LOCKS)
    refused("held", host.update, "demo")
    assert told(host.update("demo", allow_held=True)) == {("demo", "upgrade", "1.0", "1.1", "done")}
    text = host.locks_path.read_text()
    assert "the database needs it" in text and "noarch" in text
    assert host.locked_versions() == {"demo": "1.1-1", "demo00": "3.0"}


def test_a_lock_that_bars_some_versions_holds_nothing(host: Dnf5Host) -> None:
    host.give("demo00", "demo01")
    host.locks_path.write_text(LOCKS)
    host.repository.publish(*(Package(name="demo00", version=v) for v in ("2.0", "3.0")))
    assert [p.name for p in host.profile().packages if p.held] == []
    assert told(host.update_all()) == {("demo00", "upgrade", "1.0", "2.0", "done")}
    assert host.update_all().kept_back == []
