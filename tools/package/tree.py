"""Lays out what a package installs, in one shape for deb and rpm.

/usr/lib/NAME/lib          what is the same for every Python: our own code, pure libraries, those for the stable ABI
/usr/lib/NAME/python3.X    a virtual environment on the host's python3.X with what is compiled for it; it sees lib too
/usr/bin/COMMAND           starts the program under the host's own Python, or another one that the package is for
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tools.package.products import PYTHONS, Product
from tools.package.wheels import CHECKOUT, PackageError

_LAUNCHER = """\
#!/bin/sh
# Starts {command} under a Python for which {home} has the compiled parts: the system's own, else the newest.
for python in "$(readlink -f /usr/bin/python3)" {others}; do
    own={home}/${{python##*/}}/bin/python
    if [ -x "$own" ]; then
        exec "$own" -I -c 'from {module} import main; main()' "$@"
    fi
done
echo "{command}: none of the Pythons {pythons} is in /usr/bin" >&2
exit 1
"""


def lay_out(product: Product, wheels: Sequence[Path], root: Path) -> None:
    """Fill `root`, a new folder; the settings are in it too."""
    home = root / f"usr/lib/{product.name}"
    for source, name in product.sources:
        _copy_code(CHECKOUT / source, home / "lib" / name)
    copy(CHECKOUT / "pulp/__init__.py", home / "lib/pulp/__init__.py")
    for python in PYTHONS:
        _environment(home / f"python{python}", python)
    for wheel in wheels:
        _unpack(wheel, home)
    for command, module in product.commands.items():
        _launcher(root, product, command, module)
    for unit in product.units:
        copy(CHECKOUT / "etc/systemd" / unit, root / "usr/lib/systemd/system" / unit)
    copy(CHECKOUT / product.settings, root / "etc/pulp" / Path(product.settings).name)
    copy(CHECKOUT / "LICENSE", root / f"usr/share/doc/{product.name}/copyright")


def copy(source: Path, target: Path, mode: int = 0o644) -> None:
    """The file alone; missing folders are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _copy_code(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*.py")):
        copy(path, target / path.relative_to(source))


def _environment(folder: Path, python: str) -> None:
    """What `python -m venv` makes, without the parts that serve people. The .pth file adds the shared folder."""
    packages = folder / f"lib/python{python}/site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(f"/usr/bin/python{python}")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (packages / "shared.pth").write_text(f"/usr/lib/{folder.parent.name}/lib\n")


def _unpack(wheel: Path, home: Path) -> None:
    """A wheel's content lies as it is imported (PEP 427), but for what its .data folder would put elsewhere."""
    target = _place(wheel, home)
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if ".data/" in name:
                raise PackageError(f"{wheel.name} wants {name} outside of the library")
            if not name.endswith(("/", ".dist-info/RECORD")):
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
                path.chmod(0o644)


def _place(wheel: Path, home: Path) -> Path:
    """By the wheel's tags: what is for one Python only goes to that one's folder."""
    *_, python, abi, _ = wheel.stem.split("-")
    if abi in ("none", "abi3") or wheel.name.startswith("python_qpid_proton-"):
        return (
            home / "lib"
        )  # (proton is for the stable ABI, as `wheels` has checked, but its wheel does not say so)
    version = f"3.{python.removeprefix('cp3')}"
    return home / f"python{version}/lib/python{version}/site-packages"


def _launcher(root: Path, product: Product, command: str, module: str) -> None:
    path = root / "usr/bin" / command
    path.parent.mkdir(parents=True, exist_ok=True)
    newest_first = list(reversed(PYTHONS))
    text = _LAUNCHER.format(
        command=command,
        module=module,
        home=f"/usr/lib/{product.name}",
        others=" ".join(f"/usr/bin/python{python}" for python in newest_first),
        pythons=", ".join(PYTHONS),
    )
    path.write_text(text)
    path.chmod(0o755)


def stamp(root: Path, epoch: int) -> None:
    """One time for everything, and modes that do not depend on who builds."""
    for path in sorted(root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
