"""Which package system a host is said to be managed with."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from pulp_agent.config import Packages
from pulp_agent.handlers.packages import (
    AptSettings,
    Dnf5Settings,
    DnfSettings,
    Settings,
    detect,
    detection,
    handlers,
)
from pulp_agent.handlers.settings import read_settings
from pulp_agent.spool import SETTINGS

APT = ("apt-get", "apt-cache", "apt-mark", "apt-config", "dpkg", "dpkg-query")


class Stage:
    """A host with these tools, and what dpkg and Python's module folders have."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.status = folder / "status"
        self.modules = folder / "lib/python3.13/site-packages"
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setattr(detection, "_DPKG_STATUS", self.status)
        monkeypatch.setattr(detection, "_LIBDNF5", str(folder / "lib*/python3*/*-packages/libdnf5"))

    def has(self, *tools: str) -> None:
        for tool in tools:
            (self.bin / tool).touch(mode=0o755)

    def has_libdnf5(self) -> None:
        (self.modules / "libdnf5").mkdir(parents=True)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_a_host_that_dpkg_manages_is_apts_and_others_are_dnfs(stage: Stage) -> None:
    stage.has(*APT, "dnf-3", "rpm")
    stage.status.write_text("Package: dpkg")
    assert detect() is AptSettings
    stage.status.write_text("")  # dpkg is there, and manages nothing
    assert detect() is DnfSettings
    stage.status.unlink()
    assert detect() is DnfSettings


def test_a_host_without_a_package_system_offers_nothing(stage: Stage) -> None:
    assert detect() is None
    kinds: tuple[type[Settings], ...] = (AptSettings, DnfSettings, Dnf5Settings)
    assert [handlers(kind()) for kind in kinds] == [{}, {}, {}]


def test_dnf5_is_taken_where_its_python_module_is(stage: Stage) -> None:
    """As on Fedora, where the module is a package of its own, and dnf4 may be there too."""
    stage.has("dnf5", "rpm")
    assert detect() is None
    stage.has("dnf-3")
    assert detect() is DnfSettings
    stage.has_libdnf5()
    assert detect() is Dnf5Settings
    assert handlers().keys() == handlers(DnfSettings()).keys() != set()


@pytest.mark.parametrize("family", ["auto", "dnf"])
def test_the_settings_of_dnf_are_those_of_the_dnf_that_is_there(
    stage: Stage, tmp_path: Path, family: str
) -> None:
    stage.has("dnf5", "rpm")
    stage.has_libdnf5()
    packages = Packages(
        family=family,
        dnf_config="/x",
        root="/y",
        plan_timeout=5_000,  # type: ignore[arg-type]
    )
    (tmp_path / SETTINGS).write_bytes(msgspec.json.encode(packages))
    assert read_settings(tmp_path) == Dnf5Settings(config="/x", root="/y", plan_timeout=5.0)
