"""Actions: each makes a task and answers 202 with where it can be watched."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from msgspec import Struct

from pulp.server.api.restarts import RebootBody
from pulp.server.api.types import (
    ActionBody,
    PackagesActionBody,
    TaskView,
    UpdateAllBody,
    UpdatesBody,
)
from pulp.server.api.work_types import GroupsActionBody, GroupsBody, RepairBody
from pulp.server.domain.user import Role
from pulp.server.webservices.routes import BASE, Call, Controller, Method, route

_ACTIONS = f"{BASE}/consumers/{{id}}/actions"


def _action(summary: str, body: type[Struct]) -> Callable[[Method], Method]:
    return route(
        "POST",
        summary,
        role=Role.OPERATOR,
        body=body,
        answer=TaskView,
        status=HTTPStatus.ACCEPTED,
        once=True,
        location=lambda task: f"{BASE}/tasks/{task.id}",
        problems=(HTTPStatus.CONFLICT,),
    )


class Install(Controller):
    path = f"{_ACTIONS}/install"

    @_action("Install packages", PackagesActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.install(call.who, consumer_id, call.body, key=call.key)


class Update(Controller):
    path = f"{_ACTIONS}/update"

    @_action("Update packages", PackagesActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.update(call.who, consumer_id, call.body, key=call.key)


class Remove(Controller):
    path = f"{_ACTIONS}/remove"

    @_action("Remove packages", PackagesActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.remove(call.who, consumer_id, call.body, key=call.key)


class UpdateAll(Controller):
    path = f"{_ACTIONS}/update-all"

    @_action("Update everything that can be updated", UpdateAllBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.update_all(call.who, consumer_id, call.body, key=call.key)


class RefreshProfile(Controller):
    path = f"{_ACTIONS}/refresh-profile"

    @_action("Ask for the installed packages", ActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.refresh_profile(call.who, consumer_id, call.body, key=call.key)


class InstallGroup(Controller):
    path = f"{_ACTIONS}/install-group"

    @_action("Install package groups", GroupsActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        work = self.api.consumers.work
        return work.install_group(call.who, consumer_id, call.body, key=call.key)


class RemoveGroup(Controller):
    path = f"{_ACTIONS}/remove-group"

    @_action("Remove package groups", GroupsActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        work = self.api.consumers.work
        return work.remove_group(call.who, consumer_id, call.body, key=call.key)


class Repair(Controller):
    path = f"{_ACTIONS}/repair"

    @_action("Bring to its end what was cut off or is half set up", RepairBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.work.repair(call.who, consumer_id, call.body, key=call.key)


class Refresh(Controller):
    path = f"{_ACTIONS}/refresh"

    @_action("Fetch what the repositories have", ActionBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.work.refresh(call.who, consumer_id, call.body, key=call.key)


class Groups(Controller):
    path = f"{_ACTIONS}/groups"

    @_action("Find out which package groups there are", GroupsBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.work.groups(call.who, consumer_id, call.body, key=call.key)


class Reboot(Controller):
    path = f"{_ACTIONS}/reboot"

    @_action("Restart the host; the task is over when it is back", RebootBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.restarts.reboot(call.who, consumer_id, call.body, key=call.key)


class Updates(Controller):
    path = f"{_ACTIONS}/updates"

    @_action("Find out which updates there are", UpdatesBody)
    def POST(self, call: Call, consumer_id: str) -> TaskView:
        return self.api.consumers.updates(call.who, consumer_id, call.body, key=call.key)
