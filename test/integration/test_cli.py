"""pulp-admin as a program, against a real server and a real agent: real TLS, real packages in a private root, real signals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from world import BIN, LOGIN, Host, World, until

from pulp.client import tls
from pulp.client.views import TaskState

pytestmark = pytest.mark.slow

ADMIN = str(BIN / "pulp-admin")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("cli")) as world:
        world.start_server()
        log_in(world)
        world.add_host("web1")
        yield world


@pytest.fixture
def host(world: World) -> Host:
    return world.hosts["web1"]


def fingerprint(world: World) -> str:
    return tls.fingerprint(world.ca.read_text())


def log_in(world: World) -> None:
    secret = {"PULP_ADMIN_PASSWORD": world.password}
    done = admin(world, "login", world.url, "--fingerprint", fingerprint(world), env=secret)
    assert done.returncode == 0, done.stderr


def admin(
    world: World, *args: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ADMIN, *args],
        env={**world.env, **(env or {})},
        capture_output=True,
        text=True,
        input=stdin,
        check=False,
        timeout=60,
    )


def document(world: World, *args: str, code: int = 0) -> Any:
    done = admin(world, *args, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def lines(world: World, *args: str) -> list[Any]:
    done = admin(world, *args, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def started(world: World, *args: str) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs."""
    process = subprocess.Popen(
        [ADMIN, *args],
        env=world.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


# --- trust ---


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who never logged in."""
    return {"PULP_ADMIN_CONFIG": str(tmp_path / "admin.toml"), "PULP_ADMIN_PASSWORD": "x" * 12}


def test_an_unknown_certificate_is_refused_and_its_fingerprint_shown(
    world: World, nobody: dict[str, str]
) -> None:
    done = admin(world, "login", world.url, env=nobody)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"--fingerprint {fingerprint(world)}" in done.stderr


def test_a_wrong_fingerprint_is_refused(world: World, nobody: dict[str, str]) -> None:
    done = admin(world, "login", world.url, "--fingerprint", "0" * 64, env=nobody)
    assert done.returncode == 4
    assert fingerprint(world) in done.stderr


def test_a_name_that_is_not_in_the_certificate_is_refused(
    world: World, nobody: dict[str, str]
) -> None:
    url = world.url.replace("127.0.0.1", "localhost")
    done = admin(world, "login", url, "--ca", str(world.ca), env=nobody)
    assert done.returncode == 4
    assert "localhost" in done.stderr


def test_the_servers_own_certificate_can_be_trusted_alone(
    world: World, nobody: dict[str, str]
) -> None:
    own = tls.presented("127.0.0.1", world.rest_port)[0]
    secret = {"PULP_ADMIN_PASSWORD": world.password}
    pin = tls.fingerprint(own)
    done = admin(world, "login", world.url, "--fingerprint", pin, env=nobody | secret)
    assert done.returncode == 0, done.stderr


def test_a_wrong_password_is_refused(world: World, nobody: dict[str, str]) -> None:
    done = admin(world, "login", world.url, "--ca", str(world.ca), env=nobody)
    assert (done.returncode, done.stdout) == (4, "")
    assert "password" in done.stderr


def test_without_a_server_it_is_exit_code_3(world: World, nobody: dict[str, str]) -> None:
    away = {"PULP_ADMIN_SERVER": "https://127.0.0.1:1", "PULP_ADMIN_TOKEN": "t"}
    assert admin(world, "consumer", "list", env=nobody | away).returncode == 3


def test_the_environment_alone_is_enough(world: World, nobody: dict[str, str]) -> None:
    token = world.rest.headers["Authorization"].removeprefix("Bearer ")
    env = {
        "PULP_ADMIN_SERVER": world.url,
        "PULP_ADMIN_TOKEN": token,
        "PULP_ADMIN_CA": str(world.ca),
    }
    assert admin(world, "consumer", "show", "web1", env=nobody | env).returncode == 0


# --- the main job ---


def test_install_and_remove_change_the_host_and_say_what(world: World, host: Host) -> None:
    done = admin(world, "consumer", "install", "web1", "demo=1.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web1: install finished" in done.stdout
    assert re.search(r"^  demo:all +absent → 1\.0$", done.stdout, re.M), done.stdout
    assert re.search(r"^  demolib:all +absent → \S+ +\(dependency\)$", done.stdout, re.M)
    assert host.installed()["demo"] == "1.0"
    update = document(world, "consumer", "update", "web1", "demo")
    assert {c["name"]: (c["from"], c["to"]) for c in update["result"]["changes"]}["demo"][
        0
    ] == "1.0"
    removed = document(world, "consumer", "remove", "web1", "demo")
    assert removed["state"] == TaskState.FINISHED.value
    assert "demo" not in host.installed()
    told = admin(world, "consumer", "history", "web1").stdout
    assert "demo absent → 1.0" in told
    (event,) = lines(world, "consumer", "history", "web1", "--type", "packages_removed")
    assert event["task_id"] == removed["id"]
    assert event["originator"] == LOGIN


def test_a_dry_run_changes_nothing(world: World, host: Host) -> None:
    done = admin(world, "consumer", "install", "web1", "demofat", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dry run: it would change" in done.stdout
    assert "demofat:all  absent → " in done.stdout
    assert "demofat" not in host.installed()


def test_update_all_is_done_or_has_nothing_to_do(world: World) -> None:
    assert document(world, "consumer", "update-all", "web1")["kind"] == "packages.update_all"
    done = admin(world, "consumer", "update-all", "web1", "--dry-run")
    assert done.returncode == 0
    assert "nothing to change" in done.stdout


@pytest.mark.parametrize(
    ("package", "code"),
    [("no-such-thing", "not-found"), ("demobroken", "dependency"), ("demo=9", "not-found")],
)
def test_a_failure_is_exit_code_1_with_its_code(world: World, package: str, code: str) -> None:
    done = admin(world, "consumer", "install", "web1", package)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"[{code}]" in done.stdout
    assert "Nothing was changed on the host." in done.stdout
    assert document(world, "consumer", "install", "web1", package, code=1)["error"]["code"] == code


def test_a_failed_script_says_what_was_done(world: World) -> None:
    done = admin(world, "consumer", "install", "web1", "demofail")
    assert done.returncode == 1
    assert "[script]" in done.stdout
    assert "What was done:" in done.stdout
    assert admin(world, "consumer", "remove", "web1", "demofail").returncode == 0


def test_a_failed_task_is_asked_for_again_once_its_cause_is_gone(world: World, host: Host) -> None:
    failed = document(world, "consumer", "install", "web1", "demofail", code=1)
    cause = host.root / "etc/allow-demofail"
    cause.touch()
    try:
        again = document(world, "task", "retry", failed["id"])
    finally:
        cause.unlink()
    assert (again["state"], again["retry_of"]) == ("finished", failed["id"])
    assert document(world, "task", "show", failed["id"]) == failed
    shown = admin(world, "task", "show", again["id"]).stdout
    assert re.search(rf"^retry of: +{failed['id']}$", shown, re.MULTILINE)
    assert admin(world, "consumer", "remove", "web1", "demofail").returncode == 0


def test_what_would_remove_something_needs_to_be_allowed(world: World, host: Host) -> None:
    assert admin(world, "consumer", "install", "web1", "demo").returncode == 0
    refused = document(world, "consumer", "install", "web1", "democonflict", code=1)
    assert refused["error"]["code"] == "would-remove"
    allowed = admin(world, "consumer", "install", "web1", "democonflict", "--allow-remove")
    assert allowed.returncode == 0, allowed.stdout
    assert "demo" not in host.installed()
    assert admin(world, "consumer", "remove", "web1", "democonflict").returncode == 0


def test_a_repair_and_a_refresh(world: World) -> None:
    refreshed = document(world, "consumer", "refresh", "web1")
    assert (refreshed["kind"], refreshed["state"]) == ("packages.refresh", "finished")
    assert refreshed["result"]["backend"] == "apt"
    done = admin(world, "consumer", "repair", "web1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "repair finished" in done.stdout and "nothing to repair" in done.stdout


def test_what_is_half_set_up_is_repaired_and_history_tells_it(world: World, host: Host) -> None:
    document(world, "consumer", "install", "web1", "demofail", code=1)
    (host.root / "etc/allow-demofail").touch()
    repaired = document(world, "consumer", "repair", "web1")
    assert [(c["name"], c["outcome"]) for c in repaired["result"]["changes"]] == [
        ("demofail", "done")
    ]
    (event,) = lines(world, "consumer", "history", "web1", "--type", "packages_repaired")
    assert event["task_id"] == repaired["id"]
    assert admin(world, "consumer", "remove", "web1", "demofail").returncode == 0


@pytest.mark.parametrize(
    ("words", "way"),
    [
        (("groups", "web1"), "metapackage"),
        (("install-group", "web1", "web-server"), "metapackage"),
        (("update", "web1", "--advisory", "CVE-2026-1"), "security_only"),
        (("update-all", "web1", "--minimal"), "security_only"),
    ],
)
def test_what_apt_does_not_have_is_refused_with_the_way_to_go(
    world: World, words: tuple[str, ...], way: str
) -> None:
    done = admin(world, "consumer", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "[unsupported]" in done.stdout and way in done.stdout


def test_the_profile(world: World) -> None:
    assert document(world, "consumer", "refresh-profile", "web1")["error"] is None
    profile = document(world, "consumer", "profile", "web1")
    assert profile["consumer_id"] == "web1"
    assert admin(world, "consumer", "profile", "web1").returncode == 0


def test_ping_show_and_list(world: World) -> None:
    assert document(world, "consumer", "ping", "web1")["rtt_ms"] > 0
    assert document(world, "consumer", "show", "web1")["online"] is True
    assert [c["id"] for c in lines(world, "consumer", "list", "--online")] == ["web1"]
    edited = document(world, "consumer", "edit", "web1", "--name", "Web", "--note", "rack=7")
    assert (edited["display_name"], edited["notes"]) == ("Web", {"rack": "7"})
    assert lines(world, "consumer", "list", "--note", "rack=8") == []


# --- waiting ---


@contextmanager
def gate_closed(host: Host) -> Iterator[None]:
    """While it lasts, installing demogate stays in its postinst."""
    gate = host.root / "run/demogate.closed"
    gate.parent.mkdir(exist_ok=True)
    gate.touch()
    try:
        yield
    finally:
        gate.unlink()


def next_line(process: subprocess.Popen[str], words: str) -> str:
    """The next line on stdout that holds these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"it ended without {words!r}: {process.communicate()}")


def remove_gate(world: World) -> None:
    assert admin(world, "consumer", "remove", "web1", "demogate").returncode == 0


def test_ctrl_c_leaves_the_task_going_and_tells_its_id(world: World, host: Host) -> None:
    with gate_closed(host), started(world, "consumer", "install", "web1", "demogate") as process:
        next_line(process, "running (commit)")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130
    assert "Traceback" not in err
    found = re.search(r"pulp-admin task wait (\S+)", err)
    assert found, err
    done = admin(world, "task", "wait", found[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demogate" in host.installed()
    remove_gate(world)


def test_a_server_restart_does_not_end_the_wait(world: World, host: Host) -> None:
    with started(world, "consumer", "install", "web1", "demogate") as process:
        with gate_closed(host):
            next_line(process, "running (commit)")
            world.server.kill()
            assert process.stderr is not None
            assert "trying again until the server answers" in process.stderr.readline()
            world.start_server()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert err == "The server answers again.\n"
    assert "demogate:all  absent → " in out
    remove_gate(world)


def test_on_a_terminal_it_is_live(world: World, host: Host) -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [ADMIN, "consumer", "install", "web1", "demo"],
            env={**world.env, "TERM": "xterm", "COLUMNS": "120"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            check=False,
            timeout=60,
        )
    finally:
        os.close(slave)
    screen = b""
    while chunk := _read(master):
        screen += chunk
    os.close(master)
    assert done.returncode == 0, screen
    assert b"web1: " in screen
    assert b"\x1b[" in screen
    assert "absent → ".encode() in screen
    assert admin(world, "consumer", "remove", "web1", "demo").returncode == 0


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: the other end is closed and everything was read
        return b""


def test_work_for_a_window_is_held_and_can_be_canceled(world: World) -> None:
    done = admin(world, "consumer", "install", "web1", "demo", "--window", "in 1h/1h", "--no-wait")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Window ")
    task_id = done.stdout.strip()
    until(
        lambda: document(world, "task", "show", task_id)["state"] == "held", "the task to be held"
    )
    assert "waits for its window at" in admin(world, "task", "show", task_id).stdout
    assert admin(world, "task", "cancel", task_id).returncode == 0
    ended = document(world, "task", "wait", task_id, code=1)
    assert ended["state"] == TaskState.CANCELED.value
    again = admin(world, "task", "cancel", task_id)
    assert again.returncode == 4


def test_work_for_a_time_is_scheduled(world: World) -> None:
    done = admin(world, "consumer", "install", "web1", "demo", "--at", "in 2h", "--no-wait")
    assert done.stderr.startswith("Starts ")
    task_id = done.stdout.strip()
    shown = admin(world, "task", "show", task_id).stdout
    assert "scheduled: waits for its start time at" in shown
    assert task_id in [t["id"] for t in lines(world, "task", "list", "--state", "scheduled")]
    assert admin(world, "task", "cancel", task_id).returncode == 0


def test_an_agent_that_is_away_is_named_and_the_task_is_done_on_its_return(
    world: World, host: Host
) -> None:
    host.agent.stop()
    world.wait_online(host, online=False)
    ping = admin(world, "consumer", "ping", "web1")
    assert ping.returncode == 4
    assert "[agent-offline]" in ping.stderr
    with started(world, "consumer", "install", "web1", "demo") as process:
        assert "which is not connected" in next_line(process, "waiting")
        host.agent.start()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    world.wait_online(host)


# --- people, hosts, the program ---


def test_roles_are_kept(world: World, nobody: dict[str, str]) -> None:
    made = admin(
        world, "user", "create", "vera", "--role", "viewer", "--password-stdin", stdin="v" * 12
    )
    assert made.returncode == 0, made.stderr
    vera = nobody | {"PULP_ADMIN_PASSWORD": "v" * 12}
    login = ("login", world.url, "--login", "vera", "--ca", str(world.ca))
    assert admin(world, *login, env=vera).returncode == 0
    assert admin(world, "consumer", "list", env=vera).returncode == 0
    refused = admin(world, "consumer", "install", "web1", "demo", env=vera)
    assert refused.returncode == 4
    assert "[forbidden]" in refused.stderr
    own = admin(world, "user", "passwd", "--password-stdin", env=vera, stdin="w" * 12)
    assert own.returncode == 0, own.stderr
    assert [u["login"] for u in lines(world, "user", "list")] == [LOGIN, "vera"]
    assert admin(world, "user", "role", "vera", "operator").returncode == 0
    assert admin(world, "user", "delete", "vera").returncode == 2
    assert admin(world, "user", "delete", "vera", "--yes").returncode == 0
    assert admin(world, "consumer", "list", env=vera).returncode == 4


def test_a_host_joins_with_a_token_and_leaves(world: World) -> None:
    token = admin(world, "token", "create", "--for", "guest").stdout.strip()
    guest = world.hosts["guest"] = Host(world, "guest")
    guest.register(token)
    world.start_agent(guest)
    assert document(world, "consumer", "show", "guest")["online"] is True
    assert admin(world, "consumer", "unregister", "guest").returncode == 2
    assert admin(world, "consumer", "unregister", "guest", "--yes").returncode == 0
    assert admin(world, "consumer", "show", "guest").returncode == 4
    types = [e["type"] for e in lines(world, "consumer", "history", "guest", "--oldest-first")]
    assert types[0] == "consumer_registered"
    assert types[-1] == "consumer_unregistered"


def test_tokens_are_listed_and_revoked(world: World) -> None:
    made = document(world, "token", "create", "--uses", "2")
    assert made["token"]
    listed = lines(world, "token", "list")
    assert made["id"] in [t["id"] for t in listed]
    assert all(t["token"] is None for t in listed)
    assert document(world, "token", "revoke", made["id"]) == {"deleted": made["id"]}


def test_a_list_goes_over_its_pages(world: World) -> None:
    every = lines(world, "task", "list", "--limit", "1000")
    assert [t["id"] for t in lines(world, "task", "list", "--limit", "2")] == [
        t["id"] for t in every[:2]
    ]


def test_the_shell_completes_a_hosts_id(world: World) -> None:
    shell = {
        "_PULP_ADMIN_COMPLETE": "complete_bash",
        "COMP_WORDS": "pulp-admin consumer show we",
        "COMP_CWORD": "3",
    }
    assert admin(world, env=shell).stdout.split() == ["web1"]


def test_the_login_ends(world: World, nobody: dict[str, str]) -> None:
    secret = nobody | {"PULP_ADMIN_PASSWORD": world.password}
    login = ("login", world.url, "--ca", str(world.ca))
    assert admin(world, *login, env=secret).returncode == 0
    assert admin(world, "logout", env=secret).returncode == 0
    done = admin(world, "consumer", "list", env=secret)
    assert done.returncode == 4
    assert f"pulp-admin login {world.url}" in done.stderr


def test_help_is_quick() -> None:
    """CPU time, as the machine may be busy with other things; aim: half a second on a clock."""
    seconds = []
    for _ in range(3):
        process = subprocess.Popen([ADMIN, "--help"], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        seconds.append(used.ru_utime + used.ru_stime)
    assert min(seconds) < 0.5
