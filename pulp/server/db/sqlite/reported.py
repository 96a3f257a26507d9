"""The packages that a stored profile names. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from pulp.server.domain.task import Json

Triple = tuple[str, str, str]
"""Name, version, architecture."""


class _Package(Struct):
    """Profiles of the first releases were stored as the agent sent them."""

    name: Any = None
    version: Any = None
    arch: Any = ""


_decode = msgspec.json.Decoder(list[_Package]).decode


def triples(packages: Json) -> set[Triple]:
    """As the step to schema 6 reads them: what has no name or version as text is no package."""
    return {
        (each.name, each.version, each.arch if isinstance(each.arch, str) else "")
        for each in _decode(packages)
        if isinstance(each.name, str) and isinstance(each.version, str)
    }
