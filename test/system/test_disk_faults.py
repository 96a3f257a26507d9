"""Full and read-only disks, at the server and at the agent: what was acknowledged is kept, the rest is refused plainly."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from disks import Disk, small_disk
from fault_stage import Stage
from pulp_agent.home import Home
from pulp_agent.journal import open_journal
from pulp_agent.records import Confirmed
from world import BIN, until

PAGE = os.sysconf("SC_PAGESIZE")

pytestmark = pytest.mark.root


@pytest.fixture
def server_disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "world" / "server", megabytes=8) as disk:
        yield disk


def try_to_ask(stage: Stage, package: str) -> httpx.Response:
    path = f"/consumers/{stage.host.id}/actions/install"
    return stage.world.rest.post(path, json={"packages": [package]})


def test_the_servers_disk_is_full_and_has_space_again(tmp_path: Path, server_disk: Disk) -> None:
    with Stage(tmp_path) as stage:
        for number in range(5):
            stage.publish(f"package-{number}")
        stage.publish("at-work")
        close_gate(stage)
        running = ask_for_gate(stage)
        acknowledged = [stage.ask(f"package-{number}") for number in range(3)]
        server_disk.fill()
        refused = until(lambda: refusal(try_to_ask(stage, "package-3")), "a refusal")
        assert refused.headers["Retry-After"].isdigit()
        assert refused.json()["code"] == "store-unavailable"
        assert stage.world.get(f"/consumers/{stage.host.id}")["id"] == stage.host.id
        open_gate(stage)
        until(lambda: stage.host.installed().get("demogate"), "the work to be done meanwhile")
        assert stage.world.task(running["id"])["state"] == "running"  # its end cannot be stored
        server_disk.free()
        acknowledged.append(stage.ask("package-4"))
        assert stage.ended(running)["state"] == "finished"
        for task, package in zip(acknowledged, packages(acknowledged), strict=True):
            stage.sound(task, package, state="finished", history="packages_installed")


def refusal(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 503 else None


def packages(tasks: list[dict[str, Any]]) -> list[str]:
    return [task["args"]["packages"][0]["name"] for task in tasks]


def test_a_server_that_dies_on_a_full_disk_comes_back(tmp_path: Path, server_disk: Disk) -> None:
    with Stage(tmp_path) as stage:
        stage.publish("once")
        stage.away()
        task = stage.ask("once")
        server_disk.fill()
        until(lambda: refusal(try_to_ask(stage, "once")), "a refusal")
        stage.world.server.kill()
        server_disk.free()
        stage.start_server()
        stage.world.start_agent(stage.host)
        stage.sound(task, "once", state="finished", history="packages_installed")


def test_a_server_on_a_read_only_directory_says_so(tmp_path: Path, server_disk: Disk) -> None:
    with Stage(tmp_path) as stage:
        stage.world.server.stop()
        server_disk.read_only()
        done = run("pulp-server", stage.world.data, stage)
        assert done.returncode == 2
        assert str(stage.world.data) in done.stderr and "ead-only" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_agents_disk_is_full_and_has_space_again(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "world" / "hosts" / "host1" / "agent", megabytes=8) as disk,
        Stage(tmp_path) as stage,
    ):
        stage.publish("once")
        stage.begin()
        fill_last_page(stage)
        disk.fill()
        task = stage.ask("once")
        until(lambda: "Nothing is accepted" in stage.host.agent.tail(), "the agent to stall")
        assert stage.world.post(f"/consumers/{stage.host.id}/ping")["rtt_ms"] > 0
        assert stage.world.task(task["id"])["state"] == "waiting"
        disk.free()
        stage.sound(task, "once", state="finished", history="packages_installed")


def test_the_agents_disk_is_full_when_the_work_is_done(tmp_path: Path) -> None:
    """The job cannot leave its result, and the agent could not note it: the job waits, and what dpkg did once is told."""
    with (
        small_disk(tmp_path / "world" / "hosts" / "host1" / "agent", megabytes=8) as disk,
        Stage(tmp_path) as stage,
    ):
        close_gate(stage)
        task = ask_for_gate(stage)
        disk.fill()
        open_gate(stage)
        until(lambda: stage.host.installed().get("demogate"), "the work to be done")
        refused = "The result cannot be written yet"
        log = stage.host.agent.log
        until(lambda: refused in log.read_text(errors="replace"), "the result to be refused")
        assert stage.world.task(task["id"])["state"] == "running"
        disk.free()
        ended = stage.ended(task)
        assert ended["state"] == "finished", ended
        assert [c["name"] for c in ended["result"]["changes"]] == ["demogate"]
        written = (stage.host.root / "var/log/dpkg.log").read_text()
        assert written.count(" install demogate:all <none> ") == 1
        events = stage.world.history(stage.host, type="packages_installed")
        assert [e["task_id"] for e in events] == [task["id"]]
        stage.violations_none()


def test_an_agent_on_a_read_only_directory_says_so(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "world" / "hosts" / "host1" / "agent", megabytes=8) as disk,
        Stage(tmp_path) as stage,
    ):
        stage.begin()
        stage.away()
        disk.read_only()
        done = run("pulp-agent", stage.host.data, stage)
        assert done.returncode == 2
        assert str(stage.host.data) in done.stderr and "ead-only" in done.stderr
        assert "Traceback" not in done.stderr


def fill_last_page(stage: Stage) -> None:
    """A full disk still has room in the last page of each file; the journal is to have none."""
    stage.away()
    path = Home(stage.host.data).journal
    journal, _, _ = open_journal(path)
    journal.append([Confirmed(ids=[""], at=0)], sync=True)
    free = -path.stat().st_size % PAGE
    journal.append([Confirmed(ids=["x" * (free - 70)], at=0)], sync=True)
    journal.close()
    assert -path.stat().st_size % PAGE < 70
    stage.world.start_agent(stage.host)


def close_gate(stage: Stage) -> None:
    (stage.host.root / "run/demogate.closed").touch()


def ask_for_gate(stage: Stage) -> dict[str, Any]:
    """Under way, and in the middle of its postinst."""
    task = stage.ask("demogate")
    until((stage.host.root / "run/demogate.reached").exists, "the gate to be reached")
    return task


def open_gate(stage: Stage) -> None:
    (stage.host.root / "run/demogate.closed").unlink()


def run(program: str, data: Path, stage: Stage) -> subprocess.CompletedProcess[str]:
    argv = [str(BIN / program), "run", "--data", str(data)]
    env = stage.world.env
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=30)
