"""Waiting for a task: what is shown, how it ends, and that nothing but the user's Ctrl-C ends it early."""

from __future__ import annotations

import io
import json
import re

import httpx
import pytest
from client_stage import (
    BERLIN,
    NOW,
    SERVER,
    TASK_ID,
    Reply,
    Stage,
    Terminal,
    change,
    failed,
    finished,
    problem,
    task,
)
from rich.console import Console

from pulp.client.follow import AWAY_LIMIT, Seen
from pulp.client.narrate import Live
from pulp.client.views import Answer, Task, TaskState, read

INSTALL = "/consumers/web1/actions/install"
POLL = f"/tasks/{TASK_ID}"


def offline(revision: int = 1) -> Reply:
    waits = {
        "code": "agent-offline",
        "since": "2026-11-24T11:00:00Z",
        "until": "2026-12-01T11:30:00Z",
    }
    return Reply(202, task(revision=revision, waiting_for=waits))


def running(revision: int, phase: str, percent: float, message: str = "") -> Reply:
    progress = {"seq": revision, "phase": phase, "percent": percent, "message": message}
    waits = {"code": "agent", "since": "2026-11-24T11:30:00Z", "until": None}
    return Reply(
        200,
        task(revision=revision, state="running", phase=phase, progress=progress, waiting_for=waits),
    )


def done() -> Reply:
    return Reply(
        200,
        finished(
            change("nginx", None, "1.22.1-9", arch="amd64", requested=True),
            change("zlib1g", "1:1.2.11", "1:1.2.13", arch="amd64"),
        ),
    )


def test_off_a_terminal_each_change_is_a_line_and_the_end_lists_what_changed(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on(
        "GET",
        POLL,
        offline(),
        running(2, "download", 10, "fetching nginx"),
        running(3, "download", 40, "fetching zlib1g"),
        running(4, "commit", 60),
        done(),
    )
    result = stage.run("consumer", "install", "web1", "nginx")
    assert result.code == 0
    assert result.out.splitlines() == [
        "12:30:00 waiting (queued): waits for the agent, which is not connected since "
        "2026-11-24 12:00:00 CET (given up at 2026-12-01 12:30:00 CET)",
        "12:30:00 running (download) 10%: fetching nginx",
        "12:30:00 running (commit) 60%",
        "web1: install finished after 4.2s",
        "  nginx:amd64   absent → 1.22.1-9",
        "  zlib1g:amd64  1:1.2.11 → 1:1.2.13  (dependency)",
    ]
    assert result.err == ""


def test_it_asks_for_what_is_newer_than_what_it_has(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, running(4, "plan", 1), done())
    stage.run("consumer", "install", "web1", "nginx")
    assert [r.url.params["after"] for r in stage.script.requests[1:]] == ["1", "4"]
    assert stage.pauses == []


def test_a_server_that_asks_to_be_left_alone_is(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    asks = Reply(200, task(), {"Retry-After": "4"})
    stage.script.on("GET", POLL, asks, offline(), done())
    stage.run("consumer", "install", "web1", "nginx")
    assert stage.pauses == [4.0, 0.5]


def test_on_a_terminal_the_progress_is_live_and_gone_at_the_end(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, running(2, "download", 42, "fetching nginx"), done())
    result = stage.run("consumer", "install", "web1", "nginx", terminal=True)
    assert result.code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", result.out)
    assert plain.splitlines()[-3].endswith("web1: install finished after 4.2s")


def test_the_live_bar_tells_state_phase_percent_and_message() -> None:
    live = Live(Terminal(), BERLIN)
    shown = running(2, "download", 42, "fetching \x1b[31mnginx").body
    value = read(json.dumps(shown).encode(), Task)
    assert value is not None
    live.tell(Seen(Answer(b"", value)))
    screen = Console(file=io.StringIO(), width=120)
    screen.print(live._progress.get_renderable())
    assert "web1: running (download) 42%: fetching \\x1b[31mnginx" in screen.file.getvalue()  # type: ignore[attr-defined]


def test_with_json_the_task_is_the_only_thing_on_stdout(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, running(2, "download", 42), done())
    result = stage.run("consumer", "install", "web1", "nginx", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json == done().body


def test_with_json_a_person_at_the_terminal_still_sees_the_progress(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, running(2, "download", 42), done())
    result = stage.run("consumer", "install", "web1", "nginx", "--json", err_terminal=True)
    assert result.json["state"] == "finished"
    assert "\x1b[" in result.err


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (TaskState.ERROR, "script"),
        (TaskState.TIMED_OUT, "timeout"),
        (TaskState.CANCELED, "canceled"),
        (TaskState.MISSED, "window-missed"),
    ],
)
def test_any_other_end_is_exit_code_1_with_its_sentence_and_code(
    stage: Stage, state: TaskState, code: str
) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, Reply(200, failed(code, "It went wrong.", state=state.value)))
    result = stage.run("consumer", "install", "web1", "nginx")
    assert result.code == 1
    assert f"web1: install {state.value}" in result.out
    assert f"  It went wrong. [{code}]" in result.out


def test_a_state_that_only_a_newer_server_knows_does_not_make_it_wait_for_ever(
    stage: Stage,
) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, Reply(200, failed("new", "New.", state="superseded")))
    assert stage.run("consumer", "install", "web1", "nginx").code == 1


def test_a_failure_says_what_was_done_all_the_same(stage: Stage) -> None:
    details = {
        "backend": "apt",
        "changed": True,
        "changes": [
            change("libc6", "2.36-8", "2.36-9"),
            change("demo", None, "1.0", requested=True, outcome="failed", error="postinst: exit 1"),
        ],
        "scripts_failed": ["demo"],
    }
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, Reply(200, failed("script", "A script failed.", details=details)))
    result = stage.run("consumer", "install", "web1", "demo")
    assert result.code == 1
    assert result.out.splitlines()[1:] == [
        "web1: install error",
        "  A script failed. [script]",
        "What was done:",
        "  libc6  2.36-8 → 2.36-9  (dependency)",
        "  demo   absent → 1.0     failed: postinst: exit 1",
        "  script failed: demo",
    ]


def test_a_failure_that_changed_nothing_says_so(stage: Stage) -> None:
    details = {"backend": "apt", "changed": False, "changes": [], "unknown": ["nosuch"]}
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, Reply(200, failed("not-found", "No nosuch.", details=details)))
    result = stage.run("consumer", "install", "web1", "nosuch")
    assert result.out.splitlines()[-1] == "Nothing was changed on the host."


def test_a_dry_run_says_that_it_would(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    planned = change("nginx", None, "1.22", requested=True, outcome="planned")
    stage.script.on("GET", POLL, Reply(200, finished(planned, dry_run=True, changed=False)))
    result = stage.run("consumer", "install", "web1", "nginx", "--dry-run")
    assert result.out.splitlines()[-2:] == [
        "web1: install finished after 4.2s, dry run: it would change",
        "  nginx  absent → 1.22",
    ]


def test_nothing_to_change_is_said(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    stage.script.on("GET", POLL, Reply(200, finished()))
    result = stage.run("consumer", "install", "web1", "nginx")
    assert result.code == 0
    assert result.out.splitlines()[-1] == "web1: install finished after 4.2s, nothing to change"


class TestTheServerGoesAway:
    def test_it_waits_with_growing_pauses_and_says_so_once(self, stage: Stage) -> None:
        stage.script.on("POST", INSTALL, offline())
        gone = [httpx.ReadError("reset"), httpx.ConnectError("refused"), Reply(502)]
        starting = problem(500, "internal", "The server failed.")
        stage.script.on("GET", POLL, *gone, starting, running(2, "commit", 50), done())
        result = stage.run("consumer", "install", "web1", "nginx")
        assert result.code == 0
        assert result.err.splitlines() == [
            f"The connection to {SERVER} broke: reset. The task goes on; trying again until the server answers.",
            "The server answers again.",
        ]
        assert [round(p) for p in stage.pauses] == sorted(round(p) for p in stage.pauses)
        for pause, about in zip(stage.pauses, (1, 2, 4, 8), strict=True):
            assert 0.8 * about <= pause <= 1.2 * about

    def test_with_json_too(self, stage: Stage) -> None:
        stage.script.on("POST", INSTALL, offline())
        stage.script.on("GET", POLL, httpx.ConnectError("refused"), done())
        result = stage.run("consumer", "install", "web1", "nginx", "--json")
        assert result.json["state"] == "finished"
        assert "The server answers again." in result.err

    def test_a_server_that_never_comes_back_is_given_up_with_the_tasks_id(
        self, stage: Stage
    ) -> None:
        stage.script.on("POST", INSTALL, offline())
        tries = [httpx.ConnectError("refused") for _ in range(200)]
        stage.script.on("GET", POLL, *tries)
        stage.script.check_over = lambda: None  # type: ignore[method-assign]
        result = stage.run("consumer", "install", "web1", "nginx")
        assert result.code == 3
        assert f"pulp-admin task wait {TASK_ID}" in result.err
        assert AWAY_LIMIT <= sum(stage.pauses) <= AWAY_LIMIT + 20
        assert max(stage.pauses) <= 18

    def test_a_login_that_ends_meanwhile_is_no_outage(self, stage: Stage) -> None:
        stage.script.on("POST", INSTALL, offline())
        stage.script.on("GET", POLL, problem(401, "unauthenticated", "expired"))
        result = stage.run("consumer", "install", "web1", "nginx")
        assert result.code == 4
        assert f"pulp-admin login {SERVER}" in result.err
        assert f"pulp-admin task wait {TASK_ID}" in result.err
        assert stage.pauses == []


class TestCtrlC:
    def test_while_waiting_the_task_goes_on_and_its_id_is_told(self, stage: Stage) -> None:
        stage.script.on("POST", INSTALL, offline())
        stage.script.on("GET", POLL, KeyboardInterrupt())  # type: ignore[arg-type]
        result = stage.run("consumer", "install", "web1", "nginx")
        assert result.code == 130
        assert f"The task goes on: {TASK_ID}" in result.err
        assert f"pulp-admin task wait {TASK_ID}" in result.err
        assert f"pulp-admin task cancel {TASK_ID}" in result.err

    @pytest.mark.parametrize("flags", [(), ("--json",)])
    def test_it_leaves_no_half_an_answer(self, stage: Stage, flags: tuple[str, ...]) -> None:
        stage.script.on("POST", INSTALL, offline())
        stage.script.on("GET", POLL, KeyboardInterrupt())  # type: ignore[arg-type]
        result = stage.run("consumer", "install", "web1", "nginx", *flags)
        assert result.code == 130
        assert "finished" not in result.out
        assert not flags or result.out == ""

    def test_while_asking_it_is_not_known_whether_the_task_exists(self, stage: Stage) -> None:
        stage.script.on("POST", INSTALL, KeyboardInterrupt())  # type: ignore[arg-type]
        result = stage.run("consumer", "install", "web1", "nginx")
        assert result.code == 130
        assert "pulp-admin task list --consumer web1" in result.err

    def test_while_the_server_is_away(self, stage: Stage) -> None:
        def interrupted(seconds: float) -> None:
            raise KeyboardInterrupt

        stage.pause = interrupted
        stage.script.on("POST", INSTALL, offline())
        stage.script.on("GET", POLL, httpx.ConnectError("refused"))
        assert stage.run("consumer", "install", "web1", "nginx").code == 130


def test_no_wait_prints_the_id_alone_on_stdout(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    result = stage.run("consumer", "install", "web1", "nginx", "--no-wait")
    assert (result.code, result.out) == (0, f"{TASK_ID}\n")
    assert f"pulp-admin task wait {TASK_ID}" in result.err


def test_no_wait_with_json_is_the_task(stage: Stage) -> None:
    stage.script.on("POST", INSTALL, offline())
    assert (
        stage.run("consumer", "install", "web1", "nginx", "--no-wait", "--json").json["id"]
        == TASK_ID
    )


def test_task_wait_follows_a_task_of_earlier(stage: Stage) -> None:
    stage.script.on("GET", POLL, offline(), done())
    result = stage.run("task", "wait", TASK_ID)
    assert result.code == 0
    assert "nginx:amd64" in result.out


@pytest.mark.parametrize(
    ("waiting_for", "words"),
    [
        ("start-time", "waits for its start time at 2026-12-01 12:00:00 CET"),
        ("queue", "waits in the server's queue"),
        ("agent-busy", "taken earlier work"),
        ("agent-accept", "has not accepted it yet (given up at 2026-12-01 12:00:00 CET)"),
        ("window", "waits for its window at 2026-12-01 12:00:00 CET"),
        ("lane", "waits for other work on the host"),
        ("agent", "begins as soon as it can"),
        ("unsupported-version", "cannot be run by this version"),
        ("moon", "waits for: moon"),
    ],
)
def test_what_it_waits_for_is_said(stage: Stage, waiting_for: str, words: str) -> None:
    waits = {"code": waiting_for, "since": "2026-11-24T11:30:00Z", "until": "2026-12-01T11:00:00Z"}
    stage.script.on("GET", POLL, Reply(200, task(waiting_for=waits)), done())
    assert words in stage.run("task", "wait", TASK_ID).out.splitlines()[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"code": "lane", "by": TASK_ID},
            f"waits for other work on the host (task {TASK_ID}) to end",
        ),
        ({"code": "window", "windows": ["days", "nights"]}, "waits for its window days, nights"),
        (
            {
                "code": "window",
                "windows": ["nights"],
                "freezes": ["xmas"],
                "frozen_until": "2026-12-27T23:00:00Z",
            },
            "its window nights; frozen by xmas until 2026-12-28 00:00:00 CET",
        ),
        (
            {"code": "window", "missed_opening": "2026-12-27T23:00:00Z"},
            "waits for its window; carried over, as it missed its opening of 2026-12-28 00:00:00 CET",
        ),
        ({"code": "cancel"}, "called off, waits for the host to confirm that"),
        (
            {"code": "cancel", "void": "Window nights was deleted."},
            "called off (Window nights was deleted), waits for the host",
        ),
        ({"code": "window", "clock_offset": 180_500}, "; the host's clock is 3m ahead"),
        ({"code": "window", "clock_offset": -900_000}, "; the host's clock is 15m behind"),
    ],
)
def test_what_is_in_the_way_is_named(stage: Stage, more: dict[str, object], words: str) -> None:
    stage.script.on("GET", POLL, Reply(200, task(waiting_for=more)), done())
    assert words in stage.run("task", "wait", TASK_ID).out.splitlines()[0]


def test_a_clock_that_is_nearly_right_is_not_spoken_of(stage: Stage) -> None:
    waits = {"code": "window", "clock_offset": 119_000}
    stage.script.on("GET", POLL, Reply(200, task(waiting_for=waits)), done())
    assert "clock" not in stage.run("task", "wait", TASK_ID).out


def test_the_clock_of_the_lines_is_local(stage: Stage) -> None:
    stage.now = NOW.replace(hour=23)
    stage.script.on("GET", POLL, offline(), done())
    assert stage.run("task", "wait", TASK_ID).out.startswith("00:30:00 waiting")
