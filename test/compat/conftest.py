from __future__ import annotations

from pathlib import Path

import pytest
from recordings import recorded, releases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`release`: every recorded one. `record`: each of their messages."""
    if "record" in metafunc.fixturenames:
        found = [r for release in releases() for r in recorded(release)]
        ids = [f"{r.path.parent.parent.name}-{r.path.parent.name}-{r.name}" for r in found]
        metafunc.parametrize("record", found, ids=ids)
    elif "release" in metafunc.fixturenames:
        metafunc.parametrize("release", releases(), ids=lambda path: Path(path).name)
