"""An agent of every earlier release against today's server, over the real wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from old_agent import OldAgent, understood
from recordings import named
from world import World

from pulp.rmi.messages import PROTOCOL


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as world:
        world.start_server()
        yield world


@pytest.fixture
def agent(fleet: World, release: Path, tmp_path: Path) -> Iterator[OldAgent]:
    with OldAgent(release, tmp_path, fleet.ca) as made:
        made.register("web1", fleet.token("web1"), fleet.post)
        yield made
        fleet.rest.delete("/consumers/web1").raise_for_status()


def ask(fleet: World, action: str, **body: Any) -> httpx.Response:
    return fleet.rest.post(f"/consumers/web1/actions/{action}", json=body)


def install(fleet: World, **body: Any) -> str:
    answer = ask(fleet, "install", packages=["nginx"], **body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_it_is_welcomed_called_and_believed(fleet: World, agent: OldAgent) -> None:
    welcome = agent.come(fleet.messaging_port)
    understood(named(agent.release, "welcome"), welcome)
    task_id = install(fleet)
    request = agent.hears("request")
    record = named(agent.release, "request-Packages.install")
    understood(record, request)
    assert (request["id"], request["v"], request["version"]) == (task_id, PROTOCOL, 1)
    assert (request["class"], request["method"]) == ("Packages", "install")
    assert set(request["args"]) <= set(record.data["args"])  # it refuses arguments it does not know
    agent.says("accepted-ready", task_id)
    agent.says("started", task_id)
    agent.says("progress", task_id)
    assert fleet.wait({"id": task_id}, "running")["consumer_id"] == "web1"
    agent.says("succeeded-Packages.install", task_id)
    task = fleet.wait({"id": task_id})
    assert task["state"] == "finished"
    told = named(agent.release, "succeeded-Packages.install").data["value"]
    assert task["result"] == told
    history = fleet.get("/consumers/web1/history", type="packages_installed")["items"]
    (event,) = [e for e in history if e["task_id"] == task_id]
    (package,) = event["details"]["packages"]
    assert (package["from"], package["to"]) == (
        told["changes"][0]["from"],
        told["changes"][0]["to"],
    )


def test_it_keeps_windows_and_gives_up_what_is_canceled(fleet: World, agent: OldAgent) -> None:
    agent.come(fleet.messaging_port)
    begin = datetime.now(UTC) + timedelta(hours=1)
    task_id = install(fleet, window={"begin": begin.isoformat(), "duration": "1h"})
    request = agent.hears("request")
    understood(named(agent.release, "request-windowed"), request)
    assert request["needs"] == ["window"]
    agent.says("accepted-held", task_id)
    assert fleet.wait({"id": task_id}, "held")
    fleet.post(f"/tasks/{task_id}/cancel")
    understood(named(agent.release, "cancel"), agent.hears("cancel"))
    agent.says("canceled", task_id)
    assert fleet.wait({"id": task_id})["state"] == "canceled"


def test_its_failures_and_refusals_are_taken(fleet: World, agent: OldAgent) -> None:
    agent.come(fleet.messaging_port)
    for name, code in (
        ("failed", "script"),
        ("failed-never-started", "window-missed"),
        ("rejected", "unsupported-feature"),
    ):
        task_id = install(fleet)
        assert agent.hears("request")["id"] == task_id
        agent.says(name, task_id)
        assert fleet.wait({"id": task_id})["error"]["code"] == code


def test_after_a_break_it_is_asked_and_sent_again(fleet: World, agent: OldAgent) -> None:
    agent.come(fleet.messaging_port)
    task_id = install(fleet)
    assert agent.hears("request")["id"] == task_id
    agent.leave()
    agent.come(fleet.messaging_port)
    assert agent.hears("request")["id"] == task_id
    agent.says("accepted-ready", task_id)
    fleet.wait({"id": task_id}, "running")
    agent.leave()
    agent.come(fleet.messaging_port, journal_seq=18)  # it does not list the call
    query = agent.hears("query")
    understood(named(agent.release, "query"), query)
    agent.says("unknown", task_id)
    assert fleet.wait({"id": task_id})["error"]["code"] == "lost"


def test_what_it_tells_of_its_host_is_kept(fleet: World, agent: OldAgent) -> None:
    agent.come(fleet.messaging_port)
    agent.says("alive")
    for name, packages in (("profile", 1), ("profile-long", 150)):
        agent.says(name)
        assert len(fleet.get("/consumers/web1/profile")["packages"]) == packages
    agent.says("bye")
    shown = fleet.get("/consumers/web1")
    told = named(agent.release, "hello").data
    assert shown["agent"]["version"] == told["agent"]
    assert shown["agent"]["methods"] == told["methods"]


def test_an_agent_older_still_is_refused_what_it_cannot_do(fleet: World, agent: OldAgent) -> None:
    """Without a method, and without a feature that keeps a restriction: planning says which version it takes."""
    told = named(agent.release, "hello").data
    methods = {path: v for path, v in told["methods"].items() if path != "Packages.remove"}
    agent.come(fleet.messaging_port, agent="0.0.9", methods=methods, features=["cancel"])
    refused = ask(fleet, "remove", packages=["nginx"])
    assert (refused.status_code, refused.json()["code"]) == (409, "unsupported")
    for words in ("0.0.9", "Packages.remove", "from version 0.1.0 on"):
        assert words in refused.json()["detail"]
    window = {"begin": datetime.now(UTC).isoformat(), "duration": "1h"}
    refused = ask(fleet, "install", packages=["nginx"], window=window)
    assert (refused.status_code, refused.json()["code"]) == (409, "unsupported")
    assert "window (agents have it from version 0.1.0 on)" in refused.json()["detail"]
    task_id = install(fleet)
    assert agent.hears("request")["id"] == task_id


def test_a_protocol_that_is_no_more_is_told_so(fleet: World, agent: OldAgent) -> None:
    with pytest.raises(AssertionError):
        agent.come(fleet.messaging_port, protocols=[0])
    assert agent.events.end is not None
    reason, condition = agent.events.end
    assert condition == "amqp:not-implemented"
    assert json.dumps([0]) in reason
