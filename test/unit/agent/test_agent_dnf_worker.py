"""A worker of dnf that cannot work."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest
from package_job import PackageJob
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import Dnf5Settings, DnfSettings
from pulp_agent.handlers.packages.dnf.backend import DnfBackend
from pulp_agent.handlers.packages.run import Run


@pytest.mark.parametrize("kind", [DnfSettings, Dnf5Settings])
def test_a_python_without_dnfs_module_is_told_as_such(kind: type[DnfSettings]) -> None:
    """Each time anew: the worker lives on."""
    with closing(DnfBackend(kind(python=sys.executable))) as backend:
        for _ in range(2):
            with pytest.raises(HandlerError, match="dnf cannot be used: No module") as caught:
                backend.state()
            assert caught.value.code == "internal"


@pytest.mark.parametrize("kind", [DnfSettings, Dnf5Settings])
def test_its_traceback_stays_in_the_agents_own_log(
    kind: type[DnfSettings], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log of the work goes to the server."""
    run = Run(PackageJob(tmp_path), lock_timeout=0, retry_delay=0)
    with (
        closing(DnfBackend(kind(python=sys.executable))) as backend,
        pytest.raises(HandlerError, match="dnf cannot be used"),
    ):
        backend.groups(run)
    assert "Traceback" in capfd.readouterr().err
    assert run.log_text() == ""


def test_a_python_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    missing = str(tmp_path / "python3")
    with (
        closing(DnfBackend(DnfSettings(python=missing))) as backend,
        pytest.raises(HandlerError, match=f"{missing} cannot be started: No such file") as caught,
    ):
        backend.state()
    assert caught.value.code == "internal"
