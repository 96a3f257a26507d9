from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rest_world
from rest_world import Rest


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[Rest]:
    with rest_world.rest(tmp_path) as made:
        yield made
