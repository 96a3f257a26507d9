"""The packages as files: the same bytes from the same commit, nothing of the machine that built them, and what they ask for."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machine.machines import CACHE, cache

from tools.package import deb, rpm
from tools.package.build import build
from tools.package.products import AGENT

CHECKOUT = Path(__file__).resolve().parents[2]


def query(package: Path, *options: str) -> str:
    return subprocess.check_output(["rpm", "-qp", *options, package], text=True)


def test_two_builds_are_the_same(packages: Path, tmp_path: Path) -> None:
    for builder in (deb.build, rpm.build):
        with cache():
            again = build(AGENT, builder, tmp_path, CACHE / "wheels")
        assert again.read_bytes() == (packages / again.name).read_bytes(), again.name


def test_no_path_of_the_building_machine_is_in_them(packages: Path, tmp_path: Path) -> None:
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / package.stem], check=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 1000
    needles = (str(CHECKOUT).encode(), str(CACHE).encode())
    assert [path for path in files if any(n in path.read_bytes() for n in needles)] == []


def test_the_agents_package_holds_nothing_of_the_server(packages: Path) -> None:
    (package,) = packages.glob("pulp-agent_*.deb")
    names = subprocess.check_output(["dpkg-deb", "--contents", package], text=True)
    assert "/lib/pulp/messaging/" in names
    assert not [part for part in ("pulp/server", "pulp/client", "uvloop", "typer") if part in names]


def test_the_rpm_asks_for_a_python_it_has_parts_for_and_keeps_changed_settings(
    packages: Path,
) -> None:
    (package,) = packages.glob("*.rpm")
    needs = query(package, "--requires")
    assert "(python3.14 or python3.13 or python3.12 or python3.11)" in needs
    assert "(python3-libdnf5 >= 5.2.13 if dnf5)" in needs
    assert query(package, "--configfiles") == "/etc/pulp/agent.toml\n"
    flags = query(package, "--queryformat", "[%{FILENAMES} %{FILEFLAGS:fflags}\\n]")
    assert "/etc/pulp/agent.toml cn\n" in flags  # config, noreplace
    scripts = query(package, "--scripts")
    assert "systemctl enable --quiet pulp-agent.service pulp-agent.path" in scripts


def test_the_rpms_content_runs(packages: Path, bookworm: Path, tmp_path: Path) -> None:
    """On Debian's Python 3.11: there is no tree of RHEL's to be had."""
    (package,) = packages.glob("*.rpm")
    subprocess.run(["cp", "-a", f"{bookworm}/.", tmp_path / "root"], check=True)
    command = ["rpm", "--root", tmp_path / "root", "--nodeps", "--install", package]
    said = subprocess.check_output(command, text=True, stderr=subprocess.STDOUT)
    assert "pulp-agent register" in said
    run = ["chroot", tmp_path / "root", "pulp-agent", "version"]
    assert subprocess.check_output(run, text=True).startswith("pulp-agent ")
    command = ["rpm", "--root", tmp_path / "root", "--erase", "pulp-agent"]
    subprocess.run(command, check=True)
    assert not (tmp_path / "root/usr/lib/pulp-agent").exists()
