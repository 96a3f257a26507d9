"""The third-party parts: wheels at the versions of requirements.lock, for every Python of products.PYTHONS.

Only wheels of the index are taken, but for python-qpid-proton, which has none: it is compiled here, once, against the stable
ABI, without the OpenSSL and SASL that this machine may have.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.package.products import PYTHONS

CHECKOUT = Path(__file__).resolve().parents[2]
GLIBC = (2, 34)
"""RHEL 9's; what is compiled here may not need a newer one."""
_COMPILED = "python-qpid-proton"
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")


class PackageError(Exception):
    """No package can be built; the sentence says why."""


def requirements(extras: frozenset[str]) -> list[str]:
    """`name==version` of all that pulp-fleet with these extras needs under any of the Pythons."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in sorted(extras):
        wanted += project["optional-dependencies"][extra]
    names: set[str] = set()
    for python in PYTHONS:
        _close(map(Requirement, wanted), {"python_version": python}, names)
    versions = _locked()
    return [f"{name}=={versions[name]}" for name in sorted(names)]


def _close(wanted: Iterable[Requirement], target: Mapping[str, str], names: set[str]) -> None:
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        if not _applies(requirement, target, {""}) or name in names:
            continue
        names.add(name)
        needed = map(Requirement, metadata.requires(name) or [])
        _close((r for r in needed if _applies(r, target, {"", *requirement.extras})), target, names)


def _applies(requirement: Requirement, target: Mapping[str, str], extras: set[str]) -> bool:
    marker = requirement.marker
    environment = {**{k: str(v) for k, v in default_environment().items()}, **target}
    return marker is None or any(marker.evaluate({**environment, "extra": e}) for e in extras)


def _locked() -> dict[str, str]:
    lines = (CHECKOUT / "requirements.lock").read_text().splitlines()
    pins = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in pins}


def collect(folder: Path, wanted: list[str]) -> list[Path]:
    """The wheels of `wanted` for all Pythons, fetched into `folder` unless they are there already."""
    folder /= hashlib.sha256(repr((wanted, PYTHONS, GLIBC)).encode()).hexdigest()[:16]
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        fetched = [word for word in wanted if not word.startswith(f"{_COMPILED}==")]
        for python in PYTHONS:
            _download(folder, fetched, python)
        for word in set(wanted) - set(fetched):
            _compile(folder, word)
        (folder / "complete").touch()
    return sorted(folder.glob("*.whl"))


def _download(folder: Path, wanted: list[str], python: str) -> None:
    tag = f"cp{python.replace('.', '')}"
    machine = platform.machine()
    options = ["--no-deps", "--only-binary=:all:", "--implementation=cp"]
    options += [f"--python-version={python}", f"--abi={tag}", "--abi=abi3", "--abi=none"]
    options += [f"--platform={prefix}_{machine}" for prefix in _PLATFORMS]
    _pip("download", "--dest", folder, *options, *wanted)


def _compile(folder: Path, word: str) -> None:
    """The same bytes from any folder: no debug information, and no build id, which would depend on it. Proton's assertions are
    off, as in every build by an index's rules: with them a peer's odd frame ends the process."""
    environment = {
        "PKG_CONFIG_PATH": "",
        "PKG_CONFIG_LIBDIR": "/nonexistent",
        "CFLAGS": "-O2 -DNDEBUG -g0",
        "LDFLAGS": "-Wl,--build-id=none -Wl,--strip-all",
    }
    options = ["--no-deps", "--no-cache-dir", "--no-build-isolation", "--no-binary=:all:"]
    _pip("wheel", "--wheel-dir", folder, *options, word, environment=environment)
    for wheel in folder.glob(f"{_COMPILED.replace('-', '_')}-*.whl"):
        _check(wheel)


def _check(wheel: Path) -> None:
    """It must run under every Python and every libc that the packages are for, with nothing else beside it."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                if not name.endswith(".abi3.so"):
                    raise PackageError(f"{name} of {wheel.name} is for one Python only")
                _check_library(name, archive.read(name))


def _check_library(name: str, blob: bytes) -> None:
    versions = re.findall(rb"\0GLIBC_(\d+)\.(\d+)", blob)
    newest = max((int(major), int(minor)) for major, minor in versions)
    if newest > GLIBC:
        raise PackageError(f"{name} needs glibc {newest}; build on a system with an older one")
    if others := set(re.findall(rb"\0(lib[\w.+-]+\.so[\w.]*)", blob)) - {b"libc.so.6"}:
        raise PackageError(f"{name} needs {others}")


def _pip(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackageError(f"pip {arguments[0]} failed:\n{done.stdout[-4000:]}")
