"""The options of windows and overrides, of every command that asks for work."""

from __future__ import annotations

from typing import Any

import pytest
from client_stage import TASK_ID, Reply, Stage, problem, task

NIGHTS = {
    "begin": "2026-12-01T21:00:00Z",
    "end": "2026-12-02T01:00:00Z",
    "asked": "nights",
    "cutoff_at": "2026-12-02T00:30:00Z",
    "missed": "next",
    "grace": None,
    "late": None,
    "expected": "10m",
    "predownload": False,
}
TOLD = (
    "Window nights: Tuesday 2026-12-01 22:00:00 CET to Wednesday 2026-12-02 02:00:00 CET "
    "(2026-12-01T21:00:00Z to 2026-12-02T01:00:00Z, 4h)"
)
COMMANDS = {
    "install": ("install", "web1", "nginx"),
    "update": ("update", "web1", "nginx"),
    "remove": ("remove", "web1", "nginx"),
    "update-all": ("update-all", "web1"),
    "install-group": ("install-group", "web1", "web-server"),
    "remove-group": ("remove-group", "web1", "web-server"),
    "reboot": ("reboot", "web1"),
}


def sent(stage: Stage, action: str, *options: str) -> Any:
    path = f"/consumers/web1/actions/{action}"
    stage.script.on("POST", path, Reply(202, task(window=NIGHTS)))
    result = stage.run("consumer", *COMMANDS[action], *options, "--no-wait")
    assert (result.code, result.out) == (0, f"{TASK_ID}\n"), result.err
    assert TOLD in result.err.splitlines()
    return stage.script.bodies()[-1]


@pytest.mark.parametrize("action", COMMANDS)
def test_every_action_takes_them(stage: Stage, action: str) -> None:
    body = sent(
        stage,
        action,
        *("--window", "nights", "--missed", "grace", "--grace", "2h", "--expected", "30m"),
        *("--predownload", "--override", "CVE-2026-1", "--override-for", "8h"),
        *("--timeout", "1h", "--deliver-within", "2d"),
    )
    expected = {
        "window": "nights",
        "missed": "grace",
        "grace": "2h",
        "expected": "30m",
        "predownload": True,
        "override": {"reason": "CVE-2026-1", "for": "8h"},
        "timeout": "1h",
        "deliver_within": "2d",
    }
    assert {field: body[field] for field in expected} == expected


def test_only_what_was_said_is_sent(stage: Stage) -> None:
    assert sent(stage, "update-all", "--window", "next") == {"window": "next"}
    assert sent(stage, "update-all", "--override", "hole") == {"override": {"reason": "hole"}}


def test_expected_0_turns_it_off(stage: Stage) -> None:
    assert sent(stage, "update-all", "--window", "next", "--expected", "0")["expected"] == "0s"


@pytest.mark.parametrize(
    "options",
    [
        ("--window", "two words"),
        ("--window", "22:00"),
        ("--missed", "later"),
        ("--grace", "long"),
        ("--expected", "long"),
        ("--override-for", "1h"),
        ("--override", "hole", "--override-for", "long"),
    ],
)
def test_bad_ones_are_refused_before_anything_is_sent(
    stage: Stage, options: tuple[str, ...]
) -> None:
    result = stage.run("consumer", "install", "web1", "nginx", *options)
    assert result.code == 2
    assert options[-2] in result.err
    assert stage.script.requests == []


def test_an_enforced_host_is_told_with_the_way_out(stage: Stage) -> None:
    said = "the windows of web1 are enforced: ask for its next opening (--window next)"
    path = "/consumers/web1/actions/install"
    stage.script.on("POST", path, problem(409, "outside-windows", said))
    result = stage.run("consumer", "install", "web1", "nginx")
    assert (result.code, "--window next" in result.err) == (4, True)


def test_a_retry_takes_them_too(stage: Stage) -> None:
    stage.script.on("POST", f"/tasks/{TASK_ID}/retry", Reply(202, task(window=NIGHTS)))
    options = ("--window", "nights", "--missed", "miss", "--override", "still")
    result = stage.run("task", "retry", TASK_ID, *options, "--no-wait")
    assert stage.script.bodies()[-1] == {
        "window": "nights",
        "missed": "miss",
        "override": {"reason": "still"},
    }
    assert TOLD in result.err.splitlines()


def test_a_task_shows_its_window_and_override(stage: Stage) -> None:
    shown = task(
        window=NIGHTS,
        override={"reason": "CVE-2026-1", "by": "ada", "until": "2026-12-01T16:00:00Z"},
    )
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=shown))
    out = stage.run("task", "show", TASK_ID).out
    assert "nights, 2026-12-01 22:00:00 CET to 2026-12-02 02:00:00 CET" in out
    assert "before 2026-12-02 01:30:00 CET" in out
    assert "carried over" in out
    assert "CVE-2026-1, by ada" in out


def test_schedules_take_a_window_by_its_name(stage: Stage) -> None:
    stage.script.on("POST", "/schedules", Reply(201, {"name": "weekly", "window": "next"}))
    said = ("--window", "next", "--window-missed", "grace", "--grace", "1h", "--expected", "0")
    result = stage.run(
        *("schedule", "create", "weekly", "update-all", "--on", "web1", "--rrule", "FREQ=WEEKLY"),
        *("--dtstart", "2026-12-07T08:00", "--zone", "UTC", *said, "--predownload"),
    )
    assert result.code == 0, result.err
    body = stage.script.bodies()[-1]
    expected = {
        "window": "next",
        "window_missed": "grace",
        "grace": "1h",
        "expected": "0s",
        "predownload": True,
    }
    assert {field: body[field] for field in expected} == expected
    assert "the host's next opening" in result.out
    both = stage.run(
        *("schedule", "create", "weekly", "update-all", "--on", "web1", "--rrule", "FREQ=WEEKLY"),
        *("--dtstart", "2026-12-07T08:00", "--zone", "UTC"),
        *("--window", "next", "--window-for", "3h"),
    )
    assert (both.code, "exclude each other" in both.err) == (2, True)
