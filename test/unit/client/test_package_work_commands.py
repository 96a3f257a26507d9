"""`consumer install-group|remove-group|groups|repair|refresh`: what is sent and what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from client_stage import TASK_ID, Reply, Stage, finished, task


def sent(stage: Stage, action: str, *words: str) -> Any:
    stage.script.on("POST", f"/consumers/web1/actions/{action}", Reply(202, task()))
    result = stage.run("consumer", action, "web1", *words, "--no-wait")
    assert result.code == 0, result.err
    return stage.script.bodies()[-1]


def shown(stage: Stage, action: str, kind: str, result: Any, *words: str) -> list[str]:
    done = finished() | {"kind": f"packages.{kind}", "result": result}
    stage.script.on("POST", f"/consumers/web1/actions/{action}", Reply(202, task()))
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=done))
    ran = stage.run("consumer", action, "web1", *words)
    assert ran.code == 0, ran.err
    return [" ".join(line.split()) for line in ran.out.splitlines()]


@pytest.mark.parametrize("action", ["install-group", "remove-group"])
def test_groups_are_sent_by_their_ids(stage: Stage, action: str) -> None:
    assert sent(stage, action, "web-server", "tools") == {"groups": ["web-server", "tools"]}
    said = sent(stage, action, "web-server", "--dry-run", "--allow-remove", "--timeout", "5m")
    assert said == {
        "groups": ["web-server"],
        "dry_run": True,
        "policy": {"allow_remove": True},
        "timeout": "5m",
    }


def test_groups_are_listed_with_what_they_bring(stage: Stage) -> None:
    listed = [
        {"id": "web-server", "name": "Web Server", "mandatory": ["a"], "default": ["b", "c"]},
        {"id": "tools", "name": "Tools", "installed": True, "mandatory": ["d"]},
    ]
    lines = shown(stage, "groups", "groups", {"backend": "dnf", "groups": listed}, "--refresh")
    assert lines[-3].startswith("web1: groups finished")
    assert lines[-2:] == ["web-server Web Server 3 packages", "tools Tools 1 package installed"]
    assert stage.script.bodies()[0] == {"refresh": True}


def test_no_groups_are_told_as_such(stage: Stage) -> None:
    lines = shown(stage, "groups", "groups", {"backend": "dnf", "groups": []})
    assert lines[-1].endswith(", there are none")


def test_repair_and_refresh_send_only_what_was_said(stage: Stage) -> None:
    assert sent(stage, "repair") == {}
    assert sent(stage, "repair", "--config-files", "new") == {"config_files": "new"}
    assert sent(stage, "refresh", "--timeout", "5m") == {"timeout": "5m"}


def test_a_repair_tells_what_became_of_each_package(stage: Stage) -> None:
    change = {"name": "demo", "arch": "all", "from": "1", "to": "1", "outcome": "done"}
    result = {"backend": "apt", "changed": True, "repaired": True, "changes": [change]}
    assert "demo:all 1 → 1" in shown(stage, "repair", "repair", result)[-2]


def test_a_repair_without_need_and_a_refresh_say_so(stage: Stage) -> None:
    assert shown(stage, "repair", "repair", {"backend": "apt"})[-1].endswith(", nothing to repair")
    told = shown(stage, "refresh", "refresh", {"backend": "apt", "phases": {"refresh": 9}})
    assert told[-1].startswith("web1: refresh finished") and "nothing" not in told[-1]
