"""System tests: real processes in a throw-away world, one server for each file of tests, a new host for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from world import Host, World


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with its server running and no hosts yet."""
    settings = {"PULP_AGENT_PACKAGES_LOCK_TIMEOUT": "1s"}
    with World(tmp_path_factory.mktemp("world"), settings=settings) as world:
        world.start_server()
        yield world


_numbers = itertools.count(1)


@pytest.fixture
def host(fleet: World) -> Iterator[Host]:
    """A new host, online."""
    made = fleet.add_host(f"host{next(_numbers)}")
    yield made
    made.agent.stop()


@pytest.fixture
def other(fleet: World) -> Iterator[Host]:
    """Another one."""
    made = fleet.add_host(f"host{next(_numbers)}")
    yield made
    made.agent.stop()
