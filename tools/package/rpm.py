"""Makes an RPM package of a laid-out tree with rpmbuild; for RHEL 9 and its like, and Fedora."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools.package.products import PYTHONS, Product
from tools.package.tree import stamp
from tools.package.wheels import PackageError

_SPEC = Path(__file__).parent / "scripts"


def build(product: Product, version: str, root: Path, out: Path, *, epoch: int) -> Path:
    """The package's path. `root` must lie in a folder of its own: rpmbuild works beside it."""
    stamp(root, epoch)
    work = root.parent / "rpmbuild"
    work.mkdir()
    spec = work / f"{product.name}.spec"
    spec.write_text(_spec(product, version, root))
    defines = {
        "_topdir": work,
        "_rpmdir": out,
        "_build_name_fmt": "%{NAME}-%{VERSION}.rpm",
        "_buildhost": "localhost",
        "_binary_payload": "w3.xzdio",
        "__os_install_post": "%{nil}",
        "debug_package": "%{nil}",
        "use_source_date_epoch_as_buildtime": 1,
        "clamp_mtime_to_source_date_epoch": 1,
    }
    options = [word for key, value in defines.items() for word in ("--define", f"{key} {value}")]
    done = subprocess.run(
        ["rpmbuild", "-bb", "--quiet", *options, spec],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackageError(f"rpmbuild failed:\n{done.stderr[-4000:]}")
    return out / f"{product.name}-{version}.rpm"


def _spec(product: Product, version: str, root: Path) -> str:
    template = (_SPEC / f"{product.name}.spec").read_text()
    facts = {
        "SUMMARY": product.summary,
        "DESCRIPTION": product.description,
        "VERSION": version,
        "PYTHONS": " or ".join(f"python{python}" for python in reversed(PYTHONS)),
        "ROOT": str(root),
    }
    for key, value in facts.items():
        template = template.replace(f"@{key}@", value)
    return template
