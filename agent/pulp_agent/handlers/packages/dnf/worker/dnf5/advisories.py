"""What the repositories' advisories say: which packages they fix, and which of them a change brings."""

from __future__ import annotations

from typing import Any

from libdnf5.advisory import AdvisoryQuery
from libdnf5.common import QueryCmp_EQ, QueryCmp_GT, QueryCmp_GTE, QueryCmp_LTE

from ..chosen import KINDS, Chosen

_CVE = "cve"


def narrow(query: Any, base: Any, chosen: Chosen, *, later: bool) -> None:
    """To the packages that these advisories name; `later`: and all newer versions of them."""
    query.filter_advisories(_chosen(base, chosen), QueryCmp_GTE if later else QueryCmp_EQ)


def is_known(base: Any, name: str) -> bool:
    """Whether a repository knows this advisory or CVE."""
    return not _chosen(base, Chosen({"advisories": [name]})).empty()


def _chosen(base: Any, chosen: Chosen) -> Any:
    found = AdvisoryQuery(base)
    found.clear()
    filters = {"name": (chosen.ids,), "type": (chosen.kinds,), "reference": (chosen.cves, _CVE)}
    for name, arguments in filters.items():
        if arguments[0]:
            part = AdvisoryQuery(base)
            getattr(part, f"filter_{name}")(*arguments)
            found.update(part)
    return found


def between(base: Any, before: Any, after: Any) -> list[dict[str, Any]]:
    """The advisories about what lies between two versions of a package, as they are told."""
    found = AdvisoryQuery(base)
    found.filter_packages(before, QueryCmp_GT)
    found.filter_packages(after, QueryCmp_LTE)
    return [_told(advisory) for advisory in found]


def _told(advisory: Any) -> dict[str, Any]:
    kind = advisory.get_type()
    about = advisory.get_references()
    return {
        "id": advisory.get_name(),
        "kind": kind if kind in KINDS else "",
        "severity": advisory.get_severity(),
        "title": advisory.get_title(),
        "cves": sorted({ref.get_id() for ref in about if ref.get_type() == _CVE}),
    }
