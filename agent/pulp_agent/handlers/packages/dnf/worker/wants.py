"""What an order names, and the sentences for what cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def spelled(spec: dict[str, Any]) -> str:
    arch = f":{spec['arch']}" if spec["arch"] else ""
    version = f"={spec['version']}" if spec["version"] else ""
    return f"{spec['name']}{arch}{version}"


def missing(spec: dict[str, Any], *, excluded: bool) -> str:
    if excluded:
        return f"{spelled(spec)} is excluded by this host's dnf configuration"
    return f"this host's repositories have no {spelled(spec)}"


def missing_version(spec: dict[str, Any], there: Sequence[str]) -> str:
    """`there`: the versions that there are."""
    return (
        f"there is no version {spec['version']} of {spec['name']} in this host's repositories;"
        f" there is {', '.join(there[-10:])}"
    )
