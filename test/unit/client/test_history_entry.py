"""`consumer history HOST --show ENTRY`: one entry, with all it changed and its log."""

from __future__ import annotations

from typing import Any

import pytest
from client_stage import TASK_ID, Reply, Stage, change, page, problem

RESULT = {
    "backend": "apt",
    "changes": [change("nginx", None, "1.22", requested=True, outcome="failed", error="script")],
    "log": "Setting up nginx\n\x1b[31mdpkg: error\x1b[0m",
}
LOG = ["Log:", "Setting up nginx", r"\x1b[31mdpkg: error\x1b[0m"]


def entry(type_: str, **details: Any) -> dict[str, Any]:
    return {
        "id": "41",
        "consumer_id": "web1",
        "type": type_,
        "at": "2026-11-24T11:30:00Z",
        "originator": "anna",
        "task_id": TASK_ID,
        "details": details,
        "abridged": False,
    }


def shown(stage: Stage, event: dict[str, Any], *words: str) -> list[str]:
    stage.script.on("GET", "/consumers/web1/history/41", Reply(body=event))
    result = stage.run("consumer", "history", "web1", "--show", "41", *words)
    assert result.code == 0, result.err
    return result.out.splitlines()


FAILED = entry(
    "action_failed", action="packages.install", code="script", message="It failed.", details=RESULT
)
LATE = entry("late_result", answer={"type": "failed", "code": "script", "details": RESULT})
LATE_SUCCESS = entry("late_result", answer={"type": "succeeded", "value": RESULT})


@pytest.mark.parametrize("event", [FAILED, LATE, LATE_SUCCESS])
def test_an_entry_shows_what_was_done_and_the_log(stage: Stage, event: dict[str, Any]) -> None:
    lines = shown(stage, event)
    assert lines[0].split() == ["entry:", "41"]
    assert "What was done:" in lines
    assert any("absent → 1.22" in line and "failed: script" in line for line in lines)
    assert lines[-3:] == LOG


def test_an_entry_shows_every_package_that_changed(stage: Stage) -> None:
    packages = [change(f"p{n}", "1", "2", requested=n == 0) for n in range(5)]
    lines = shown(stage, entry("packages_updated", backend="apt", packages=packages))
    assert [line.split()[0] for line in lines if line.startswith("  p")] == [
        "p0",
        "p1",
        "p2",
        "p3",
        "p4",
    ]
    assert "Log:" not in lines


def test_work_that_was_told_later_says_when_it_ran(stage: Stage) -> None:
    times = {"started_at": "2026-11-22T21:00:00Z", "finished_at": "2026-11-22T21:00:05.250Z"}
    packages = [change("nginx", "1", "2", requested=True)]
    event = entry("packages_updated", backend="apt", packages=packages, ran=times)
    ran = "2026-11-22 22:00:00 CET to 2026-11-22 22:00:05 CET"
    assert [line for line in shown(stage, event) if line.endswith(ran)]
    stage.script.on("GET", "/consumers/web1/history", page(event))
    assert f"nginx 1 → 2 (ran {ran})" in stage.run("consumer", "history", "web1").out


def test_an_entry_without_package_work_is_its_facts(stage: Stage) -> None:
    lines = shown(stage, entry("consumer_registered"))
    assert [line.partition(":")[0] for line in lines] == ["entry", "time", "type", "by", "task"]


def test_as_json_it_is_the_servers_document(stage: Stage) -> None:
    stage.script.on("GET", "/consumers/web1/history/41", Reply(body=FAILED))
    result = stage.run("consumer", "history", "web1", "--show", "41", "--json")
    assert result.json == FAILED


def test_an_entry_that_is_none_is_refused(stage: Stage) -> None:
    missing = problem(404, "not-found", "the history of 'web1' has no entry '9'")
    stage.script.on("GET", "/consumers/web1/history/9", missing)
    result = stage.run("consumer", "history", "web1", "--show", "9")
    assert result.code == 4
    assert "no entry '9'" in result.err


@pytest.mark.parametrize(
    "words", [("--type", "rebooted"), ("--from", "today"), ("--oldest-first",)]
)
def test_one_entry_is_not_chosen_any_further(stage: Stage, words: tuple[str, ...]) -> None:
    result = stage.run("consumer", "history", "web1", "--show", "41", *words)
    assert result.code == 2
    assert "--show" in result.err
