"""Which packages are on which hosts, as the hosts last reported them."""

from __future__ import annotations

from msgspec import Struct


class Installation(Struct, frozen=True, kw_only=True):
    """One package on one host. A host that has two versions or architectures of it has two of these."""

    consumer_id: str
    name: str
    version: str
    arch: str


class VersionCount(Struct, frozen=True, kw_only=True):
    """How many hosts have this very version."""

    version: str
    arch: str
    hosts: int


class Spread(Struct, frozen=True, kw_only=True):
    """How a package is spread over the fleet. `hosts`: how many have any version of it, out of `reported` that have told their
    packages. `versions`: the most frequent first; they are not compared, since dpkg and rpm do that by rules of their own."""

    hosts: int
    reported: int
    versions: list[VersionCount]
