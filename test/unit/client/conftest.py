from __future__ import annotations

from pathlib import Path

import pytest
from client_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A user who is logged in."""
    return Stage(tmp_path).logged_in()
