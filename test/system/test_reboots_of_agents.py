"""A restart that is asked for by REST or pulp-admin, by real processes; the host is one by its boot id only."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from power import Power
from world import Host, World, until


@pytest.fixture(scope="module")
def power(tmp_path_factory: pytest.TempPathFactory) -> Power:
    return Power(tmp_path_factory.mktemp("power") / "host")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, power: Power) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("reboots"), settings=power.settings) as made:
        made.start_server()
        yield made


@pytest.fixture(scope="module")
def host(world: World) -> Host:
    return world.add_host("web1")


def ask(world: World, host: Host, action: str = "reboot", **body: Any) -> dict[str, Any]:
    answer = world.rest.post(f"/consumers/{host.id}/actions/{action}", json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def comes_back(world: World, host: Host) -> None:
    """Its agent died with it, and is started with it."""
    until(lambda: host.agent.code == -signal.SIGKILL, "the host to go down", 40)
    world.start_agent(host)


def types(world: World, host: Host, task: dict[str, Any]) -> list[str]:
    return sorted(e["type"] for e in world.history(host) if e["task_id"] == task["id"])


def test_the_task_is_over_when_the_host_is_back(world: World, host: Host, power: Power) -> None:
    before, count = power.boot_id, power.restarts
    task = ask(world, host)
    until(lambda: world.task(task["id"])["phase"] == "rebooting", "the answer")
    waiting = world.task(task["id"])
    assert (waiting["state"], waiting["waiting_for"]["code"]) == ("running", "reboot")
    comes_back(world, host)
    over = world.wait(task, "finished")
    restart = over["result"]["restart"]
    assert (restart["from"], restart["to"]) == (before, power.boot_id)
    assert world.get(f"/consumers/{host.id}")["agent"]["boot_id"] == power.boot_id
    assert power.restarts == count + 1
    assert types(world, host, task) == ["rebooted"]
    said = world.admin("task", "show", task["id"]).stdout
    assert "The host was restarted and is back after" in said
    assert "back after" in world.admin("consumer", "history", host.id).stdout


def test_what_needs_none_is_left_alone(world: World, host: Host, power: Power) -> None:
    count = power.restarts
    done = world.admin("consumer", "reboot", host.id, "--if-needed").stdout
    assert "reboot finished" in done
    assert "No restart is needed." in done
    assert power.restarts == count


def test_it_keeps_to_its_window(world: World, host: Host, power: Power) -> None:
    count = power.restarts
    begin = datetime.now(UTC) + timedelta(seconds=3)
    task = ask(world, host, window={"begin": begin.isoformat(), "duration": "5m"})
    world.wait(task, "held")
    assert power.restarts == count
    comes_back(world, host)
    assert datetime.now(UTC) >= begin
    world.wait(task, "finished")
    assert power.restarts == count + 1


def test_a_system_that_refuses_is_seen_and_blocks_nothing(
    world: World, host: Host, power: Power
) -> None:
    power.refuse()
    task = ask(world, host)
    until(lambda: world.task(task["id"])["phase"] == "rebooting", "the answer")
    until(lambda: "Access denied" in host.agent.tail(), "the refusal")
    done = world.wait(ask(world, host, "install", packages=["demo"]), "finished")
    assert done["result"]["changed"]
    assert world.task(task["id"])["phase"] == "rebooting"

    power.obey()
    again = ask(world, host)
    comes_back(world, host)
    assert world.wait(again, "finished")["result"]["restart"]["to"] == power.boot_id
    assert world.wait(task, "finished"), "the host has been restarted after all"


def test_package_work_is_followed_by_a_restart(world: World, host: Host, power: Power) -> None:
    count = power.restarts
    policy = {"reboot": "if_needed"}
    plain = world.wait(ask(world, host, "install", packages=["demo00"], policy=policy), "finished")
    assert "restart" not in plain["result"]
    task = ask(world, host, "install", packages=["demoreboot"], policy=policy)
    comes_back(world, host)
    over = world.wait(task, "finished")
    assert over["result"]["restart"]["reasons"] == ["demoreboot"]
    assert power.restarts == count + 1
    assert types(world, host, task) == ["packages_installed", "rebooted"]
