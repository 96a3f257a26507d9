"""Builds pulp-agent's .deb and .rpm and pulp-server's .deb into dist/. The same commit gives the same bytes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pulp_agent

import pulp
from tools.package import deb, rpm
from tools.package.products import AGENT, SERVER, Product
from tools.package.tree import lay_out
from tools.package.wheels import CHECKOUT, PackageError, collect, requirements


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev package", description=__doc__)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "dist", metavar="DIR")
    help_ = "where fetched and compiled libraries are kept between builds"
    parser.add_argument("--wheels", type=Path, default=CHECKOUT / "build/wheels", help=help_)
    parser.add_argument("--no-rpm", action="store_true", help="where rpmbuild is not installed")
    args = parser.parse_args()
    try:
        for package in build(args.out.resolve(), args.wheels.resolve(), with_rpm=not args.no_rpm):
            print(package)
    except PackageError as error:
        print(f"./dev package: {error}", file=sys.stderr)
        return 1
    return 0


def build(out: Path, wheels: Path, *, with_rpm: bool = True) -> list[Path]:
    """The packages, in `out`. PackageError."""
    out.mkdir(parents=True, exist_ok=True)
    epoch = _epoch()
    agent = collect(wheels, requirements(AGENT.extras))
    made = [_build_deb(AGENT, pulp_agent.__version__, agent, out, epoch)]
    if with_rpm:
        made.append(_build_rpm(AGENT, pulp_agent.__version__, agent, out, epoch))
    server = collect(wheels, requirements(SERVER.extras))
    made.append(_build_deb(SERVER, pulp.__version__, server, out, epoch))
    return made


def _build_deb(product: Product, version: str, wheels: list[Path], out: Path, epoch: int) -> Path:
    with tempfile.TemporaryDirectory() as work:
        root = Path(work, "root")
        lay_out(product, wheels, root)
        return deb.build(product, version, root, out, epoch=epoch)


def _build_rpm(product: Product, version: str, wheels: list[Path], out: Path, epoch: int) -> Path:
    with tempfile.TemporaryDirectory() as work:
        root = Path(work, "root")
        lay_out(product, wheels, root)
        return rpm.build(product, version, root, out, epoch=epoch)


def _epoch() -> int:
    """The commit's time, unless SOURCE_DATE_EPOCH says another (reproducible-builds.org)."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
    return int(subprocess.check_output(command, text=True))


if __name__ == "__main__":
    sys.exit(main())
