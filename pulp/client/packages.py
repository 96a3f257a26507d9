"""Packages as the command line writes them: NAME, NAME=VERSION, NAME:ARCH, NAME:ARCH=VERSION."""

from __future__ import annotations

import re

from pulp.client.errors import BadUsage

_SPEC = re.compile(
    r"(?P<name>[A-Za-z0-9_][A-Za-z0-9._+-]*)(:(?P<arch>[a-z0-9_-]+))?(=(?P<version>[A-Za-z0-9.+:~^_-]+))?"
)


def parse_package(text: str) -> dict[str, str]:
    """The body's form: name, and version or arch where given. BadUsage for anything else."""
    found = _SPEC.fullmatch(text)
    if found is None:
        raise BadUsage(
            f"{text!r} is no package: write NAME, NAME=VERSION, NAME:ARCH or NAME:ARCH=VERSION"
        )
    return {key: value for key, value in found.groupdict().items() if value}
