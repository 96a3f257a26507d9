"""Whether a plan may be carried out: what the request's policy allows, and whether the plan does what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pulp.rmi.interfaces import Change, PackageSpec
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import (
    Ability,
    Key,
    NotFound,
    Operation,
    Plan,
    Request,
    State,
)
from pulp_agent.handlers.packages.changes import expected, unmet

_NAMED = 10  # names in a sentence; the whole list is in the details


def name_list(names: Iterable[str]) -> str:
    """`a, b and c`, cut after ten."""
    known = sorted(set(names))
    shown = known[:_NAMED]
    if len(known) > _NAMED:
        return f"{', '.join(shown)} and {len(known) - _NAMED} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def spelled(spec: PackageSpec) -> str:
    """`name:arch=version`, as the package tools write it."""
    arch = f":{spec.arch}" if spec.arch else ""
    return f"{spec.name}{arch}" + (f"={spec.version}" if spec.version else "")


def check_installed(request: Request, state: State, key: Callable[[PackageSpec], Key]) -> None:
    """Raises NotFound for an update of what is not on the host: an update never installs."""
    if request.operation is not Operation.UPDATE:
        return
    absent = [spelled(spec) for spec in request.packages if key(spec) not in state]
    if absent:
        raise NotFound(absent, f"{name_list(absent)} cannot be updated: not installed on this host")


def check_arguments(request: Request) -> None:
    """Raises `unsupported` for what has no meaning."""
    versions = [spelled(spec) for spec in request.packages if spec.version]
    if request.operation is Operation.REMOVE and versions:
        raise HandlerError("unsupported", f"a removal takes no version: {name_list(versions)}")
    if request.security_only and request.advisories:
        raise HandlerError("unsupported", "security_only and advisories exclude each other")
    if not request.policy.minimal:
        return
    if request.operation not in (Operation.UPDATE, Operation.UPDATE_ALL):
        raise HandlerError("unsupported", "policy.minimal is for updates only")
    if versions:
        message = f"policy.minimal takes no version: {name_list(versions)}"
        raise HandlerError("unsupported", message)


def check_abilities(lacks: Mapping[Ability, str], *wanted: Ability) -> None:
    """Raises `unsupported` with the package system's own sentence."""
    for ability in wanted:
        if ability in lacks:
            raise HandlerError("unsupported", lacks[ability])


def abilities(request: Request) -> list[Ability]:
    """What the request asks for that not every package system has."""
    asked = {
        Ability.GROUPS: bool(request.groups),
        Ability.ADVISORIES: bool(request.advisories),
        Ability.MINIMAL: request.policy.minimal,
    }
    return [ability for ability, wanted in asked.items() if wanted]


def check_policy(plan: Plan, request: Request, state: State) -> None:
    """Raises `would-remove`, `held` or `dependency` (a downgrade) for what the policy does not allow."""
    policy = request.policy
    removed = [
        c
        for key, c in plan.changes.items()
        if c.action == "remove" and not c.requested and key not in plan.replaced
    ]
    removed = [c for c in removed if not (policy.autoremove and c.automatic)]
    if removed and not policy.allow_remove:
        raise HandlerError(
            "would-remove",
            f"this would also remove {name_list(c.name for c in removed)}; policy.allow_remove allows it",
        )
    held = [c.name for key, c in plan.changes.items() if key in state and state[key].held]
    if held and not policy.allow_held:
        raise HandlerError(
            "held", f"{name_list(held)} would change but is on hold; policy.allow_held allows it"
        )
    lowered = [c for c in plan.changes.values() if c.action == "downgrade"]
    if lowered and not policy.allow_downgrade:
        raise HandlerError(
            "dependency",
            f"{'; '.join(map(_lowered, lowered[:_NAMED]))}; policy.allow_downgrade allows it",
        )


def _lowered(change: Change) -> str:
    return f"{change.name} would be downgraded from {change.from_} to {change.to}"


def check_complete(
    plan: Plan, request: Request, state: State, key: Callable[[PackageSpec], Key]
) -> None:
    """Raises `dependency` when the plan does not end where the request wants to be (a package tool read it otherwise)."""
    missed = unmet(request, expected(state, plan.changes), key)
    if missed:
        verb = "removed" if request.operation is Operation.REMOVE else "brought to that state"
        raise HandlerError("dependency", f"{name_list(map(spelled, missed))} cannot be {verb}")
