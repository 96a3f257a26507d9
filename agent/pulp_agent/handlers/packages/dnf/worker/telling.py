"""A transaction as the changes that the agent tells, and what an update of everything leaves out."""

from __future__ import annotations

from typing import Any

from .library import Item, Package
from .planning import Planning


def plan(planning: Planning) -> dict[str, Any]:
    """All that there is to tell of it."""
    changes, advisories = _changes(planning)
    return {
        "changes": changes,
        "kept_back": _kept_back(planning, {change["key"] for change in changes}),
        "advisories": [advisories[one] for one in sorted(advisories)],
        "records": planning.records,
    }


def changes(planning: Planning) -> list[dict[str, Any]]:
    return _changes(planning)[0]


def _changes(planning: Planning) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """One change for each key, and the advisories that they bring, by their ids."""
    told: dict[str, dict[str, Any]] = {}
    advisories: dict[str, dict[str, Any]] = {}
    for item in planning.library.items():
        before = planning.before(item.package)
        brought = _brought(planning, item, before)
        advisories.update((advisory["id"], advisory) for advisory in brought)
        change = _change(planning, item, before, brought)
        known = told.get(change["key"])
        # a replaced package is the other half of a change, or one that another stands in for (another architecture of itself,
        # maybe); and the oldest kernel goes when a new one comes
        if known is None or known["to"] is None:
            told[change["key"]] = change
    return list(told.values()), advisories


def _brought(planning: Planning, item: Item, before: Any) -> list[dict[str, Any]]:
    if before is None or item.action == "remove":
        return []
    return planning.library.advisories(before, item.package)


def _change(
    planning: Planning, item: Item, before: Any, brought: list[dict[str, Any]]
) -> dict[str, Any]:
    package, key = item.package, planning.key(item.package)
    removal = item.action == "remove"
    return {
        "key": key,
        "name": package.name,
        "arch": package.arch,
        "action": "upgrade" if item.action == "install" and before else item.action,
        "from": before.version if before else None,
        "to": None if removal else package.version,
        "automatic": (item.garbage or key in planning.garbage) if removal else item.needed,
        "security": any(advisory["kind"] == "security" for advisory in brought),
        "advisories": sorted(advisory["id"] for advisory in brought),
        "repo": "" if removal else package.repo,
        "requested": package.name in planning.members,
        "replaced": item.replaced,
    }


def _kept_back(planning: Planning, planned: set[str]) -> list[dict[str, str]]:
    """`planned`: keys of the changes."""
    if planning.order["operation"] != "update_all":
        return []
    of_all, wanted = _wanted(planning, hidden=True), _wanted(planning, hidden=False)
    key, held = planning.key, planning.held
    reasons = {key(p): (p.name, "dependency") for p in wanted if p.name not in held}
    reasons.update({key(p): (p.name, "held") for p in of_all if p.name in held})
    left = sorted(reasons[where] for where in reasons.keys() - planned)
    return [{"name": name, "reason": reason} for name, reason in left]


def _wanted(planning: Planning, *, hidden: bool) -> list[Package]:
    if planning.chosen:
        return planning.fixes(hidden=hidden)
    return planning.library.updates(hidden=hidden)
