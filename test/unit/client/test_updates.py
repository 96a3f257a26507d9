"""`consumer updates`, and `consumer update --security`."""

from __future__ import annotations

import pytest
from client_stage import TASK_ID, Reply, Stage, finished, task

UPDATES = [
    {
        "name": "demo",
        "arch": "all",
        "from": "1.0",
        "to": "1.1",
        "security": True,
        "fix": "1.0+sec1",
    },
    {
        "name": "libx",
        "from": "1",
        "to": "2",
        "security": True,
        "fix": "2",
        "kept_back": "held",
        "advisories": ["A:1", "A:2", "A:3", "A:4"],
    },
    {"name": "other", "from": "1", "kept_back": "dependency"},
]


def shown(stage: Stage, *updates: object) -> list[str]:
    done = finished() | {
        "kind": "packages.updates",
        "result": {"backend": "apt", "updates": list(updates)},
    }
    stage.script.on("POST", "/consumers/web1/actions/updates", Reply(202, task()))
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=done))
    result = stage.run("consumer", "updates", "web1", "--refresh")
    assert result.code == 0, result.err
    assert stage.script.bodies()[0] == {"refresh": True}
    return [" ".join(line.split()) for line in result.out.splitlines()]


def test_updates_are_listed_with_what_mends_security_and_what_is_kept_back(stage: Stage) -> None:
    lines = shown(stage, *UPDATES)
    assert lines[-3:] == [
        "demo:all 1.0 → 1.1 (security by 1.0+sec1)",
        "libx 1 → 2 (security) A:1, A:2, A:3 and 1 more kept back: held",
        "other 1 → ? kept back: dependency",
    ]


def test_a_host_that_is_up_to_date_is_told_as_such(stage: Stage) -> None:
    assert shown(stage)[-1].endswith(", nothing to update")


def test_security_in_place_of_packages_asks_for_all_that_mends(stage: Stage) -> None:
    stage.script.on("POST", "/consumers/web1/actions/update-all", Reply(202, task()))
    result = stage.run("consumer", "update", "web1", "--security", "--dry-run", "--no-wait")
    assert result.code == 0, result.err
    assert stage.script.bodies()[-1] == {"security_only": True, "dry_run": True}


@pytest.mark.parametrize("command", ["update", "update-all"])
def test_advisories_limit_an_update_of_everything(stage: Stage, command: str) -> None:
    stage.script.on("POST", "/consumers/web1/actions/update-all", Reply(202, task()))
    words = ("--advisory", "RHSA-2026:1", "--advisory", "CVE-2026-2", "--no-wait")
    assert stage.run("consumer", command, "web1", *words).code == 0
    assert stage.script.bodies()[-1] == {"advisories": ["RHSA-2026:1", "CVE-2026-2"]}


def test_the_smallest_step_is_a_rule_of_updates(stage: Stage) -> None:
    stage.script.on("POST", "/consumers/web1/actions/update", Reply(202, task()))
    assert stage.run("consumer", "update", "web1", "nginx", "--minimal", "--no-wait").code == 0
    assert stage.script.bodies()[-1] == {
        "packages": [{"name": "nginx"}],
        "policy": {"minimal": True},
    }


def test_an_update_names_packages_or_what_they_mend_and_not_both(stage: Stage) -> None:
    for words in ((), ("nginx", "--security"), ("nginx", "--advisory", "A:1")):
        result = stage.run("consumer", "update", "web1", *words)
        assert result.code == 2
        assert "one of them" in result.err
