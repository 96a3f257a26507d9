"""Memory that is lost, taken back or doubled, on real processes: WIRE.md's rules 1, 3, 6 and 7, copies and successors."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pulp_agent.calls import CallTable
from pulp_agent.home import Home
from pulp_agent.journal import read_records
from world import BIN, Host, World, until

Task = dict[str, Any]


def remembered(host: Host) -> CallTable:
    """What the agent's journal says."""
    return CallTable(read_records(Home(host.data).journal))


def done_in_dpkg(host: Host, package: str) -> int:
    log = host.root / "var/log/dpkg.log"
    return log.read_text().count(f" install {package}:all <none> ") if log.exists() else 0


def ends(fleet: World, host: Host, task: Task) -> list[str]:
    return [e["type"] for e in fleet.history(host) if e["task_id"] == task["id"]]


def away(fleet: World, host: Host) -> None:
    host.agent.stop()
    fleet.wait_online(host, False)


def held(fleet: World, host: Host, package: str = "demo") -> Task:
    """Accepted by the agent, which waits for a window an hour ahead."""
    begin = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    task = fleet.act(host, "install", package, window={"begin": begin, "duration": "1h"})
    return fleet.wait(task, "held")


def in_its_commit(fleet: World, host: Host) -> Task:
    """An installation that goes on until open_gate()."""
    gate = host.root / "run/demogate.closed"
    gate.parent.mkdir(exist_ok=True)
    gate.touch()
    task = fleet.act(host, "install", "demogate")
    until((host.root / "run/demogate.reached").exists, "the gate to be reached")
    return task


def open_gate(host: Host) -> None:
    (host.root / "run/demogate.closed").unlink()
    until(lambda: host.installed().get("demogate"), "dpkg to go on")


def put_back(snapshot: Path, data: Path) -> None:
    shutil.rmtree(data)
    shutil.copytree(snapshot, data)


# --- rule 1 ---


def test_rule_1_an_answer_is_kept_through_everything_until_it_is_confirmed(
    fleet: World, host: Host
) -> None:
    task = in_its_commit(fleet, host)
    fleet.wait(task, "running")
    fleet.server.kill()
    open_gate(host)
    until(lambda: _answered(host, task), "the answer to be written down")
    host.agent.kill()
    host.agent.start()
    fleet.start_server()
    fleet.wait_online(host)
    ended = fleet.wait(task)
    assert ended["state"] == "finished"
    until(lambda: task["id"] in remembered(host).tombstones, "the answer to be confirmed")
    assert remembered(host).open == {}
    host.agent.stop()
    fleet.start_agent(host)
    assert fleet.task(task["id"]) == ended
    assert ends(fleet, host, task) == ["packages_installed"]
    assert done_in_dpkg(host, "demogate") == 1


def _answered(host: Host, task: Task) -> bool:
    call = remembered(host).open.get(task["id"])
    return call is not None and call.final is not None


# --- rule 3 ---


def test_rule_3_a_cancel_that_overtakes_its_request_keeps_it_from_being_done(
    fleet: World, host: Host
) -> None:
    """The request is lost on the way with a dying agent; the cancel is said at the next hello, and the request no more."""
    assert host.agent.pid is not None
    os.kill(host.agent.pid, signal.SIGSTOP)
    task = fleet.act(host, "install", "demo")
    until(lambda: fleet.task(task["id"])["phase"] == "sent", "the request to be sent")
    canceled = fleet.post(f"/tasks/{task['id']}/cancel")
    assert (canceled["state"], canceled["cancel_requested"]) == ("waiting", True)
    host.agent.kill()
    fleet.wait_online(host, False)
    fleet.start_agent(host)
    assert fleet.wait(task)["state"] == "canceled"
    until(lambda: task["id"] in remembered(host).tombstones, "the agent to know of it")
    assert remembered(host).tombstones[task["id"]].canceled
    assert fleet.wait(fleet.act(host, "install", "demo00"))["state"] == "finished"
    assert host.installed() == {"demo00": "1.0"}
    assert ends(fleet, host, task) == ["action_canceled"]


# --- rule 6 ---


def test_rule_6_a_host_that_was_imaged_anew_has_lost_what_it_accepted_and_gets_the_rest(
    fleet: World, host: Host
) -> None:
    """Its identity was kept, its journal was not."""
    accepted = held(fleet, host)
    away(fleet, host)
    waiting = fleet.act(host, "install", "demo00")
    home = Home(host.data)
    home.journal.unlink()
    shutil.rmtree(home.jobs)
    fleet.start_agent(host)
    assert fleet.wait(accepted)["error"]["code"] == "lost"
    assert fleet.wait(waiting)["state"] == "finished"
    assert ends(fleet, host, accepted) == ["action_failed"]


def test_rule_6_a_host_taken_back_to_a_snapshot_keeps_what_the_snapshot_knew(
    fleet: World, host: Host
) -> None:
    known = held(fleet, host)
    away(fleet, host)
    snapshot = host.path / "snapshot"
    shutil.copytree(host.data, snapshot)
    fleet.start_agent(host)
    done = fleet.wait(fleet.act(host, "install", "demo00"))
    forgotten = held(fleet, host, "demo01")
    away(fleet, host)
    put_back(snapshot, host.data)
    fleet.start_agent(host)
    assert fleet.wait(forgotten)["error"]["code"] == "lost"
    assert fleet.task(known["id"])["state"] == "held"
    assert fleet.task(done["id"]) == done
    assert ends(fleet, host, done) == ["packages_installed"]
    fleet.post(f"/tasks/{known['id']}/cancel")
    assert fleet.wait(known)["state"] == "canceled"
    assert fleet.wait(fleet.act(host, "install", "demo02"))["state"] == "finished"


# --- rule 7 ---


def test_rule_7_a_restored_server_does_nothing_twice_and_learns_what_it_forgot(
    fleet: World, host: Host
) -> None:
    away(fleet, host)
    known = fleet.act(host, "install", "demo01")
    fleet.server.stop()
    backup = fleet.path / "backup"
    shutil.copytree(fleet.data, backup)
    fleet.start_server()
    fleet.start_agent(host)
    assert fleet.wait(known)["state"] == "finished"
    unknown_held = held(fleet, host)
    unknown_running = in_its_commit(fleet, host)
    fleet.server.stop()
    put_back(backup, fleet.data)
    fleet.start_server()
    fleet.wait_online(host)
    open_gate(host)

    again = fleet.wait(known)
    assert (again["state"], done_in_dpkg(host, "demo01")) == ("finished", 1)
    for task in (unknown_held, unknown_running):
        assert fleet.rest.get(f"/tasks/{task['id']}").status_code == 404
    orphans = until(lambda: _two_orphans(fleet, host), "both orphans in the history")
    answers = {e["task_id"]: e["details"]["answer"]["type"] for e in orphans}
    assert answers == {unknown_held["id"]: "canceled", unknown_running["id"]: "succeeded"}
    until(lambda: not remembered(host).open, "every answer to be confirmed")
    assert ends(fleet, host, known) == ["packages_installed"]
    argv = [BIN / "pulp-server", "check", "--data", fleet.data]
    done = subprocess.run(argv, env=fleet.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert fleet.wait(fleet.act(host, "install", "demo02"))["state"] == "finished"


def _two_orphans(fleet: World, host: Host) -> list[Task]:
    found = fleet.history(host, type="orphan_result")
    return found if len(found) == 2 else []


# --- copies and successors ---


def test_a_copy_with_its_originals_journal_is_refused_and_flagged(fleet: World, host: Host) -> None:
    """A cloned machine: key, certificate and journal are the same, and only the original has gone on."""
    away(fleet, host)
    copy = host.path / "clone"
    shutil.copytree(host.data, copy)
    fleet.start_agent(host)
    assert fleet.wait(fleet.act(host, "install", "demo00"))["state"] == "finished"
    host.agent.stop()
    fleet.start_agent(host)
    accepted = held(fleet, host)
    clone = host.another_agent(copy)
    clone.start()
    until(lambda: "duplicate-identity" in fleet.get(f"/consumers/{host.id}")["flags"], "the flag")
    until(lambda: "Another host is connected" in clone.tail(), "the clone to say so")
    clone.stop()
    assert fleet.wait(fleet.act(host, "install", "demo01"))["state"] == "finished"
    assert fleet.task(accepted["id"])["state"] == "held"


def test_a_successor_gets_what_its_predecessor_never_took_and_the_rest_is_lost(
    fleet: World, host: Host
) -> None:
    accepted = held(fleet, host)
    away(fleet, host)
    waiting = fleet.act(host, "install", "demo00")
    scheduled = fleet.act(
        host, "install", "demo01", not_before=(datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    )
    shutil.rmtree(host.data)
    host.register(fleet.token(host.id))
    fleet.start_agent(host)
    lost = fleet.wait(accepted)
    assert (lost["state"], lost["error"]["code"]) == ("error", "lost")
    for task in (waiting, scheduled):
        assert fleet.wait(task)["state"] == "finished"
    assert set(host.installed()) == {"demo00", "demo01"}
    retried = fleet.post(f"/tasks/{accepted['id']}/retry", {"window": None})
    assert fleet.wait(retried)["state"] == "finished"
    assert retried["retry_of"] == accepted["id"]
    assert fleet.task(accepted["id"]) == lost
