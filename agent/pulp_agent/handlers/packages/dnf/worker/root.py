"""A folder that packages are installed into, and what rpm's database says of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from . import rpmdb

INSTALLED, UNFINISHED, DUPLICATE = "installed", "unfinished", "duplicate"

Nevra = tuple[str, str, str]
"""Name, architecture and epoch:version-release."""


class Root:
    """`arch`: the host's own architecture."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.arch = ""

    def slot(self, arch: str) -> str:
        """What is of every architecture sits in the host's own slot."""
        return self.arch if arch in ("noarch", "") else arch

    def key_of(self, name: str, arch: str) -> str:
        return f"{name}:{self.slot(arch)}"

    def headers(self) -> list[Any]:
        return rpmdb.headers(self.root)

    def inside(self, path: str) -> str:
        return self.root.rstrip("/") + path

    def packages(
        self, *, cut_off: Collection[Nevra], held: Callable[[Nevra], bool], several: Collection[str]
    ) -> dict[str, Any]:
        """`packages`: the newest version of each name and architecture. `others`: the further versions of what provides one of
        `several`, such as kernels."""
        newest: dict[str, Any] = {}
        others = []
        for header in self.headers():
            nevra = rpmdb.nevra_of(header)
            package = _told(nevra, UNFINISHED if nevra in cut_off else INSTALLED, held(nevra))
            key = self.key_of(nevra[0], nevra[1])
            older = newest.get(key)
            if older and rpmdb.provided_by(header).intersection(several):
                others.append(older)
            elif older:
                package["status"] = DUPLICATE
            newest[key] = package
        return {"packages": newest, "others": others}


def _told(nevra: Nevra, status: str, held: bool) -> dict[str, Any]:
    name, arch, version = nevra
    return {"name": name, "arch": arch, "version": version, "status": status, "held": held}
