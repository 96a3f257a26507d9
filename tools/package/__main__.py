"""Builds pulp-agent's .deb and .rpm and pulp-server's .deb into dist/. The same commit gives the same bytes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.package.build import build_all
from tools.package.wheels import CHECKOUT, PackageError


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev package", description=__doc__)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "dist", metavar="DIR")
    help_ = "where fetched and compiled libraries are kept between builds"
    parser.add_argument("--wheels", type=Path, default=CHECKOUT / "build/wheels", help=help_)
    parser.add_argument("--no-rpm", action="store_true", help="where rpmbuild is not installed")
    args = parser.parse_args()
    try:
        out, wheels = args.out.resolve(), args.wheels.resolve()
        for package in build_all(out, wheels, with_rpm=not args.no_rpm):
            print(package)
    except PackageError as error:
        print(f"./dev package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
