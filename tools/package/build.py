"""Builds the packages: which wheels, which version and which time go into each."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import pulp_agent

import pulp
from tools.package import deb, rpm
from tools.package.products import AGENT, SERVER, Product
from tools.package.tree import lay_out
from tools.package.wheels import CHECKOUT, collect, requirements

_VERSIONS = {AGENT.name: pulp_agent.__version__, SERVER.name: pulp.__version__}


class Builder(Protocol):
    def __call__(
        self, product: Product, version: str, root: Path, out: Path, *, epoch: int
    ) -> Path: ...


def build_all(out: Path, wheels: Path, *, with_rpm: bool = True) -> list[Path]:
    """The packages, in `out`. PackageError."""
    made = [build(AGENT, deb.build, out, wheels), build(SERVER, deb.build, out, wheels)]
    if with_rpm:
        made.append(build(AGENT, rpm.build, out, wheels))
    return made


def build(product: Product, builder: Builder, out: Path, wheels: Path) -> Path:
    """One package, in `out`; `wheels`: where fetched and compiled libraries are kept. PackageError."""
    out.mkdir(parents=True, exist_ok=True)
    parts = collect(wheels, requirements(product.extras))
    with tempfile.TemporaryDirectory() as work:
        root = Path(work, "root")
        lay_out(product, parts, root)
        return builder(product, _VERSIONS[product.name], root, out, epoch=_epoch())


def _epoch() -> int:
    """The commit's time, unless SOURCE_DATE_EPOCH says another (reproducible-builds.org)."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
    return int(subprocess.check_output(command, text=True))
