"""What an action or a schedule asks for, as the arguments of its task; bad fields go into `faults`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.rmi.interfaces import Policy
from pulp.server.api.package_groups import GroupArguments
from pulp.server.api.planning import Faults


def group_arguments(
    groups: Sequence[str], policy: Policy, *, dry_run: bool, faults: Faults
) -> GroupArguments:
    for index, name in enumerate(groups):
        first = groups.index(name)
        if first != index:
            faults.add(f"groups[{index}]", f"names {name} again, after groups[{first}]: drop one")
    return GroupArguments(groups=list(groups), policy=policy, dry_run=dry_run)
