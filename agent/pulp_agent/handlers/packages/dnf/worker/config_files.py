"""Changed configuration files. rpm has no option for them: it keeps a changed file and puts its own beside it (.rpmnew), or
replaces it and saves the changed one (.rpmsave), as the package's maker wanted it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from . import rpmdb
from .root import Root

_DECISIONS = {".rpmnew": "keep", ".rpmsave": "install"}


def decisions(host: Root, since: int) -> list[dict[str, str]]:
    """What was decided since then about files of the packages that came."""
    return [
        {"path": path, "decision": decision}
        for header in host.headers()
        if rpmdb.installed_at(header) >= since
        for path in rpmdb.config_paths(header)
        for suffix, decision in _DECISIONS.items()
        if _changed_at(host.inside(path) + suffix) >= since
    ]


def take_new(host: Root, names: set[str], since: int) -> None:
    """Put these packages' own files in place where rpm has kept the changed ones, which are saved."""
    for path in _paths(host, names):
        if _changed_at(path + ".rpmnew") >= since:
            _replace(path)


def _paths(host: Root, names: set[str]) -> Iterator[str]:
    for header in host.headers():
        if rpmdb.name_of(header) in names:
            yield from map(host.inside, rpmdb.config_paths(header))


def _replace(path: str) -> None:
    """At no time is there no file."""
    saved = path + ".rpmsave"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(saved)
    os.link(path, saved)
    os.replace(path + ".rpmnew", path)


def _changed_at(path: str) -> Any:
    try:
        return os.lstat(path).st_ctime
    except OSError:
        return -1
