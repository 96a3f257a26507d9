"""Every command: what it asks of the server, what it prints with --json and without, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from client_stage import (
    NOW,
    SERVER,
    TASK_ID,
    Reply,
    Script,
    Stage,
    change,
    failed,
    finished,
    page,
    problem,
    task,
)

from pulp import __version__
from pulp.client.views import HistoryType
from pulp.server.domain.history import HistoryType as ServerType

WEB1 = {
    "id": "web1",
    "uid": "u-1",
    "display_name": "Web \x1b[31mone",
    "notes": {"rack": "7"},
    "registered_at": "2026-11-01T00:00:00Z",
    "online": True,
    "last_seen": "2026-11-24T11:29:00Z",
    "clock_offset": -1500,
    "agent": {
        "version": "0.1.0",
        "protocols": [1],
        "methods": {"Packages.install": [1]},
        "features": [],
        "boot_id": "b",
        "timezone": "Europe/Berlin",
        "os": {"id": "debian", "version": "12"},
    },
    "flags": ["clock-skew"],
}
DB1 = WEB1 | {"id": "db1", "online": False, "agent": None, "last_seen": None, "flags": []}
ANNA = {"login": "anna", "role": "operator", "created_at": "2026-11-01T00:00:00Z"}
TOKEN = {
    "id": "tok-1",
    "created_by": "admin",
    "created_at": "2026-11-24T11:30:00Z",
    "expires_at": "2026-11-25T11:30:00Z",
    "uses_left": 1,
    "consumer_id": None,
    "token": None,
}
PROFILE = {
    "consumer_id": "web1",
    "hash": "h",
    "at": "2026-11-24T11:00:00Z",
    "packages": [
        {"name": "nginx", "version": "1.22", "arch": "amd64", "held": True, "state": "installed"}
    ],
}


def event(type_: str, **details: Any) -> dict[str, Any]:
    return {
        "id": "41",
        "consumer_id": "web1",
        "type": type_,
        "at": "2026-11-24T11:30:00Z",
        "originator": "anna",
        "task_id": TASK_ID,
        "details": details,
    }


INSTALLED = event(
    "packages_installed",
    backend="apt",
    packages=[
        change("libc6", "2.36-8", "2.36-9", requested=False),
        change("nginx", None, "1.22", requested=True),
        change("a", None, "1"),
        change("b", None, "1"),
    ],
    reboot_needed=False,
)

READS: list[tuple[tuple[str, ...], str, Reply, Any]] = [
    (("consumer", "show", "web1"), "/consumers/web1", Reply(body=WEB1), WEB1),
    (("consumer", "profile", "web1"), "/consumers/web1/profile", Reply(body=PROFILE), PROFILE),
    (("task", "show", TASK_ID), f"/tasks/{TASK_ID}", Reply(body=task()), task()),
    (("task", "wait", TASK_ID), f"/tasks/{TASK_ID}", Reply(body=finished()), finished()),
]
LISTS: list[tuple[tuple[str, ...], str, list[dict[str, Any]]]] = [
    (("consumer", "list"), "/consumers", [WEB1, DB1]),
    (("consumer", "history", "web1"), "/consumers/web1/history", [INSTALLED]),
    (("task", "list"), "/tasks", [task(), finished()]),
    (("token", "list"), "/registration-tokens", [TOKEN]),
    (("user", "list"), "/users", [ANNA]),
]


@pytest.mark.parametrize(("command", "path", "reply", "document"), READS)
def test_one_thing_as_json_is_the_servers_document_on_one_line(
    stage: Stage, command: tuple[str, ...], path: str, reply: Reply, document: Any
) -> None:
    stage.script.on("GET", path, reply)
    result = stage.run(*command, "--json")
    assert (result.code, result.json) == (0, document)


@pytest.mark.parametrize(("command", "path", "items"), LISTS)
def test_a_list_as_json_is_a_line_for_each_item(
    stage: Stage, command: tuple[str, ...], path: str, items: list[dict[str, Any]]
) -> None:
    stage.script.on("GET", path, page(*items))
    result = stage.run(*command, "--json")
    assert (result.code, result.lines, result.err) == (0, items, "")


@pytest.mark.parametrize(("command", "path", "items"), LISTS)
def test_an_empty_list_prints_nothing_on_stdout(
    stage: Stage, command: tuple[str, ...], path: str, items: list[dict[str, Any]]
) -> None:
    stage.script.on("GET", path, page())
    assert stage.run(*command, "--json").out == ""
    stage.script.on("GET", path, page())
    result = stage.run(*command)
    assert (result.code, result.out, result.err) == (0, "", "Nothing found.\n")


ACTIONS = {
    "install": ("nginx",),
    "update": ("nginx",),
    "remove": ("nginx",),
    "update-all": (),
    "refresh-profile": (),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_as_json_is_the_final_task(stage: Stage, action: str) -> None:
    stage.script.on("POST", f"/consumers/web1/actions/{action}", Reply(202, task()))
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=finished()))
    result = stage.run("consumer", action, "web1", *ACTIONS[action], "--json")
    assert (result.code, result.json) == (0, finished())


WRITES: list[tuple[tuple[str, ...], str, str, Reply, Any, Any]] = [
    (
        ("consumer", "edit", "web1", "--name", "One", "--note", "a=b=c", "--remove-note", "rack"),
        "PATCH",
        "/consumers/web1",
        Reply(body=WEB1),
        {"display_name": "One", "notes": {"rack": None, "a": "b=c"}},
        WEB1,
    ),
    (
        ("consumer", "ping", "web1"),
        "POST",
        "/consumers/web1/ping",
        Reply(body={"rtt_ms": 1.25}),
        None,
        {"rtt_ms": 1.25},
    ),
    (
        ("task", "cancel", TASK_ID),
        "POST",
        f"/tasks/{TASK_ID}/cancel",
        Reply(202, task(cancel_requested=True)),
        None,
        task(cancel_requested=True),
    ),
    (
        ("token", "create"),
        "POST",
        "/registration-tokens",
        Reply(201, TOKEN | {"token": "s3cret"}),
        {},
        TOKEN | {"token": "s3cret"},
    ),
    (
        ("token", "revoke", "tok-1"),
        "DELETE",
        "/registration-tokens/tok-1",
        Reply(204),
        None,
        {"deleted": "tok-1"},
    ),
    (
        ("user", "role", "anna", "admin"),
        "PATCH",
        "/users/anna",
        Reply(body=ANNA | {"role": "admin"}),
        {"role": "admin"},
        ANNA | {"role": "admin"},
    ),
    (
        ("user", "delete", "anna", "-y"),
        "DELETE",
        "/users/anna",
        Reply(204),
        None,
        {"deleted": "anna"},
    ),
]


@pytest.mark.parametrize(("command", "method", "path", "reply", "body", "document"), WRITES)
def test_what_a_change_sends_and_answers(
    stage: Stage,
    command: tuple[str, ...],
    method: str,
    path: str,
    reply: Reply,
    body: Any,
    document: Any,
) -> None:
    stage.script.on(method, path, reply)
    result = stage.run(*command, "--json")
    assert (result.code, result.json, result.err) == (0, document, "")
    assert stage.script.bodies() == [body]
    stage.script.on(method, path, reply)
    spoken = stage.run(*command)
    assert spoken.code == 0
    assert spoken.out.strip()


ALL = [
    *(command for command, *_ in READS),
    *(command for command, *_ in LISTS),
    *(command for command, *_ in WRITES),
    *(("consumer", action, "web1", *packages) for action, packages in ACTIONS.items()),
]


AWAY = httpx.ConnectError("refused")
MISSING = problem(404, "not-found", "there is no web1")


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize(
    ("trouble", "flags", "code", "words"),
    [
        (AWAY, ("--json",), 3, f"The server at {SERVER} cannot be reached"),
        (MISSING, (), 4, "there is no web1 [not-found]"),
    ],
)
def test_every_command_ends_in_trouble_with_a_code_a_sentence_and_nothing_on_stdout(
    stage: Stage,
    command: tuple[str, ...],
    trouble: Any,
    flags: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    stage.script = AnyScript(trouble)
    result = stage.run(*command, *flags)
    assert (result.code, result.out) == (code, "")
    assert words in result.err


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (problem(403, "forbidden", "you may not"), "you may not [forbidden]"),
        (problem(409, "unsupported", "the agent is too old"), "too old [unsupported]"),
        (problem(401, "unauthenticated", "expired"), f"Run: pulp-admin login {SERVER}"),
        (problem(500, "internal", "incident 7"), "incident 7 [internal]"),
    ],
)
def test_every_refusal_is_exit_code_4(stage: Stage, trouble: Any, words: str) -> None:
    stage.script = AnyScript(trouble)
    result = stage.run("consumer", "install", "web1", "nginx")
    assert (result.code, result.out) == (4, "")
    assert words in result.err


class AnyScript(Script):
    """Answers every request with the same."""

    def __init__(self, trouble: Any) -> None:
        super().__init__()
        self._trouble = trouble

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self._trouble, Exception):
            raise self._trouble
        reply = self._trouble
        return httpx.Response(
            reply.status, content=json.dumps(reply.body), headers=dict(reply.headers)
        )

    def check_over(self) -> None:
        pass


@pytest.mark.parametrize("command", ALL)
def test_without_a_login_the_fix_is_named_and_nothing_is_sent(
    stage: Stage, command: tuple[str, ...]
) -> None:
    stage.env = {"PULP_ADMIN_CONFIG": str(stage.config)}
    result = stage.run(*command)
    assert (result.code, result.out) == (4, "")
    assert result.err == "pulp-admin: You are not logged in. Run: pulp-admin login URL\n"
    assert stage.script.requests == []


@pytest.mark.parametrize(
    "command",
    [
        ("consumer", "install", "web1"),
        ("consumer", "install", "web1", "demo-", "*"),
        ("consumer", "install", "web1", "./local.deb"),
        ("consumer", "install", "web1", "nginx", "--at", "tuesday"),
        ("consumer", "install", "web1", "nginx", "--window", "tuesday 12:00"),
        ("consumer", "install", "web1", "nginx", "--timeout", "soon"),
        ("consumer", "install", "web1", "nginx", "--deliver-within", "0s"),
        ("consumer", "install", "web1", "nginx", "--config-files", "maybe"),
        ("consumer", "update-all", "web1", "nginx"),
        ("consumer", "edit", "web1"),
        ("consumer", "edit", "web1", "--note", "rack"),
        ("consumer", "history", "web1", "--from", "1/12/2026"),
        ("consumer", "show", ".."),
        ("consumer", "lst"),
        ("task", "list", "--state", "done"),
        ("token", "create", "--uses", "0"),
        ("token", "create", "--uses", "2", "--unlimited"),
        ("user", "create", "anna", "--role", "god"),
        ("user", "passwd"),
        ("login", "http://pulp.test"),
        ("login", "https://pulp.test", "--ca", "a", "--fingerprint", "b"),
        ("login", "https://pulp.test", "--ca", "/nonexistent"),
        ("login", "https://pulp.test", "--fingerprint", "ab"),
        ("--nonsense",),
        (),
    ],
)
def test_usage_is_exit_code_2_and_nothing_is_sent(stage: Stage, command: tuple[str, ...]) -> None:
    result = stage.run(*command)
    assert result.code == 2
    assert result.err.strip() or not command
    assert stage.script.requests == []


# --- what is asked of the agent ---


def sent(stage: Stage, action: str, *options: str) -> Any:
    stage.script.on("POST", f"/consumers/web1/actions/{action}", Reply(202, task()))
    result = stage.run("consumer", action, "web1", *options, "--no-wait")
    assert result.code == 0, result.err
    return stage.script.bodies()[-1]


def test_defaults_are_left_to_the_server(stage: Stage) -> None:
    assert sent(stage, "install", "nginx") == {"packages": [{"name": "nginx"}]}
    assert sent(stage, "update-all") == {}
    assert sent(stage, "refresh-profile") == {}


def test_packages_with_version_and_architecture(stage: Stage) -> None:
    body = sent(stage, "install", "zlib1g=1:1.2.13~rc+1", "libc6:amd64", "g++:i386=4:12")
    assert body["packages"] == [
        {"name": "zlib1g", "version": "1:1.2.13~rc+1"},
        {"name": "libc6", "arch": "amd64"},
        {"name": "g++", "arch": "i386", "version": "4:12"},
    ]


def test_every_rule_reaches_the_policy(stage: Stage) -> None:
    flags = ("--allow-remove", "--allow-downgrade", "--allow-held", "--config-files", "new")
    body = sent(stage, "install", "nginx", *flags, "--no-recommends", "--dry-run")
    assert body["dry_run"] is True
    assert body["policy"] == {
        "allow_remove": True,
        "allow_downgrade": True,
        "allow_held": True,
        "config_files": "new",
        "recommends": "no",
    }
    assert sent(stage, "remove", "nginx", "--autoremove")["policy"] == {"autoremove": True}
    assert sent(stage, "update-all", "--security-only") == {"security_only": True}


def test_times_are_told_in_full_before_anything_is_sent(stage: Stage) -> None:
    stage.script = AnyScript(httpx.ConnectError("refused"))
    result = stage.run(
        "consumer", "install", "web1", "nginx", "--at", "tuesday 12:00", "--window", "12:00/2h"
    )
    assert result.code == 3
    assert result.err.splitlines()[:2] == [
        "Starts Tuesday 2026-12-01 12:00:00 CET (2026-12-01T11:00:00Z)",
        "Window Wednesday 2026-11-25 12:00:00 CET to Wednesday 2026-11-25 14:00:00 CET "
        "(2026-11-25T11:00:00Z to 2026-11-25T13:00:00Z, 2h)",
    ]


def test_times_are_sent_in_utc(stage: Stage) -> None:
    body = sent(
        stage,
        *("install", "nginx", "--at", "in 10m", "--window", "tuesday 22:00/4:00"),
        *("--timeout", "1h30m", "--deliver-within", "2d"),
    )
    assert body == {
        "packages": [{"name": "nginx"}],
        "not_before": "2026-11-24T11:40:00Z",
        "window": {"begin": "2026-11-24T21:00:00Z", "end": "2026-11-25T03:00:00Z"},
        "timeout": "1h30m",
        "deliver_within": "2d",
    }


# --- once more ---

NEW_ID = "0d9f4f3a-3f0e-4d3c-9b62-1d1b9a7f5e22"
RETRY = f"/tasks/{TASK_ID}/retry"


def retried(stage: Stage, *options: str) -> Any:
    stage.script.on("POST", RETRY, Reply(202, task(id=NEW_ID, retry_of=TASK_ID)))
    result = stage.run("task", "retry", TASK_ID, *options, "--no-wait")
    assert (result.code, result.out) == (0, f"{NEW_ID}\n"), result.err
    return stage.script.bodies()[-1]


def test_a_retry_leaves_to_the_server_what_is_not_said(stage: Stage) -> None:
    assert retried(stage) == {}
    assert stage.script.requests[-1].headers["Idempotency-Key"]


def test_a_retry_may_have_other_times(stage: Stage) -> None:
    options = ("--at", "in 10m", "--window", "22:00/4:00", "--timeout", "5m")
    assert retried(stage, *options, "--deliver-within", "1h") == {
        "not_before": "2026-11-24T11:40:00Z",
        "window": {"begin": "2026-11-24T21:00:00Z", "end": "2026-11-25T03:00:00Z"},
        "timeout": "5m",
        "deliver_within": "1h",
    }


def test_a_retry_runs_outside_a_window_only_when_that_is_said(stage: Stage) -> None:
    assert retried(stage, "--window", "none") == {"window": None}
    trouble = [("window", "is missing, and that of task 7 is over")]
    stage.script.on("POST", RETRY, problem(422, "invalid", "bad", errors=trouble))
    result = stage.run("task", "retry", TASK_ID)
    assert (result.code, result.out) == (4, "")
    assert "window: is missing" in result.err


def test_a_retry_is_followed_to_its_end(stage: Stage) -> None:
    stage.script.on("POST", RETRY, Reply(202, task(id=NEW_ID, retry_of=TASK_ID)))
    stage.script.on("GET", f"/tasks/{NEW_ID}", Reply(body=failed("fetch", "No.", id=NEW_ID)))
    result = stage.run("task", "retry", TASK_ID)
    assert result.code == 1
    assert "No. [fetch]" in result.out


def test_a_retry_whose_answer_was_lost_is_asked_for_again_under_its_key(stage: Stage) -> None:
    lost = httpx.ReadError("reset")
    stage.script.on("POST", RETRY, lost, Reply(202, task(id=NEW_ID)))
    assert stage.run("task", "retry", TASK_ID, "--no-wait").out == f"{NEW_ID}\n"
    first, second = stage.script.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


# --- for people ---


@pytest.mark.parametrize(
    ("command", "path", "item"),
    [
        (("task", "list"), "/tasks", task()),
        (("consumer", "history", "web1"), "/consumers/web1/history", INSTALLED),
    ],
)
def test_a_list_that_was_cut_says_so(
    stage: Stage, command: tuple[str, ...], path: str, item: Any
) -> None:
    for flags in ((), ("--json",)):
        stage.script.on("GET", path, page(item, item, next_="c1"))
        result = stage.run(*command, "--limit", "2", *flags)
        assert result.err == "There are more than these: give a higher --limit to see them.\n"
        stage.script.on("GET", path, page(item, item))
        assert stage.run(*command, "--limit", "2", *flags).err == ""


def test_hosts_as_plain_text_off_a_terminal(stage: Stage) -> None:
    stage.script.on("GET", "/consumers", page(WEB1, DB1))
    result = stage.run("consumer", "list", "--online", "-q", "we", "--note", "rack=7")
    assert dict(stage.script.requests[0].url.params) == {
        "q": "we",
        "online": "true",
        "note.rack": "7",
    }
    assert result.out.splitlines() == [
        "ID    PRESENCE  LAST SEEN                AGENT  NAME             FLAGS",
        "web1  online    2026-11-24 12:29:00 CET  0.1.0  Web \\x1b[31mone  clock-skew",
        "db1   offline   -                        -      Web \\x1b[31mone",
    ]


def test_hosts_as_a_table_on_a_terminal(stage: Stage) -> None:
    stage.env["COLUMNS"] = "120"
    stage.script.on("GET", "/consumers", page(WEB1))
    out = stage.run("consumer", "list", terminal=True).out
    assert "web1" in out
    assert "\x1b[31m" not in out.replace("\\x1b[31m", "")


def test_a_host_in_full(stage: Stage) -> None:
    stage.script.on("GET", "/consumers/web1", Reply(body=WEB1))
    out = stage.run("consumer", "show", "web1").out
    assert "presence:    online, last seen 2026-11-24 12:29:00 CET\n" in out
    assert "clock:       -1.5 s against the server's\n" in out
    assert "note rack:   7\n" in out


def test_history_says_what_changed_the_requested_first(stage: Stage) -> None:
    failure = event("action_failed", action="packages.install", code="script", message="It failed.")
    profile = event("profile_changed", hash="h", packages=831)
    stage.script.on("GET", "/consumers/web1/history", page(INSTALLED, failure, profile))
    lines = stage.run("consumer", "history", "web1").out.splitlines()
    assert "nginx absent → 1.22, libc6 2.36-8 → 2.36-9, a absent → 1 and 1 more" in lines[1]
    assert "packages.install [script]: It failed." in lines[2]
    assert lines[3].endswith("831 packages")


def test_history_says_what_came_late_and_that_packages_changed(stage: Stage) -> None:
    value = {"backend": "apt", "changes": [{"name": "nginx", "to": "1.22", "requested": True}]}
    late = event("late_result", answer={"type": "succeeded", "id": TASK_ID, "value": value})
    failed = {"type": "failed", "id": TASK_ID, "code": "script", "message": "It failed."}
    events = (late, event("late_result", answer=failed), event("profile_changed", to="h2"))
    stage.script.on("GET", "/consumers/web1/history", page(*events))
    lines = stage.run("consumer", "history", "web1").out.splitlines()
    assert lines[1].endswith("succeeded: nginx absent → 1.22")
    assert lines[2].endswith("failed [script]: It failed.")
    assert lines[3].endswith("the installed packages changed")


def test_a_type_of_history_that_is_none_is_refused_with_those_there_are(stage: Stage) -> None:
    result = stage.run("consumer", "history", "web1", "--type", "bogus")
    assert result.code == 2 and not stage.script.requests
    assert {t.value for t in HistoryType} == {t.value for t in ServerType}
    assert "late_result" in result.err.replace("\n", "")


def test_a_host_is_unregistered(stage: Stage) -> None:
    stage.script.on("GET", "/consumers/web1", Reply(body=WEB1))
    stage.script.on("DELETE", "/consumers/web1", Reply(204))
    result = stage.run("consumer", "unregister", "web1", "--yes", "--json")
    assert (result.code, result.json, result.err) == (0, {"deleted": "web1"}, "")


@pytest.mark.parametrize(("held", "said"), [(0, ""), (1, "1 request "), (2, "2 requests ")])
def test_a_host_that_is_away_runs_what_it_holds_and_that_is_said(
    stage: Stage, held: int, said: str
) -> None:
    stage.script.on("GET", "/consumers/db1", Reply(body=DB1))
    stage.script.on("GET", "/tasks", page(*[task(state="held")] * held))
    stage.script.on("DELETE", "/consumers/db1", Reply(204))
    result = stage.run("consumer", "unregister", "db1", "--yes")
    assert dict(stage.script.requests[1].url.params) == {"consumer": "db1", "state": "held"}
    assert result.code == 0 and bool(result.err) is (held > 0)
    assert said in result.err


def test_the_version_as_an_option_too(stage: Stage) -> None:
    result = stage.run("--version")
    assert (result.code, result.out) == (0, f"pulp-admin {__version__}\n")


def test_in_an_update_of_everything_nothing_is_a_mere_dependency(stage: Stage) -> None:
    stage.script.on("POST", "/consumers/web1/actions/update-all", Reply(202, task()))
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(200, finished(change("nginx", "1", "2"))))
    out = stage.run("consumer", "update-all", "web1").out
    assert "nginx  1 → 2" in out and "dependency" not in out


def test_a_removal_says_what_was_not_installed(stage: Stage) -> None:
    asked = {"packages": [{"name": "nginx"}, {"name": "ngimx"}], "dry_run": False}
    ended = finished(change("nginx", "1", None, requested=True)) | {
        "kind": "packages.remove",
        "args": asked,
    }
    stage.script.on("POST", "/consumers/web1/actions/remove", Reply(202, task()))
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(200, ended))
    out = stage.run("consumer", "remove", "web1", "nginx", "ngimx").out
    assert "  not installed: ngimx\n" in out and "not installed: nginx" not in out


def test_output_that_nobody_takes_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", "from pulp.client.main import main; main()", "version"]
        done = subprocess.run(
            command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 74
    assert done.stderr == "pulp-admin: cannot write the output: No space left on device.\n"


def test_a_dry_run_is_told_as_one_in_a_list(stage: Stage) -> None:
    asked = {"packages": [{"name": "nginx"}], "dry_run": True}
    stage.script.on("GET", "/tasks", page(task(args=asked), task()))
    lines = stage.run("task", "list").out.splitlines()
    assert "install (dry run)" in lines[1] and "dry run" not in lines[2]


def test_history_of_a_day_is_that_of_the_local_day(stage: Stage) -> None:
    stage.script.on("GET", "/consumers/web1/history", page())
    stage.run(
        *("consumer", "history", "web1", "--from", "yesterday", "--to", "2026-11-23"),
        *("--type", "packages_installed", "--oldest-first", "--limit", "5"),
    )
    assert dict(stage.script.requests[0].url.params) == {
        "from": "2026-11-22T23:00:00.000Z",
        "to": "2026-11-23T22:59:59.999Z",
        "type": "packages_installed",
        "order": "asc",
        "limit": "5",
    }


def test_tasks_with_their_standing(stage: Stage) -> None:
    stage.script.on("GET", "/tasks", page(task(), finished()))
    result = stage.run("task", "list", "--state", "timed_out", "--consumer", "web1")
    lines = result.out.splitlines()
    assert lines[1].startswith(f"{TASK_ID}  web1      install  admin")
    assert lines[1].endswith("waiting (queued): waits in the server's queue")
    assert lines[2].endswith("finished")
    assert stage.script.requests[0].url.params["state"] == "timed_out"


def test_a_task_in_full_with_its_end_and_log(stage: Stage) -> None:
    details = {"backend": "apt", "changed": False, "changes": [], "log": "E: one\nE:\x1b[1m two"}
    stage.script.on("GET", f"/tasks/{TASK_ID}", Reply(body=failed("fetch", "No.", details=details)))
    result = stage.run("task", "show", TASK_ID)
    assert result.code == 0
    assert "state:      error [fetch]\n" in result.out
    assert result.out.splitlines()[-3:] == ["Log:", "E: one", "E:\\x1b[1m two"]


def test_why_tells_what_a_task_waits_for(stage: Stage) -> None:
    path = f"/tasks/{TASK_ID}"
    stage.script.on("GET", path, Reply(body=task()))
    assert stage.run("task", "why", TASK_ID).out == (
        "install waiting (queued): waits in the server's queue\n"
        "That is so since 2026-11-24 12:30:00 CET.\n"
    )
    stage.script.on("GET", path, Reply(body=task()))
    assert stage.run("task", "why", TASK_ID, "--json").json == {
        "id": TASK_ID,
        "state": "waiting",
        "waiting_for": {
            "code": "queue",
            "since": "2026-11-24T11:30:00Z",
            "until": None,
            "by": None,
            "windows": [],
            "freezes": [],
            "frozen_until": None,
            "missed_opening": None,
            "void": "",
            "clock_offset": None,
        },
        "error": None,
    }
    stage.script.on("GET", path, Reply(body=failed("fetch", "No mirror answers.")))
    assert "No mirror answers. [fetch]" in stage.run("task", "why", TASK_ID).out


def test_a_token_is_alone_on_stdout_and_how_to_use_it_beside(stage: Stage) -> None:
    stage.script.on("POST", "/registration-tokens", Reply(201, TOKEN | {"token": "s3cret"}))
    result = stage.run("token", "create", "--for", "web1", "--expires-in", "1h", "--uses", "3")
    assert result.out == "s3cret\n"
    assert f"pulp-agent register --server {SERVER} --token s3cret" in result.err
    assert stage.script.bodies() == [{"consumer_id": "web1", "expires_in": "1h", "uses": 3}]


def test_a_token_for_any_number_of_hosts(stage: Stage) -> None:
    stage.script.on(
        "POST", "/registration-tokens", Reply(201, TOKEN | {"token": "s", "uses_left": None})
    )
    assert "any number of hosts" in stage.run("token", "create", "--unlimited").err
    assert stage.script.bodies() == [{"uses": None}]


def test_a_token_whose_text_was_lost_with_the_answer_is_said(stage: Stage) -> None:
    stage.script.on("POST", "/registration-tokens", httpx.ReadError("reset"), Reply(201, TOKEN))
    result = stage.run("token", "create")
    assert (result.code, result.out) == (4, "")
    assert "pulp-admin token revoke tok-1" in result.err


def test_refused_fields_are_listed(stage: Stage) -> None:
    errors = [("packages[0].name", "is no name"), ("timeout", "is too long")]
    stage.script.on(
        "POST",
        "/consumers/web1/actions/install",
        problem(422, "invalid", "2 fields are bad", errors=errors),
    )
    result = stage.run("consumer", "install", "web1", "nginx")
    assert result.code == 4
    assert result.err.splitlines() == [
        "pulp-admin: 2 fields are bad [invalid]",
        "  packages[0].name: is no name",
        "  timeout: is too long",
    ]


def test_a_field_that_the_sentence_names_already_is_not_told_twice(stage: Stage) -> None:
    errors = [("timeout", "is too long")]
    reply = problem(422, "invalid", "timeout: is too long", errors=errors)
    stage.script.on("POST", "/consumers/web1/actions/install", reply)
    result = stage.run("consumer", "install", "web1", "nginx")
    assert result.err == "pulp-admin: timeout: is too long [invalid]\n"


# --- what is asked first ---


@pytest.mark.parametrize(
    "command", [("consumer", "unregister", "web1"), ("user", "delete", "anna")]
)
class TestDestruction:
    def test_off_a_terminal_it_needs_yes(self, stage: Stage, command: tuple[str, ...]) -> None:
        result = stage.run(*command)
        assert result.code == 2
        assert "--yes" in result.err

    def test_it_asks_and_no_is_the_default(self, stage: Stage, command: tuple[str, ...]) -> None:
        for typed in ("\n", "n\n", ""):
            result = stage.run(*command, terminal=True, stdin=typed)
            assert result.code == 4
            assert "Nothing was done." in result.err

    def test_yes_does_it(self, stage: Stage, command: tuple[str, ...]) -> None:
        path = "/consumers/web1" if command[0] == "consumer" else "/users/anna"
        if command[0] == "consumer":  # what it holds is looked up first
            stage.script.on("GET", path, Reply(body=WEB1))
        stage.script.on("DELETE", path, Reply(204))
        assert stage.run(*command, terminal=True, stdin="y\n").code == 0


def test_a_user_is_made_with_a_password_typed_twice(stage: Stage) -> None:
    stage.secrets = ["correct horse", "correct horse"]
    stage.script.on("POST", "/users", Reply(201, ANNA))
    result = stage.run("user", "create", "anna", "--role", "operator", terminal=True)
    assert result.code == 0
    assert stage.script.bodies() == [
        {"login": "anna", "password": "correct horse", "role": "operator"}
    ]
    assert "correct horse" not in result.out + result.err


def test_two_different_passwords_make_nobody(stage: Stage) -> None:
    stage.secrets = ["correct horse", "battery"]
    assert stage.run("user", "create", "anna", "--role", "viewer", terminal=True).code == 2


def test_a_password_from_stdin(stage: Stage) -> None:
    stage.script.on("POST", "/users", Reply(201, ANNA))
    command = ("user", "create", "anna", "--role", "viewer", "--password-stdin", "--json")
    assert stage.run(*command, stdin="correct horse\n").json == ANNA
    assert stage.script.bodies()[0]["password"] == "correct horse"
    assert stage.run(*command, stdin="").code == 2
    without = stage.run("user", "create", "anna", "--role", "viewer")
    assert without.code == 2
    assert "--password-stdin" in without.err


def test_another_ones_password_needs_no_old_one(stage: Stage) -> None:
    stage.script.on("PATCH", "/users/anna", Reply(body=ANNA))
    result = stage.run("user", "passwd", "anna", "--password-stdin", "--json", stdin="new secret\n")
    assert result.json == ANNA
    assert stage.script.bodies() == [{"password": "new secret"}]


# --- the program itself ---


def test_version(stage: Stage) -> None:
    assert stage.run("version").out == f"pulp-admin {__version__}\n"
    assert stage.run("version", "--json").json == {"version": __version__}


@pytest.mark.parametrize(
    "command", [(), ("consumer",), ("consumer", "install"), ("login",), ("task", "list")]
)
def test_help_is_plain_and_exits_0(stage: Stage, command: tuple[str, ...]) -> None:
    result = stage.run(*command, "--help")
    assert result.code == 0
    assert "Usage: pulp-admin" in result.out


def test_help_teaches_with_examples(stage: Stage) -> None:
    assert "pulp-admin consumer install web1 nginx" in stage.run("--help").out
    assert "--at 'tuesday 12:00'" in stage.run("consumer", "install", "--help").out


def test_now_is_what_the_clock_says(stage: Stage) -> None:
    stage.now = NOW.replace(hour=10)
    assert sent(stage, "install", "nginx", "--at", "12:00")["not_before"] == "2026-11-24T11:00:00Z"
