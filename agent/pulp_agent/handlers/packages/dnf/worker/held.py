"""Which packages are on hold, by the names and patterns of dnf's configuration."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable


def matches(patterns: Iterable[str], name: str, arch: str, version: str) -> bool:
    """Whether one of the forms is meant in which dnf's configuration may name a package."""
    forms = (name, f"{name}.{arch}", f"{name}-{version}", f"{name}-{version}.{arch}")
    return any(fnmatch.fnmatchcase(form, pattern) for form in forms for pattern in patterns)
