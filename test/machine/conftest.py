"""Machines need root and systemd-nspawn; where they cannot be had, CI fails and everybody else is told loudly."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import debrepo
import pytest
from debrepo import Repository
from machine.fleet import SHARE, Host, Server, machine_beside
from machine.machines import CACHE, Machine, cache, tree

from tools.package.build import build_all

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.root)


def _lack(what: str) -> None:
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"NO MACHINE TESTS: {what}")


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for trees and views, on a file system that can carry them."""
    for tool in ("systemd-nspawn", "mmdebstrap", "rpmbuild", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            _lack(f"{tool} is missing: apt-get install mmdebstrap rpm systemd-container")
    return tmp_path_factory.mktemp("machines")


@pytest.fixture(scope="session")
def share(workplace: Path, packages: Path) -> Path:
    """What the machines see of this host: the packages, and a repository."""
    folder = workplace / "share"
    shutil.copytree(packages, folder / "packages")
    debrepo.build_repository(folder / "repository", slow_seconds=2)
    return folder


@pytest.fixture(scope="session")
def packages(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages built from this checkout, once for all workers of a run."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if worker else base) / "packages"
    with cache():
        if not folder.exists():
            part = folder.with_suffix(".part")
            build_all(part, CACHE / "wheels")
            part.rename(folder)
    return folder


@pytest.fixture(scope="session")
def repository(share: Path) -> Repository:
    return Repository(share / "repository")


@pytest.fixture(scope="session")
def bookworm(workplace: Path) -> Path:
    return tree("bookworm", workplace)


@pytest.fixture(scope="module")
def server(
    workplace: Path, share: Path, bookworm: Path, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """A running server on a machine of its own, new for each file of tests."""
    name = f"server-{request.module.__name__.rpartition('_')[2]}"
    with Machine(name, lower=bookworm, folder=workplace, binds={share: SHARE}) as machine:
        machine.boot()
        made = Server(machine)
        made.install()
        yield made


@pytest.fixture(scope="module")
def bare_host(workplace: Path, share: Path, bookworm: Path, server: Server) -> Iterator[Host]:
    with machine_beside(server, bookworm, share, workplace) as made:
        yield made


@pytest.fixture(scope="module")
def host(bare_host: Host) -> Host:
    """A managed host with its agent connected."""
    if not bare_host.machine.exists("/var/lib/pulp-agent/profile.json"):
        bare_host.machine.shell(f"dpkg -i {SHARE}/packages/pulp-agent_*.deb")
        bare_host.register()
    return bare_host
