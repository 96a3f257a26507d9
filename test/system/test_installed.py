"""Who has a package follows what agents report, also to a server that has forgotten it; history with and without logs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from world import Host, World, until


def found(fleet: World, name: str) -> list[tuple[str, str]]:
    items = fleet.get("/packages", name=name)["items"]
    return [(item["consumer_id"], item["version"]) for item in items]


def test_the_hosts_of_a_package_follow_what_is_installed(
    fleet: World, host: Host, other: Host
) -> None:
    fleet.wait(fleet.act(host, "install", "demo"))
    older = [{"name": "demo", "version": "1.0"}]
    fleet.wait(fleet.act(other, "install", packages=older))
    both = [(other.id, "1.0"), (host.id, "1.1")]  # nobody asked for a profile
    until(lambda: found(fleet, "demo") == both, "both hosts have told their packages")
    spread = fleet.get("/packages/demo")
    assert (spread["hosts"], {v["version"]: v["hosts"] for v in spread["versions"]}) == (
        2,
        {"1.0": 1, "1.1": 1},
    )
    told = fleet.admin("package", "find", "dem*", "--version", "1.0").stdout
    assert other.id in told and host.id not in told
    fleet.wait(fleet.act(host, "remove", "demo"))
    until(lambda: found(fleet, "demo") == both[:1], "the host has told that it is gone")
    fleet.admin("consumer", "unregister", other.id, "--yes")
    assert found(fleet, "demo") == []


def test_a_server_that_has_forgotten_a_profile_asks_for_it(fleet: World, host: Host) -> None:
    fleet.wait(fleet.act(host, "install", "demo"))
    until(lambda: (host.id, "1.1") in found(fleet, "demo"), "the host has told its packages")
    host.agent.stop()
    fleet.server.stop()
    forget(fleet)
    fleet.start_server()
    assert found(fleet, "demo") == []
    fleet.start_agent(host)  # it says but a hash: its packages have not changed
    until(lambda: (host.id, "1.1") in found(fleet, "demo"), "the server has asked for the profile")


def forget(fleet: World) -> None:
    """As a store that was restored from before the host reported."""
    with closing(sqlite3.connect(fleet.data / "pulp.db")) as db:
        for table in ("profile", "installed", "package", "host"):
            db.execute(f"DELETE FROM {table}")
        db.commit()


def test_a_log_stands_in_its_entry_and_in_no_list(fleet: World, host: Host) -> None:
    ended = fleet.wait(fleet.act(host, "install", "demofail"))
    log = ended["error"]["details"]["log"]
    assert log
    (listed,) = fleet.history(host, type="action_failed")
    assert listed["abridged"] and "log" not in listed["details"]["details"]
    entry: dict[str, Any] = fleet.get(f"/consumers/{host.id}/history/{listed['id']}")
    assert entry["details"]["details"]["log"] == log
    told = fleet.admin("consumer", "history", host.id, "--show", listed["id"]).stdout
    assert "Log:" in told and log.splitlines()[-1].strip() in told
