"""What was asked for happens to dpkg, and task and history say exactly that, with everything that changed."""

from __future__ import annotations

import fcntl
from datetime import datetime
from typing import Any

import pytest
from world import Host, World


def changes(
    result: dict[str, Any], key: str = "changes"
) -> list[tuple[str, str | None, str | None]]:
    return sorted((c["name"], c.get("from"), c.get("to")) for c in result[key])


def events(fleet: World, host: Host) -> list[tuple[str, str]]:
    """(type, originator), oldest first, without what the agent says by itself."""
    own = ("profile_changed", "consumer_registered")
    found = [(e["type"], e["originator"]) for e in fleet.history(host) if e["type"] not in own]
    return found[::-1]


def test_install_update_and_remove(fleet: World, host: Host) -> None:
    done = fleet.wait(fleet.act(host, "install", "demo", "demolib"))
    assert done["state"] == "finished", done
    assert changes(done["result"]) == [("demo", None, "1.1"), ("demolib", None, "2.0")]
    assert host.installed() == {"demo": "1.1", "demolib": "2.0"}
    done = fleet.wait(fleet.act(host, "remove", "demo", "demolib"))
    assert changes(done["result"]) == [("demo", "1.1", None), ("demolib", "2.0", None)]
    assert host.installed() == {}
    assert events(fleet, host) == [("packages_installed", "admin"), ("packages_removed", "admin")]


def test_versions_dependencies_and_update(fleet: World, host: Host) -> None:
    old = [{"name": "demo", "version": "1.0"}, {"name": "demolib", "version": "1.0"}]
    fleet.wait(fleet.act(host, "install", packages=old))
    assert host.installed() == {"demo": "1.0", "demolib": "1.0"}
    done = fleet.wait(fleet.act(host, "update", "demo"))
    assert changes(done["result"]) == [("demo", "1.0", "1.1")]
    done = fleet.wait(fleet.act(host, "update-all"))
    assert changes(done["result"]) == [("demolib", "1.0", "2.0")]
    done = fleet.wait(fleet.act(host, "install", "demosuite"))
    assert ("democonf", None, "2.0") in changes(done["result"])  # recommended, not asked for
    written = fleet.history(host, type="packages_installed")[0]
    assert changes(written["details"], "packages") == changes(done["result"])
    assert written["task_id"] == done["id"]


def test_a_dry_run_changes_nothing_and_is_no_history(fleet: World, host: Host) -> None:
    done = fleet.wait(fleet.act(host, "install", "demo", dry_run=True))
    assert done["state"] == "finished"
    assert changes(done["result"]) == [("demo", None, "1.1"), ("demolib", None, "2.0")]
    assert done["result"]["dry_run"] is True
    assert host.installed() == {}
    assert events(fleet, host) == []


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("no-such-package", "not-found"),
        ({"name": "demo", "version": "9.9"}, "not-found"),
        ("demobroken", "dependency"),
        ("demofail", "script"),
    ],
    ids=["name", "version", "dependency", "script"],
)
def test_a_failure_has_its_code_and_no_success_in_history(
    fleet: World, host: Host, package: Any, code: str
) -> None:
    ended = fleet.wait(fleet.act(host, "install", packages=[package]))
    assert (ended["state"], ended["error"]["code"]) == ("error", code), ended["error"]
    assert len(ended["error"]["message"]) > 10
    assert events(fleet, host) == [("action_failed", "admin")]


def test_a_conflict_removes_nothing(fleet: World, host: Host) -> None:
    fleet.wait(fleet.act(host, "install", "demo"))
    before = host.installed()
    ended = fleet.wait(fleet.act(host, "install", "democonflict"))
    assert ended["state"] == "error", ended
    assert "demo" in ended["error"]["message"]
    assert host.installed() == before
    assert [type_ for type_, _ in events(fleet, host)] == ["packages_installed", "action_failed"]


def test_a_held_lock_is_said(fleet: World, host: Host) -> None:
    with (host.root / "var/lib/dpkg/lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        ended = fleet.wait(fleet.act(host, "install", "demo"))
    assert (ended["state"], ended["error"]["code"]) == ("error", "locked"), ended["error"]
    assert host.installed() == {}
    assert fleet.wait(fleet.act(host, "install", "demo"))["state"] == "finished"


def test_a_window_is_kept_by_the_agent(fleet: World, host: Host) -> None:
    asked = fleet.admin(
        "consumer", "install", host.id, "demo", "--window", "in 3s/1m", "--json"
    ).stdout
    (event,) = fleet.history(host, type="packages_installed")
    task = fleet.task(event["task_id"])
    assert task["id"] in asked
    assert task["state"] == "finished"
    began = datetime.fromisoformat(task["started_at"])
    assert began >= datetime.fromisoformat(task["window"]["begin"])


def test_a_window_that_is_missed(fleet: World, host: Host) -> None:
    """The host is away while the window is open."""
    host.agent.stop()
    fleet.wait_online(host, False)
    asked = fleet.admin(
        *("consumer", "install", host.id, "demo", "--window", "now/2s", "--json", "--no-wait")
    )
    assert host.id in asked.stdout
    ended = fleet.wait(fleet.get("/tasks", consumer=host.id)["items"][0])
    assert ended["state"] == "missed"
    fleet.start_agent(host)
    assert host.installed() == {}
    assert [type_ for type_, _ in events(fleet, host)] == ["window_missed"]


def test_the_profile_follows_what_is_installed(fleet: World, host: Host) -> None:
    fleet.wait(fleet.act(host, "install", "demo"))
    fleet.wait(fleet.act(host, "refresh-profile"))
    packages = fleet.get(f"/consumers/{host.id}/profile")["packages"]
    assert {p["name"]: p["version"] for p in packages} == {"demo": "1.1", "demolib": "2.0"}
    assert fleet.post(f"/consumers/{host.id}/ping")["rtt_ms"] < 5000
