"""PackageWork: what can be asked of a host's package system beside named packages."""

from __future__ import annotations

from pulp.server.api.access import require
from pulp.server.api.actions import Actions
from pulp.server.api.arguments import group_arguments
from pulp.server.api.faults import Faults
from pulp.server.api.package_groups import (
    FindGroups,
    FindGroupsArguments,
    InstallGroups,
    RemoveGroups,
)
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.types import ActionBody, TaskView
from pulp.server.api.upkeep import (
    RefreshArguments,
    RefreshMetadata,
    RepairArguments,
    RepairPackages,
)
from pulp.server.api.work_types import GroupsActionBody, GroupsBody, RepairBody
from pulp.server.domain.user import Principal, Role


class PackageWork:
    """Actions.start() says what is refused; `key` is the request's Idempotency-Key."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def install_group(
        self, who: Principal, consumer_id: str, body: GroupsActionBody, *, key: str | None = None
    ) -> TaskView:
        return self._groups(who, consumer_id, InstallGroups, body, key)

    def remove_group(
        self, who: Principal, consumer_id: str, body: GroupsActionBody, *, key: str | None = None
    ) -> TaskView:
        return self._groups(who, consumer_id, RemoveGroups, body, key)

    def _groups(
        self,
        who: Principal,
        consumer_id: str,
        task: type[ConsumerTask],
        body: GroupsActionBody,
        key: str | None,
    ) -> TaskView:
        require(who, Role.OPERATOR)
        faults = Faults()
        args = group_arguments(body.groups, body.policy, dry_run=body.dry_run, faults=faults)
        return self._actions.start(who, consumer_id, task, body, args, key=key, faults=faults)

    def repair(
        self, who: Principal, consumer_id: str, body: RepairBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        args = RepairArguments(config_files=body.config_files)
        return self._actions.start(
            who, consumer_id, RepairPackages, body, args, key=key, faults=Faults()
        )

    def refresh(
        self, who: Principal, consumer_id: str, body: ActionBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        args = RefreshArguments()
        return self._actions.start(
            who, consumer_id, RefreshMetadata, body, args, key=key, faults=Faults()
        )

    def groups(
        self, who: Principal, consumer_id: str, body: GroupsBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        args = FindGroupsArguments(refresh=body.refresh)
        return self._actions.start(
            who, consumer_id, FindGroups, body, args, key=key, faults=Faults()
        )
