"""The back ends that every contract test of the store runs over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import dnf5_tree
import pytest

from pulp.server.db.base import Store
from pulp.server.db.sqlite import SqliteStore

BACK_ENDS: dict[str, Callable[[Path], Store]] = {"sqlite": SqliteStore}
"""name → opens the store that belongs to a directory: the same store for the same directory, empty for a new one."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """The tree for dnf5 is made where everything is to be tested, but never in CI: it is of a moving target."""
    wanted = any("dnf5" in item.nodeid for item in session.items)
    if wanted and session.config.getoption("--all") and os.environ.get("CI") != "true":
        dnf5_tree.make()


@pytest.fixture(params=sorted(BACK_ENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens this test's store, again after a close() if need be; what is left open is closed at the end."""
    opened: list[Store] = []

    def open_() -> Store:
        opened.append(BACK_ENDS[request.param](tmp_path))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()
