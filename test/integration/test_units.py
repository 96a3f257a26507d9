"""The systemd units are well-formed, and keep what the programs rely on."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "etc" / "systemd").glob("*.service"))


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(next(path for path in UNITS if path.name == name))
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit(path: Path, tmp_path: Path) -> None:
    """The programs are not installed where the tests run; everything else is checked as it is."""
    copy = tmp_path / path.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.M))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    about_us = [line for line in done.stderr.splitlines() if path.name in line]
    assert (done.returncode, about_us) == (0, [])


def test_a_stop_of_the_agent_kills_no_job() -> None:
    assert unit("pulp-agent.service")["Service"]["KillMode"] == "process"


def test_the_server_needs_no_root() -> None:
    service = unit("pulp-server.service")["Service"]
    assert service["User"] == "pulp"
    assert service["CapabilityBoundingSet"] == ""
    assert service["StateDirectory"] == "pulp"  # /var/lib/pulp: the default of [server] data
