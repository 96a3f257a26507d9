"""libdnf5's transaction as the changes that the agent tells, and what an update of everything leaves out."""

from __future__ import annotations

from typing import Any

from libdnf5 import transaction as history
from libdnf5.common import QueryCmp_GTE

from .planning import Planning, by_age, narrowed

_ACTIONS = {
    history.TransactionItemAction_INSTALL: "install",
    history.TransactionItemAction_UPGRADE: "upgrade",
    history.TransactionItemAction_DOWNGRADE: "downgrade",
    history.TransactionItemAction_REINSTALL: "reinstall",
    history.TransactionItemAction_REMOVE: "remove",
    history.TransactionItemAction_REPLACED: "remove",
}
_AUTOMATIC = (
    history.TransactionItemReason_DEPENDENCY,
    history.TransactionItemReason_WEAK_DEPENDENCY,
)


def changes(planning: Planning, transaction: Any) -> list[dict[str, Any]]:
    """One change for each key."""
    fixes = {p.get_nevra() for p in planning.advised(planning.everything, QueryCmp_GTE)}
    told: dict[str, dict[str, Any]] = {}
    for item in transaction.get_transaction_packages():
        if item.get_action() in _ACTIONS:
            change = _change(planning, item, fixes)
            known = told.get(change["key"])
            # a replaced package is the other half of a change, or one that another stands in for; the oldest kernel goes when
            # a new one comes
            if known is None or known["to"] is None:
                told[change["key"]] = change
    return list(told.values())


def _change(planning: Planning, item: Any, fixes: set[str]) -> dict[str, Any]:
    package = item.get_package()
    key = planning.host.key(package)
    action = _ACTIONS[item.get_action()]
    removal = action == "remove"
    same = narrowed(planning.installed, lambda query: query.filter_name(package.get_name()))
    before = [p for p in by_age(same) if planning.host.key(p) == key]
    garbage = key in planning.garbage or item.get_reason() == history.TransactionItemReason_CLEAN
    return {
        "key": key,
        "name": package.get_name(),
        "arch": package.get_arch(),
        "action": "upgrade" if action == "install" and before else action,
        "from": before[-1].get_evr() if before else None,
        "to": None if removal else package.get_evr(),
        "automatic": garbage if removal else item.get_reason() in _AUTOMATIC,
        "security": not removal and package.get_nevra() in fixes,
        "repo": "" if removal else package.get_repo_id(),
        "requested": package.get_name() in planning.members,
        "replaced": item.get_action() == history.TransactionItemAction_REPLACED,
    }


def kept_back(planning: Planning, planned: set[str]) -> list[dict[str, str]]:
    """`planned`: keys of the changes."""
    if planning.order["operation"] != "update_all":
        return []
    hidden, visible = planning.everything, planning.visible()
    if planning.order["security_only"]:
        of_all, wanted = planning.fixes(hidden), planning.fixes(visible)
    else:
        of_all, wanted = _upgrades(hidden), _upgrades(visible)
    key = planning.host.key
    reasons = {
        key(p): (p.get_name(), "dependency") for p in wanted if p.get_name() not in planning.held
    }
    reasons.update(
        {key(p): (p.get_name(), "held") for p in of_all if p.get_name() in planning.held}
    )
    left = sorted(reasons[where] for where in reasons.keys() - planned)
    return [{"name": name, "reason": reason} for name, reason in left]


def _upgrades(query: Any) -> list[Any]:
    return list(narrowed(query, lambda query: query.filter_upgrades()))
