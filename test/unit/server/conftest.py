from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from changing_plans import Plans
from server_world import World

from pulp.messaging.base import Peer


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def plans(world: World) -> Plans:
    """Of a world with the consumer web1."""
    world.consumer()
    return Plans(world)


@pytest.fixture
def peer(world: World, plans: Plans) -> Peer:
    """web1's connection."""
    return world.hello()
