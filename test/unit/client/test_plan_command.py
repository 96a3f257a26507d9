"""`pulp-admin plan`: what it asks for and what it prints."""

from __future__ import annotations

from typing import Any

from client_stage import Stage, page, problem

ITEM: dict[str, Any] = {
    "kind": "task",
    "action": "install",
    "task_id": "7c9e",
    "state": "held",
    "at": "2026-12-01T21:00:00Z",
    "until": "2026-12-02T00:30:00Z",
    "windows": ["nights"],
    "expected": "10m",
    "problem": "",
}
RUN = ITEM | {
    "kind": "schedule",
    "task_id": None,
    "state": None,
    "schedule": "weekly",
    "until": None,
    "problem": "it takes 2h, and no opening in these days is longer than 1h",
}
WEB1: dict[str, Any] = {
    "consumer_id": "web1",
    "windows": ["nights"],
    "items": [ITEM, RUN],
    "problem": "",
}
WEB2: dict[str, Any] = {"consumer_id": "web2", "windows": [], "items": [], "problem": "no window"}
WEB3 = WEB2 | {"consumer_id": "web3"}


def test_it_shows_what_will_run_and_what_will_not(stage: Stage) -> None:
    stage.script.on("GET", "/plan", page(WEB1, WEB2, WEB3))
    done = stage.run("plan", "--days", "3")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0].split() == ["HOST", "WHEN", "UNTIL", "WHAT", "IN", "TAKES"]
    assert "2026-12-01 22:00:00 CET" in lines[1]
    assert "install, task 7c9e (held)  nights  10m" in " ".join(lines[1].split("   "))
    assert "schedule weekly" in lines[2]
    assert [line.endswith("problem: see below") for line in lines[1:3]] == [False, True]
    assert lines[3] == f"Problem: web1, schedule weekly: {RUN['problem']}"
    assert lines[4] == "No window: web2, web3"
    assert stage.script.requests[-1].url.params["days"] == "3"


def test_what_ails_all_runs_of_a_schedule_alike_is_told_once(stage: Stage) -> None:
    other = RUN | {"problem": "the host has no window nights"}
    stage.script.on("GET", "/plan", page(WEB1 | {"items": [RUN, ITEM, RUN, other, RUN]}))
    lines = stage.run("plan").out.splitlines()
    assert lines[6:] == [
        f"Problem: web1, schedule weekly (3 runs): {RUN['problem']}",
        "Problem: web1, schedule weekly: the host has no window nights",
    ]


def test_an_empty_plan_says_for_how_long(stage: Stage) -> None:
    stage.script.on("GET", "/plan", page(WEB2))
    done = stage.run("plan", "--days", "3")
    assert done.err == "Nothing is planned for the next 3 days.\n"
    assert done.out == "No window: web2\n"


def test_one_host_alone_and_as_json(stage: Stage) -> None:
    stage.script.on("GET", "/plan", page(WEB1))
    done = stage.run("plan", "web1", "--json")
    assert '"consumer_id":"web1"' in done.out.replace(" ", "")
    assert stage.script.requests[-1].url.params["consumer"] == "web1"


def test_more_than_is_shown_is_said(stage: Stage) -> None:
    stage.script.on("GET", "/plan", page(WEB1 | {"more": True}))
    assert "web1: more will run there" in stage.run("plan").err


def test_too_many_days_are_refused_here(stage: Stage) -> None:
    assert stage.run("plan", "--days", "32").code == 2


def test_an_unknown_host_is_refused_there(stage: Stage) -> None:
    stage.script.on("GET", "/plan", problem(404, "not-found", "there is no consumer 'nobody'"))
    assert stage.run("plan", "nobody").code == 4
