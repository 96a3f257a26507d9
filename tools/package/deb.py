"""Makes a Debian package of a laid-out tree with dpkg-deb. The maintainer scripts lie beside, in scripts/."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tools.package.products import MAINTAINER, PYTHONS, Product
from tools.package.tree import copy, stamp
from tools.package.wheels import CHECKOUT

_SCRIPTS = Path(__file__).parent / "scripts"


def build(product: Product, version: str, root: Path, out: Path, *, epoch: int) -> Path:
    """The package's path. `root` gets what only Debian has, from etc/debian, and a DEBIAN folder."""
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    for path in sorted((CHECKOUT / "etc/debian" / product.name).rglob("*")):
        if path.is_file():
            copy(path, root / path.relative_to(CHECKOUT / "etc/debian" / product.name))
    control = root / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(_control(product, version, architecture, _size(root)))
    files = sorted(path for path in (root / "etc").rglob("*") if path.is_file())
    (control / "conffiles").write_text("".join(f"/{path.relative_to(root)}\n" for path in files))
    for script in ("postinst", "prerm", "postrm"):
        shutil.copyfile(_SCRIPTS / f"{product.name}.{script}", control / script)
        (control / script).chmod(0o755)
    stamp(root, epoch)
    package = out / f"{product.name}_{version}_{architecture}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z3", "--build", str(root), str(package)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return package


def _size(root: Path) -> int:
    """KiB, as installed."""
    return sum(path.lstat().st_size for path in root.rglob("*")) // 1024


def _control(product: Product, version: str, architecture: str, size: int) -> str:
    oldest, newest = PYTHONS[0], PYTHONS[-1]
    beyond = f"3.{int(newest.removeprefix('3.')) + 1}"
    fields = {
        "Package": product.name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Section": "admin",
        "Priority": "optional",
        "Installed-Size": size,
        "Depends": f"python3 (>= {oldest}~), python3 (<< {beyond}~), {product.depends}",
        "Description": f"{product.summary}\n {product.description}",
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())
