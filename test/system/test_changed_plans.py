"""Windows that are moved, frozen and deleted under work that waits for them at the host, also while the host is away or the
server dies. With pulp-admin, a server, an agent and dpkg of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import plan_ways
import pytest
from fault_stage import PATIENCE, Stage
from world import until


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("plans")) as stage:
        yield stage


def held(stage: Stage, package: str, window: str) -> dict[str, Any]:
    stage.publish(package)
    return stage.world.wait(stage.ask(package, window=window), "held")


def why(stage: Stage, task: dict[str, Any]) -> str:
    return stage.world.admin("task", "why", task["id"]).stdout


def test_what_waits_for_a_window_follows_it_though_the_server_dies_at_once(stage: Stage) -> None:
    stage.begin()
    name = plan_ways.window(stage, "moved", begin=3600)
    task = held(stage, "moved", name)
    stage.arm("server.replan.committed")
    plan_ways.ask(stage, "PATCH", f"/windows/{name}", {"begin": plan_ways.ahead(2)})
    stage.sound(task, "moved", state="finished", history="packages_installed")
    assert stage.world.task(task["id"])["plan"] > 1
    plan_ways.drop(stage, name)


def test_work_whose_window_is_deleted_while_the_host_is_away_is_called_off_when_it_is_back(
    stage: Stage,
) -> None:
    stage.begin()
    name = plan_ways.window(stage, "gone", begin=3600)
    task = held(stage, "gone", name)
    stage.away()
    plan_ways.drop(stage, name)
    until(lambda: "called off" in why(stage, task), "the task to say so")
    assert "Window gone was deleted" in why(stage, task)
    assert stage.world.task(task["id"])["state"] == "held"
    stage.world.start_agent(stage.host)
    ended = stage.ended(task)
    assert (ended["error"]["code"], "Window gone" in ended["error"]["message"]) == (
        "window-missed",
        True,
    )
    stage.sound(task, "gone", state="missed", history="window_missed")


def test_a_freeze_moves_what_waits_and_its_end_moves_it_back(stage: Stage) -> None:
    stage.begin()
    name = plan_ways.window(stage, "frozen", begin=1800)
    task = held(stage, "frozen", name)
    opens = moment(task["window"]["begin"])
    body = {"name": "audit", "role": "freeze", "begin": plan_ways.ahead(60), "duration": "1h"}
    plan_ways.ask(stage, "POST", "/windows", body)
    plan_ways.ask(stage, "PUT", f"/windows/audit/consumers/{stage.host.id}")
    until(lambda: starts(stage, task) > opens, "the host to have the new opening", PATIENCE)
    plan_ways.drop(stage, "audit")
    until(lambda: starts(stage, task) == opens, "the host to have the old opening", PATIENCE)
    shown = stage.world.admin("plan", stage.host.id, "--days", "1").stdout
    assert task["id"] in shown
    stage.cancel(task)
    stage.sound(task, "frozen", state="canceled", history="action_canceled")
    plan_ways.drop(stage, name)
    assert "No window" in stage.world.admin("plan", stage.host.id).stdout


def starts(stage: Stage, task: dict[str, Any]) -> datetime:
    """When it opens, as the host has said."""
    return moment(stage.world.task(task["id"])["waiting_for"]["until"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
