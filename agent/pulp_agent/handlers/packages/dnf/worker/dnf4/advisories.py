"""What the repositories' advisories say: which packages they fix, and which of them a change brings."""

from __future__ import annotations

from typing import Any

import hawkey

from ..chosen import Chosen

_KINDS = {
    hawkey.ADVISORY_SECURITY: "security",
    hawkey.ADVISORY_BUGFIX: "bugfix",
    hawkey.ADVISORY_ENHANCEMENT: "enhancement",
    hawkey.ADVISORY_NEWPACKAGE: "newpackage",
}


def named(query: Any, chosen: Chosen, *, later: bool) -> set[Any]:
    """The packages that these advisories name; `later`: and all newer versions of them."""
    filters = {
        "advisory_cve": chosen.cves,
        "advisory": chosen.ids,
        "advisory_type": chosen.kinds,
    }
    comparison = "__eqg" if later else ""
    return {
        package
        for name, values in filters.items()
        if values
        for package in query.filter(**{f"{name}{comparison}": values})
    }


def is_known(everything: Any, name: str) -> bool:
    """Whether a repository knows this advisory or CVE."""
    alone = Chosen({"advisories": [name]})
    return bool(named(everything, alone, later=True))


def between(before: Any, after: Any) -> list[dict[str, Any]]:
    """The advisories about what lies between two versions of a package, as they are told."""
    ahead = {advisory.id for advisory in before.get_advisories(hawkey.GT)}
    reached = {a.id: a for a in after.get_advisories(hawkey.LT | hawkey.EQ) if a.id in ahead}
    return [_told(advisory) for advisory in reached.values()]


def _told(advisory: Any) -> dict[str, Any]:
    cves = {ref.id for ref in advisory.references if ref.type == hawkey.REFERENCE_CVE}
    return {
        "id": advisory.id,
        "kind": _KINDS.get(advisory.type, ""),
        "severity": advisory.severity or "",
        "title": advisory.title or "",
        "cves": sorted(cves),
    }
