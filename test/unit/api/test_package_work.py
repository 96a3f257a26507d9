"""What can be asked of a host's package system beside named packages: stored, sent, written into history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from rest_world import NOON, OPERATOR, VIEWER, Rest, agent_info
from test_tasks import Fired, events, load, succeed

from pulp.common.errors import InvalidInput
from pulp.rmi.interfaces import (
    GROUPS,
    INSTALL_GROUP,
    REFRESH,
    REMOVE_GROUP,
    REPAIR,
    UPDATE_ALL,
    Change,
    Method,
    PackageSpec,
    PackagesResult,
    Policy,
)
from pulp.rmi.reports import GroupsResult, RefreshResult
from pulp.rmi.versions import FEATURES
from pulp.server.api.errors import Forbidden, Unsupported
from pulp.server.api.types import ActionBody, PackagesActionBody, TaskView, UpdateAllBody
from pulp.server.api.work_types import GroupsActionBody, GroupsBody, RepairBody
from pulp.server.check import check
from pulp.server.tasking.context import Context

METHODS = {
    f"Packages.{name}": [1]
    for name in ("install_group", "remove_group", "groups", "repair", "refresh")
}


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=agent_info(methods=METHODS), online=True)


def group(rest: Rest, action: str, **body: Any) -> TaskView:
    asked = GroupsActionBody(**{"groups": ["web-server"]} | body)
    view: TaskView = getattr(rest.consumers.work, action)(OPERATOR, "web1", asked)
    return view


def fired(rest: Rest, view: TaskView) -> list[tuple[Method, Any]]:
    task, agent = load(rest, view), Fired()
    rest.store.read(lambda uow: task.run(Context.of(uow, NOON, agent)))  # type: ignore[arg-type]
    return agent.calls


# --- groups ---


@pytest.mark.parametrize(
    ("action", "method"), [("install_group", INSTALL_GROUP), ("remove_group", REMOVE_GROUP)]
)
def test_a_groups_action_fires_its_call(rest: Rest, action: str, method: Method) -> None:
    view = group(rest, action, groups=["web-server", "tools"], dry_run=True)
    assert view.kind == method.path.replace("Packages", "packages")
    sent = {"groups": ["web-server", "tools"], "policy": {}, "dry_run": True}
    assert fired(rest, view) == [(method, sent)]


def test_the_groups_that_there_are_are_the_tasks_result(rest: Rest) -> None:
    view = rest.consumers.work.groups(OPERATOR, "web1", GroupsBody(refresh=True))
    assert fired(rest, view) == [(GROUPS, {"refresh": True})]
    succeed(rest, view, GroupsResult(backend="dnf", groups=[]))
    assert rest.task(view.id).state.value == "finished"
    assert events(rest) == []


@pytest.mark.parametrize(
    ("action", "type_"),
    [("install_group", "packages_installed"), ("remove_group", "packages_removed")],
)
def test_what_a_group_brought_or_took_is_history(rest: Rest, action: str, type_: str) -> None:
    change = Change(name="nginx", action="install", to="1", outcome="done", requested=True)
    view = group(rest, action)
    succeed(rest, view, PackagesResult(backend="dnf", changed=True, changes=[change]))
    ((found, details),) = events(rest)
    assert (found, [p["name"] for p in details["packages"]]) == (type_, ["nginx"])


def test_a_group_named_twice_is_refused(rest: Rest) -> None:
    with pytest.raises(InvalidInput) as refused:
        group(rest, "install_group", groups=["a", "b", "a"])
    assert [e.field for e in refused.value.errors] == ["groups[2]"]


@pytest.mark.parametrize("bad", ["@web-server", "Web Server", "web*", "", "/x", "-o"])
def test_what_is_no_groups_id_is_refused(bad: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="groups"):
        msgspec.convert({"groups": [bad]}, GroupsActionBody)


def test_viewers_do_not_act_on_groups(rest: Rest) -> None:
    with pytest.raises(Forbidden):
        rest.consumers.work.install_group(VIEWER, "web1", GroupsActionBody(groups=["a"]))
    with pytest.raises(Forbidden):
        rest.consumers.work.groups(VIEWER, "web1", GroupsBody())


def test_an_agent_from_before_groups_is_refused_with_the_version_that_has_them(rest: Rest) -> None:
    rest.register("old", agent=agent_info(methods={"Packages.install": [1]}), online=True)
    with pytest.raises(Unsupported, match=r"Packages\.install_group.*from version 0\.2\.0 on"):
        rest.consumers.work.install_group(OPERATOR, "old", GroupsActionBody(groups=["a"]))


# --- by advisory, and the smallest step ---


def update_all(rest: Rest, consumer: str = "dnf1", **body: Any) -> TaskView:
    return rest.consumers.update_all(OPERATOR, consumer, UpdateAllBody(**body))


def found_wrong(work: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        work()
    return [e.field for e in refused.value.errors]


@pytest.fixture
def dnf1(rest: Rest) -> None:
    rest.register("dnf1", agent=agent_info(features=sorted(FEATURES)), online=True)


@pytest.mark.usefixtures("dnf1")
def test_advisories_go_to_the_agent_and_only_where_there_are_some(rest: Rest) -> None:
    named = update_all(rest, advisories=["RHSA-2026:1", "CVE-2026-2"], policy=Policy(minimal=True))
    ((method, sent),) = fired(rest, named)
    assert method is UPDATE_ALL
    assert sent == {
        "security_only": False,
        "advisories": ["RHSA-2026:1", "CVE-2026-2"],
        "policy": {"minimal": True},
        "dry_run": False,
    }
    ((_, plain),) = fired(rest, update_all(rest))
    assert "advisories" not in plain  # an agent of 0.1.0 refuses the field


@pytest.mark.usefixtures("dnf1")
def test_what_does_not_go_together_is_refused_by_field(rest: Rest) -> None:
    assert found_wrong(lambda: update_all(rest, security_only=True, advisories=["A"])) == [
        "advisories"
    ]
    minimal = Policy(minimal=True)
    body = PackagesActionBody(packages=["nginx"], policy=minimal)
    for action in (rest.consumers.install, rest.consumers.remove):
        assert found_wrong(lambda a=action: a(OPERATOR, "dnf1", body)) == ["policy.minimal"]  # type: ignore[misc]
    versioned = PackagesActionBody(packages=[PackageSpec(name="a", version="1")], policy=minimal)
    assert found_wrong(lambda: rest.consumers.update(OPERATOR, "dnf1", versioned)) == [
        "policy.minimal"
    ]
    assert rest.consumers.update(OPERATOR, "dnf1", body).kind == "packages.update"
    assert found_wrong(lambda: group(rest, "install_group", policy=minimal)) == ["policy.minimal"]


@pytest.mark.parametrize(
    ("body", "feature"),
    [({"advisories": ["A"]}, "advisories"), ({"policy": Policy(minimal=True)}, "policy-minimal")],
)
def test_an_agent_that_lacks_it_is_refused_with_the_version_that_has_it(
    rest: Rest, body: dict[str, Any], feature: str
) -> None:
    rest.register("old", agent=agent_info(features=["window"]), online=True)
    with pytest.raises(Unsupported, match=rf"{feature} \(agents have it from version 0\.2\.0 on\)"):
        update_all(rest, "old", **body)
    assert update_all(rest, "old").kind == "packages.update_all"


@pytest.mark.parametrize("bad", ["RHSA 1", "*", "", "-x", "a/b"])
def test_what_is_no_advisorys_id_is_refused(bad: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="advisories"):
        msgspec.convert({"advisories": [bad]}, UpdateAllBody)


# --- repair and refresh ---


def test_a_repair_is_sent_and_what_it_mended_is_history(rest: Rest) -> None:
    view = rest.consumers.work.repair(OPERATOR, "web1", RepairBody(config_files="new"))
    assert fired(rest, view) == [(REPAIR, {"config_files": "new"})]
    mended = Change(name="nginx", action="configure", from_="1", to="1", outcome="done")
    result = PackagesResult(backend="apt", changed=True, repaired=True, changes=[mended])
    succeed(rest, view, result)
    ((type_, details),) = events(rest)
    assert type_ == "packages_repaired"
    assert [(p["name"], p["outcome"]) for p in details["packages"]] == [("nginx", "done")]
    assert details["repaired"] is True
    assert list(check(rest.store)) == []


def test_a_repair_that_found_nothing_is_no_history(rest: Rest) -> None:
    view = rest.consumers.work.repair(OPERATOR, "web1", RepairBody())
    succeed(rest, view, PackagesResult(backend="apt"))
    assert events(rest) == []
    assert list(check(rest.store)) == []


def test_a_refresh_is_sent_and_is_no_history(rest: Rest) -> None:
    view = rest.consumers.work.refresh(OPERATOR, "web1", ActionBody())
    assert fired(rest, view) == [(REFRESH, {})]
    succeed(rest, view, RefreshResult(backend="apt", phases={"refresh": 5}))
    assert rest.task(view.id).state.value == "finished"
    assert events(rest) == []


def test_viewers_neither_repair_nor_refresh(rest: Rest) -> None:
    with pytest.raises(Forbidden):
        rest.consumers.work.repair(VIEWER, "web1", RepairBody())
    with pytest.raises(Forbidden):
        rest.consumers.work.refresh(VIEWER, "web1", ActionBody())
