"""dnf's transaction as the changes that the agent tells, and what an update of everything leaves out."""

from __future__ import annotations

from typing import Any

import libdnf.transaction as history

from . import advisories
from .planning import Planning

_ACTIONS = {
    history.TransactionItemAction_INSTALL: "install",
    history.TransactionItemAction_UPGRADE: "upgrade",
    history.TransactionItemAction_DOWNGRADE: "downgrade",
    history.TransactionItemAction_REINSTALL: "reinstall",
    history.TransactionItemAction_REMOVE: "remove",
    history.TransactionItemAction_OBSOLETED: "remove",
}
"""The other halves of changes (upgraded, reinstalled...) are left out."""
_AUTOMATIC = (
    history.TransactionItemReason_DEPENDENCY,
    history.TransactionItemReason_WEAK_DEPENDENCY,
)


def changes(planning: Planning) -> list[dict[str, Any]]:
    """One change for each key. What they bring is in `planning.brought` afterwards."""
    told: dict[str, dict[str, Any]] = {}
    for item in planning.base.transaction or ():
        if item.action in _ACTIONS:
            change = _change(planning, item)
            known = told.get(change["key"])
            # a package may replace itself in another architecture, and the oldest kernel goes when a new one comes
            if known is None or known["to"] is None:
                told[change["key"]] = change
    return list(told.values())


def _change(planning: Planning, item: Any) -> dict[str, Any]:
    package, key = item.pkg, planning.host.key(item.pkg)
    action = _ACTIONS[item.action]
    removal = action == "remove"
    before = planning.before(package)
    brought = advisories.brought(before, package) if before and not removal else []
    planning.brought.extend(brought)
    garbage = key in planning.garbage or item.reason == history.TransactionItemReason_CLEAN
    return {
        "key": key,
        "name": package.name,
        "arch": package.arch,
        "action": "upgrade" if action == "install" and before else action,
        "from": before.evr if before else None,
        "to": None if removal else package.evr,
        "automatic": garbage if removal else item.reason in _AUTOMATIC,
        "security": any(map(advisories.is_security, brought)),
        "advisories": sorted({advisory.id for advisory in brought}),
        "repo": "" if removal else package.reponame,
        "requested": package.name in planning.members,
        "replaced": item.action == history.TransactionItemAction_OBSOLETED,
    }


def kept_back(planning: Planning, planned: set[str]) -> list[dict[str, str]]:
    """`planned`: keys of the changes."""
    if planning.order["operation"] != "update_all":
        return []
    hidden, visible = planning.everything, planning.base.sack.query()
    if planning.chosen:
        of_all, wanted = planning.fixes(hidden), planning.fixes(visible)
    else:
        of_all, wanted = list(hidden.upgrades()), list(visible.upgrades())
    key = planning.host.key
    reasons = {key(p): (p.name, "dependency") for p in wanted if p.name not in planning.held}
    reasons.update({key(p): (p.name, "held") for p in of_all if p.name in planning.held})
    left = sorted(reasons[where] for where in reasons.keys() - planned)
    return [{"name": name, "reason": reason} for name, reason in left]
