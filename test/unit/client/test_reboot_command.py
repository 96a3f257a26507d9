"""`consumer reboot`, `--reboot`, and how restarts are told."""

from __future__ import annotations

from typing import Any

import pytest
from client_stage import TASK_ID, Reply, Stage, finished, page, task

RESTART = {"from": "b1", "to": "b2", "took": 46_000, "reasons": ["libc6", "linux-image-6.1"]}


def test_what_is_asked_for_reaches_the_server(stage: Stage) -> None:
    stage.script.on("POST", "/consumers/web1/actions/reboot", Reply(202, task()))
    words = ("--if-needed", "--delay", "10m", "--back-within", "1h", "--timeout", "3h")
    result = stage.run("consumer", "reboot", "web1", *words, "--no-wait")
    assert result.code == 0, result.err
    assert stage.script.bodies()[-1] == {
        "if_needed": True,
        "delay": "10m",
        "back_within": "1h",
        "timeout": "3h",
    }
    stage.script.on("POST", "/consumers/web1/actions/reboot", Reply(202, task()))
    assert stage.run("consumer", "reboot", "web1", "--no-wait").code == 0
    assert stage.script.bodies()[-1] == {}


def test_a_bad_span_is_told_by_its_option(stage: Stage) -> None:
    result = stage.run("consumer", "reboot", "web1", "--back-within", "soon")
    assert result.code == 2
    assert "--back-within" in result.err


@pytest.mark.parametrize(("word", "wire"), [("if-needed", "if_needed"), ("always", "always")])
def test_package_work_is_followed_by_one_where_it_is_wished(
    stage: Stage, word: str, wire: str
) -> None:
    def policy(*words: str, reboot: str) -> dict[str, Any] | None:
        stage.script.on("POST", f"/consumers/web1/actions/{words[0]}", Reply(202, task()))
        command = ("consumer", words[0], "web1", *words[1:], "--reboot", reboot, "--no-wait")
        assert stage.run(*command).code == 0
        found: dict[str, Any] | None = stage.script.bodies()[-1].get("policy")
        return found

    for words in (("install", "nginx"), ("update", "nginx"), ("remove", "nginx"), ("update-all",)):
        assert policy(*words, reboot=word) == {"reboot": wire}
    assert policy("update-all", reboot="never") is None


def shown(stage: Stage, done: dict[str, Any]) -> str:
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=done))
    return " ".join(stage.run("task", "wait", TASK_ID).out.split())


def rebooted(result: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return finished() | {"kind": "system.reboot", "result": result} | changes


def test_its_end_says_when_the_host_was_back_and_why(stage: Stage) -> None:
    said = shown(stage, rebooted({"needed": True, "rebooting": True, "restart": RESTART}))
    assert "reboot finished" in said
    assert "The host was restarted and is back after 46s. " in said
    assert said.endswith("It was needed for libc6, linux-image-6.1.")


def test_one_that_was_not_needed_says_so(stage: Stage) -> None:
    assert shown(stage, rebooted({"needed": False})).endswith("No restart is needed.")


def test_package_work_says_what_needs_one_or_that_it_was_done(stage: Stage) -> None:
    result = {"backend": "apt", "reboot_needed": True, "reboot_reasons": list("abcdefg")}
    said = shown(stage, finished() | {"result": result})
    assert "The host needs a reboot for a, b, c, d, e and 2 more." in said
    said = shown(stage, finished() | {"result": result | {"restart": RESTART}})
    assert "needs a reboot" not in said
    assert "is back after 46s" in said


def test_a_host_that_is_not_back_is_an_error_with_what_was_done(stage: Stage) -> None:
    change = {"name": "nginx", "action": "install", "to": "1.22", "outcome": "done"}
    result = {"backend": "apt", "changed": True, "changes": [change], "rebooting": True}
    error = {"code": "not-back", "message": "The host did not come back.", "details": None}
    said = shown(stage, finished() | {"state": "error", "error": error, "result": result})
    assert "The host did not come back. [not-back]" in said
    assert "What was done: nginx absent → 1.22" in said


def test_a_host_that_restarts_is_what_the_task_waits_for(stage: Stage) -> None:
    waiting = {"code": "reboot", "since": "2026-11-24T11:30:00Z", "until": "2026-11-24T12:00:00Z"}
    now = task() | {"state": "running", "phase": "rebooting", "waiting_for": waiting}
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=now))
    said = stage.run("task", "why", TASK_ID).out
    assert "the host restarts; waits until it is back (given up at " in said


def event(**details: Any) -> dict[str, Any]:
    return {
        "id": "41",
        "consumer_id": "web1",
        "type": "rebooted",
        "at": "2026-11-24T11:30:00Z",
        "originator": "anna",
        "task_id": TASK_ID,
        "details": details,
    }


def test_history_tells_restarts_that_were_asked_for_and_others(stage: Stage) -> None:
    events = page(event(**RESTART), event(**{"from": "b2", "to": "b3"}))
    stage.script.on("GET", "/consumers/web1/history", events)
    lines = stage.run("consumer", "history", "web1").out.splitlines()
    assert lines[-2].endswith("back after 46s (libc6, linux-image-6.1)")
    assert lines[-1].endswith("the host was started anew")
