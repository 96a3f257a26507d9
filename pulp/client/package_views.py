"""What the client reads of the server's answers about packages over all hosts; as lenient as `views`."""

from __future__ import annotations

import msgspec

from pulp.client.views import View


class Installation(View, frozen=True, kw_only=True):
    consumer_id: str
    name: str
    version: str = ""
    arch: str = ""


class VersionCount(View, frozen=True, kw_only=True):
    version: str
    arch: str = ""
    hosts: int = 0


class Spread(View, frozen=True, kw_only=True):
    """hosts: those with any version, out of `reported` that have told their packages."""

    name: str
    hosts: int = 0
    reported: int = 0
    versions: list[VersionCount] = msgspec.field(default_factory=list)
