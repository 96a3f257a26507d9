"""Hosts that are not there: their tasks wait, say so, and delay nobody; cancels and deadlines end what is not wanted any more."""

from __future__ import annotations

import time

from world import Host, World, until


def away(fleet: World, host: Host) -> None:
    host.agent.stop()
    fleet.wait_online(host, False)


def test_a_task_waits_for_its_agent_and_is_delivered_at_its_return(
    fleet: World, host: Host
) -> None:
    away(fleet, host)
    task = fleet.act(host, "install", "demo")
    waiting = fleet.wait(task, "waiting")
    assert waiting["waiting_for"]["code"] == "agent-offline"
    assert waiting["waiting_for"]["until"] == waiting["deadline"]
    fleet.start_agent(host)
    back = time.monotonic()
    fleet.wait(task, "running", "finished")
    assert time.monotonic() - back < 2.0  # a second, and what a busy machine takes
    assert fleet.wait(task)["state"] == "finished"


def test_a_thousand_tasks_of_an_absent_agent_delay_nobody(
    fleet: World, host: Host, other: Host
) -> None:
    away(fleet, host)
    for _ in range(1000):
        fleet.act(host, "refresh-profile")
    began = time.monotonic()
    assert fleet.wait(fleet.act(other, "refresh-profile"))["state"] == "finished"
    assert time.monotonic() - began < 3.0
    fleet.rest.delete(f"/consumers/{host.id}").raise_for_status()
    left = fleet.get("/tasks", consumer=host.id, state="waiting")["items"]
    assert left == []


def test_cancel_while_waiting(fleet: World, host: Host) -> None:
    away(fleet, host)
    task = fleet.act(host, "install", "demo")
    fleet.post(f"/tasks/{task['id']}/cancel")
    assert fleet.wait(task)["state"] == "canceled"
    fleet.start_agent(host)
    assert fleet.wait(fleet.act(host, "install", "demo00"))["state"] == "finished"
    assert host.installed() == {"demo00": "1.0"}


def test_cancel_while_scheduled_and_held(fleet: World, host: Host) -> None:
    fleet.admin("consumer", "install", host.id, "demo", "--at", "in 1h", "--no-wait")
    fleet.admin("consumer", "install", host.id, "demo", "--window", "in 1h/1h", "--no-wait")
    held, scheduled = fleet.get("/tasks", consumer=host.id)["items"]
    fleet.wait(held, "held")
    assert scheduled["state"] == "scheduled"
    for task in (held, scheduled):
        assert fleet.admin("task", "cancel", task["id"], code=None).returncode in (0, 1)
        assert fleet.wait(task)["state"] == "canceled"
    assert host.installed() == {}


def test_a_cancel_in_the_commit_is_too_late(fleet: World, host: Host) -> None:
    (host.root / "run/demogate.closed").touch()
    task = fleet.act(host, "install", "demogate")
    until((host.root / "run/demogate.reached").exists, "the commit")
    fleet.post(f"/tasks/{task['id']}/cancel")
    (host.root / "run/demogate.closed").unlink()
    done = fleet.wait(task)
    assert (done["state"], done["cancel_requested"]) == ("finished", True)
    assert host.installed() == {"demogate": "1.0"}


def test_deliver_within_ends_the_task(fleet: World, host: Host) -> None:
    away(fleet, host)
    ended = fleet.wait(fleet.act(host, "install", "demo", deliver_within="1s"))
    assert (ended["state"], ended["error"]["code"]) == ("timed_out", "accept-timeout")
    fleet.start_agent(host)
    assert fleet.wait(fleet.act(host, "install", "demo00"))["state"] == "finished"
    assert host.installed() == {"demo00": "1.0"}


def test_timeout_ends_a_hanging_script(fleet: World, host: Host) -> None:
    ended = fleet.wait(fleet.act(host, "install", "demohang", timeout="3s"), timeout=120)
    assert (ended["state"], ended["error"]["code"]) == ("timed_out", "timeout"), ended["error"]
    assert fleet.history(host, type="packages_installed") == []
