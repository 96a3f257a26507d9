"""What the repositories' advisories say: which packages they fix, and which of them a change brings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import hawkey

_KINDS = {
    hawkey.ADVISORY_SECURITY: "security",
    hawkey.ADVISORY_BUGFIX: "bugfix",
    hawkey.ADVISORY_ENHANCEMENT: "enhancement",
    hawkey.ADVISORY_NEWPACKAGE: "newpackage",
}
_CVE = "CVE-"


class Chosen:
    """The advisories that an order is limited to; false where it takes the newest of everything."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._asked = order["advisories"]
        self._cves = [one for one in self._asked if one.startswith(_CVE)]
        self._ids = [one for one in self._asked if not one.startswith(_CVE)]
        self._kinds = [] if self._asked else _kinds(order)

    def __bool__(self) -> bool:
        return bool(self._cves or self._ids or self._kinds)

    def named(self, query: Any, comparison: str = "") -> set[Any]:
        """The packages that these advisories name; with `__eqg` those and all newer versions of them."""
        filters = (
            ("advisory_cve", self._cves),
            ("advisory", self._ids),
            ("advisory_type", self._kinds),
        )
        return {
            package
            for name, values in filters
            if values
            for package in query.filter(**{f"{name}{comparison}": values})
        }

    def has(self, advisory: Any) -> bool:
        return (
            advisory.id in self._ids
            or _KINDS.get(advisory.type) in self._kinds
            or not _cves(advisory).isdisjoint(self._cves)
        )

    def unknown(self, everything: Any) -> list[str]:
        """The ids that no repository knows."""
        alone = {one: Chosen({"advisories": [one]}) for one in self._asked}
        return [one for one in self._asked if not alone[one].named(everything, "__eqg")]


def _kinds(order: dict[str, Any]) -> list[str]:
    if order["security_only"]:
        return ["security"]
    return sorted(_KINDS.values()) if order["policy"]["minimal"] else []


def _cves(advisory: Any) -> set[str]:
    return {ref.id for ref in advisory.references if ref.type == hawkey.REFERENCE_CVE}


def is_security(advisory: Any) -> bool:
    return bool(advisory.type == hawkey.ADVISORY_SECURITY)


def brought(before: Any, after: Any) -> list[Any]:
    """The advisories about what lies between two versions of a package."""
    ahead = {advisory.id for advisory in before.get_advisories(hawkey.GT)}
    reached = after.get_advisories(hawkey.LT | hawkey.EQ)
    return [advisory for advisory in reached if advisory.id in ahead]


def told(advisories: Iterable[Any]) -> list[dict[str, Any]]:
    """Each once, by its id."""
    known = {advisory.id: advisory for advisory in advisories}
    return [_told(known[one]) for one in sorted(known)]


def _told(advisory: Any) -> dict[str, Any]:
    return {
        "id": advisory.id,
        "kind": _KINDS.get(advisory.type, ""),
        "severity": advisory.severity or "",
        "title": advisory.title or "",
        "cves": sorted(_cves(advisory)),
    }
