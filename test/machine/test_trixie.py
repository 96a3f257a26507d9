"""Debian 13, whose Python is another: the same packages, the other compiled parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from machine.fleet import SHARE, Host, Server, machine_beside
from machine.machines import tree


@pytest.fixture(scope="module")
def bare_host(workplace: Path, share: Path, server: Server) -> Iterator[Host]:
    with machine_beside(server, tree("trixie", workplace), share, workplace) as made:
        yield made


def test_the_agent_works_on_debian_13(host: Host) -> None:
    task = host.server.wait(host.server.ask("install", host.id, "demo"))
    assert task["state"] == "finished", task
    assert host.installed()["demo"] == "1.1"
    assert host.server.admin("consumer", "show", host.id)["agent"]["os"]["version"] == "13"
    assert host.machine.exists(
        "/usr/lib/pulp-agent/lib/pulp_agent/__pycache__/main.cpython-313.pyc"
    )


def test_the_server_installs_on_debian_13(host: Host) -> None:
    host.machine.shell(f"dpkg -i {SHARE}/packages/pulp-server_*.deb")
    made = host.machine.shell(
        "runuser -u pulp -- pulp-server init --name 127.0.0.1 --data /var/lib/pulp"
    )
    assert "CA fingerprint" in made
    host.machine.run("dpkg", "--purge", "pulp-server")
    assert not host.machine.exists("/var/lib/pulp")
    assert host.machine.run("dpkg", "--audit") == ""
