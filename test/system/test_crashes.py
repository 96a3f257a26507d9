"""SIGKILL at any moment: one package transaction, one history entry, a true answer."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil
import pytest
from world import Host, World, until


def finished_once(fleet: World, host: Host, task: dict) -> None:
    """The task finished, dpkg did it once, and history says it once."""
    done = fleet.wait(task)
    assert done["state"] == "finished", done["error"]
    assert host.installed()["demoslow"] == "1.0"
    log = (host.root / "var/log/dpkg.log").read_text()
    assert log.count(" install demoslow:all <none> 1.0") == 1, log
    written = [
        e for e in fleet.history(host, type="packages_installed") if e["task_id"] == task["id"]
    ]
    assert len(written) == 1


MOMENTS = [0.0, 0.15, 0.4, 0.8, 1.5, 3.2]
"""Seconds after the request; demoslow takes about four in all."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_server_is_killed(fleet: World, host: Host, moment: float) -> None:
    task = fleet.act(host, "install", "demoslow")
    time.sleep(moment)
    fleet.server.kill()
    fleet.start_server()
    finished_once(fleet, host, task)


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_agent_is_killed(fleet: World, host: Host, moment: float) -> None:
    task = fleet.act(host, "install", "demoslow")
    time.sleep(moment)
    host.agent.kill()
    fleet.start_agent(host)
    finished_once(fleet, host, task)


def test_both_are_killed_in_the_middle_of_the_commit(fleet: World, host: Host) -> None:
    task = fleet.act(host, "install", "demogate")
    close_gate(host)
    until((host.root / "run/demogate.reached").exists, "the gate to be reached")
    fleet.server.kill()
    host.agent.kill()
    open_gate(host)
    until(lambda: host.installed().get("demogate"), "dpkg to go on by itself")
    fleet.start_server()
    fleet.start_agent(host)
    assert fleet.wait(task)["state"] == "finished"
    assert [e["task_id"] for e in fleet.history(host, type="packages_installed")] == [task["id"]]


def test_the_package_job_itself_is_killed(fleet: World, host: Host) -> None:
    """Job, apt, dpkg and script die in mid-commit: the database is repaired and the answer says how it ended."""
    close_gate(host)
    task = fleet.act(host, "install", "demogate")
    until((host.root / "run/demogate.reached").exists, "the gate to be reached")
    for process in fleet.jobs():
        with suppress(psutil.NoSuchProcess):  # its parent's death may have ended it
            if str(host.path) in str(process.environ()) + str(process.cmdline()):
                process.kill()
    open_gate(host)
    ended = fleet.wait(task)
    assert ended["state"] == "finished" or ended["error"]["code"] == "interrupted", ended
    written = fleet.history(host, type="packages_installed")
    assert len(written) == (1 if ended["state"] == "finished" else 0)
    assert fleet.wait(fleet.act(host, "install", "demo"))["state"] == "finished"
    assert not list((host.root / "var/lib/dpkg/updates").iterdir())


def close_gate(host: Host) -> None:
    (host.root / "run/demogate.closed").touch()


def open_gate(host: Host) -> None:
    (host.root / "run/demogate.closed").unlink()
