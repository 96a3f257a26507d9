"""What an action or a schedule asks for, as the arguments of its task; bad fields go into `faults`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.rmi.interfaces import PackageSpec, Policy
from pulp.server.api.faults import Faults
from pulp.server.api.package_groups import GroupArguments
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.packages import PackagesArguments, UpdateAllArguments, UpdatePackages
from pulp.server.api.planning import specs_of


def package_arguments(
    task: type[ConsumerTask],
    packages: Sequence[str | PackageSpec],
    policy: Policy,
    *,
    dry_run: bool,
    faults: Faults,
) -> PackagesArguments:
    """`task`: the class of the work on named packages that is meant."""
    specs = specs_of(list(packages), faults)
    if task is not UpdatePackages:
        _check_no_minimal(policy, faults)
    elif policy.minimal and any(spec.version for spec in specs):
        faults.add("policy.minimal", "cannot stand beside a package's version: drop one of the two")
    return PackagesArguments(packages=specs, policy=policy, dry_run=dry_run)


def update_all_arguments(
    *,
    security_only: bool,
    advisories: Sequence[str],
    policy: Policy,
    dry_run: bool,
    faults: Faults,
) -> UpdateAllArguments:
    if security_only and advisories:
        faults.add("advisories", "cannot stand beside security_only: give one of the two")
    return UpdateAllArguments(
        security_only=security_only, advisories=list(advisories), policy=policy, dry_run=dry_run
    )


def group_arguments(
    groups: Sequence[str], policy: Policy, *, dry_run: bool, faults: Faults
) -> GroupArguments:
    _check_no_minimal(policy, faults)
    for index, name in enumerate(groups):
        first = groups.index(name)
        if first != index:
            faults.add(f"groups[{index}]", f"names {name} again, after groups[{first}]: drop one")
    return GroupArguments(groups=list(groups), policy=policy, dry_run=dry_run)


def _check_no_minimal(policy: Policy, faults: Faults) -> None:
    if policy.minimal:
        faults.add("policy.minimal", "is only for update and update-all: leave it out")
