"""`pulp-admin schedule …`: what it asks of the server and what it prints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from client_stage import Reply, Stage, page, problem

NIGHTLY = {
    "name": "nightly",
    "revision": 3,
    "created_by": "anna",
    "created_at": "2026-11-24T11:30:00Z",
    "action": "update-all",
    "args": {"security_only": True},
    "consumers": ["web1", "web2"],
    "rrule": "FREQ=DAILY",
    "dtstart": "2026-12-01T02:00",
    "zone": "Europe/Berlin",
    "offset_days": 0,
    "missed": "skip",
    "runs_left": None,
    "failure_threshold": 3,
    "window": {"duration": "3h"},
    "deliver_within": "7d",
    "timeout": "2h",
    "enabled": True,
    "why_disabled": "",
    "next_due": "2026-12-01T01:00:00Z",
    "last_due": None,
    "failures": 1,
    "counts": {"runs": 4, "missed": 2, "skipped_open": 1, "refused": 1},
    "last_tasks": {"web1": "t-1"},
    "problems": {"web2": "there is no consumer 'web2'"},
}
CREATE = (
    *("schedule", "create", "nightly", "update-all", "--on", "web1", "--on", "web2"),
    *("--rrule", "FREQ=DAILY", "--dtstart", "2026-12-01T02:00", "--zone", "Europe/Berlin"),
)
ASKED = {
    "name": "nightly",
    "action": "update-all",
    "consumers": ["web1", "web2"],
    "rrule": "FREQ=DAILY",
    "dtstart": "2026-12-01T02:00",
    "zone": "Europe/Berlin",
}


def test_create_sends_only_what_was_said(stage: Stage) -> None:
    stage.script.on("POST", "/schedules", Reply(201, NIGHTLY))
    done = stage.run(*CREATE)
    assert (done.code, stage.script.bodies()) == (0, [ASKED])
    assert "2026-12-01 02:00:00 CET" in done.out
    assert "1 of 3 in a row" in done.out
    assert "no task for web2:  there is no consumer 'web2'" in done.out


def test_create_sends_all_that_can_be_said(stage: Stage) -> None:
    stage.script.on("POST", "/schedules", Reply(201, NIGHTLY))
    said = ["--offset-days", "-2", "--window-for", "3h", "--missed", "once", "--runs", "5"]
    said += [
        "--failure-threshold",
        "3",
        "--disabled",
        "--dry-run",
        "--advisory",
        "A:1",
        "--minimal",
    ]
    said += ["--timeout", "1h", "--deliver-within", "2h", "--allow-remove"]
    assert stage.run(*CREATE, *said).code == 0
    assert stage.script.bodies() == [
        ASKED
        | {
            "offset_days": -2,
            "window": {"duration": "3h"},
            "missed": "once",
            "runs": 5,
            "failure_threshold": 3,
            "enabled": False,
            "dry_run": True,
            "advisories": ["A:1"],
            "timeout": "1h",
            "deliver_within": "2h",
            "policy": {"allow_remove": True, "minimal": True},
        }
    ]


def test_packages_follow_the_action(stage: Stage) -> None:
    stage.script.on("POST", "/schedules", Reply(201, NIGHTLY))
    command = list(CREATE)
    command[3:4] = ["install", "nginx", "zlib1g=1:1.2"]
    assert stage.run(*command).code == 0
    (body,) = stage.script.bodies()
    assert body["packages"] == [{"name": "nginx"}, {"name": "zlib1g", "version": "1:1.2"}]


def test_groups_follow_their_action(stage: Stage) -> None:
    stage.script.on("POST", "/schedules", Reply(201, NIGHTLY))
    command = list(CREATE)
    command[3:4] = ["install-group", "web-server", "tools"]
    assert stage.run(*command).code == 0
    assert stage.script.bodies() == [
        ASKED | {"action": "install-group", "groups": ["web-server", "tools"]}
    ]


def test_what_is_refused_is_told_by_field(stage: Stage) -> None:
    errors = [("zone", "'Mars' is not a time zone")]
    stage.script.on("POST", "/schedules", problem(422, "invalid", "wrong", errors=errors))
    done = stage.run(*CREATE)
    assert done.code == 4
    assert "zone: 'Mars' is not a time zone" in done.err


def test_the_rule_is_needed(stage: Stage) -> None:
    assert stage.run("schedule", "create", "nightly", "update-all", "--on", "web1").code == 2


def test_list_shows_when_each_is_next(stage: Stage) -> None:
    off = NIGHTLY | {"name": "off", "enabled": False, "next_due": None, "failures": 0}
    stage.script.on("GET", "/schedules", page(NIGHTLY, off))
    done = stage.run("schedule", "list")
    assert done.out.splitlines()[1].split()[:4] == ["nightly", "update-all", "web1", "web2"]
    assert "2026-12-01 02:00:00 CET" in done.out.splitlines()[1]
    assert "disabled" in done.out.splitlines()[2]
    stage.script.on("GET", "/schedules", page(NIGHTLY, off))
    assert [line["name"] for line in stage.run("schedule", "list", "--json").lines] == [
        "nightly",
        "off",
    ]


def test_show_says_why_it_stands_still(stage: Stage) -> None:
    off = NIGHTLY | {"enabled": False, "next_due": None, "why_disabled": "It has no runs left."}
    stage.script.on("GET", "/schedules/nightly", Reply(body=off))
    assert "disabled: It has no runs left." in stage.run("schedule", "show", "nightly").out
    stage.script.on("GET", "/schedules/nightly", Reply(body=off))
    assert stage.run("schedule", "show", "nightly", "--json").json == off


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        (("enable", "nightly"), {"enabled": True}),
        (("enable", "nightly", "--runs", "2"), {"enabled": True, "runs": 2}),
        (("disable", "nightly"), {"enabled": False}),
        (("edit", "nightly", "--on", "web3"), {"consumers": ["web3"]}),
        (("edit", "nightly", "--offset-days", "0"), {"offset_days": 0}),
        (
            ("edit", "nightly", "--unlimited", "--no-failure-threshold"),
            {"runs": None, "failure_threshold": None},
        ),
    ],
)
def test_changes(stage: Stage, command: tuple[str, ...], changes: dict[str, Any]) -> None:
    stage.script.on("PATCH", "/schedules/nightly", Reply(body=NIGHTLY))
    assert stage.run("schedule", *command).code == 0
    assert stage.script.bodies() == [changes]


def test_a_change_that_is_none_or_two_is_usage(stage: Stage) -> None:
    assert stage.run("schedule", "edit", "nightly").code == 2
    both = stage.run("schedule", "edit", "nightly", "--runs", "2", "--unlimited")
    assert (both.code, "--unlimited and --runs exclude each other" in both.err) == (2, True)


def test_delete_asks(stage: Stage) -> None:
    assert stage.run("schedule", "delete", "nightly", terminal=True, stdin="n\n").code == 4
    stage.script.on("DELETE", "/schedules/nightly", Reply(204))
    assert "is deleted" in stage.run("schedule", "delete", "nightly", "--yes").out


def test_show_tells_how_the_work_of_a_run_is_kept(stage: Stage) -> None:
    given = NIGHTLY | {"window": "next", "window_missed": "grace", "grace": "1h", "expected": "20m"}
    stage.script.on("GET", "/schedules/nightly", Reply(body=given | {"predownload": True}))
    out = stage.run("schedule", "show", "nightly").out
    lines = {" ".join(line.split()) for line in out.splitlines()}
    assert "window: the host's next opening" in lines
    assert "window missed: grace of 1h" in lines
    assert "packages: fetched ahead of the window" in lines
    assert "may take: 2h" in lines
    assert "host may be away: 7d" in lines


def test_preview_shows_both_clocks(stage: Stage) -> None:
    occurrence = {"at": "2026-12-01T01:00:00Z", "local": "2026-12-01T02:00"}
    seen = {"name": "nightly", "zone": "Europe/Berlin", "occurrences": [occurrence]}
    stage.script.on("GET", "/schedules/nightly/preview", Reply(body=seen))
    done = stage.run("schedule", "preview", "nightly", "--count", "1")
    assert done.out.splitlines()[0].split() == ["UTC", "Europe/Berlin"]
    assert done.out.splitlines()[1].split() == ["2026-12-01T01:00Z", "2026-12-01T02:00"]
    stage.script.on("GET", "/schedules/nightly/preview", Reply(body=seen))
    assert json.loads(stage.run("schedule", "preview", "nightly", "--json").out) == seen
    assert stage.script.requests[0].url.params["count"] == "1"
