"""For all tests: those that need root say so, and a machine that should be able to run them may not skip them silently."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

CI = os.environ.get("CI") == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    help_ = "run the tests that need root too, and every case of the large sets"
    parser.addoption("--all", action="store_true", help=help_)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a large set of cases only the chosen ones are run, unless all are asked for."""
    if config.getoption("--all"):
        return
    left = [item for item in items if item.get_closest_marker("exhaustive")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") is None:
        return
    if not item.config.getoption("--all"):
        pytest.skip("needs root: ./dev test --all")
    if os.geteuid() != 0:
        (pytest.fail if CI else pytest.skip)("needs root, and this is not root")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A program's main() that a test calls sends its log to that test's own standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Skips are told one by one, whatever the verbosity."""
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"SKIPPED {report.nodeid}: {report.longrepr[2]}", yellow=True)
