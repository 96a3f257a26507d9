"""pulp-admin window, freeze and enforce, against a real server and a real agent."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from world import BIN, World, until

from pulp.client import tls

pytestmark = pytest.mark.slow

NIGHTS = ("--rrule", "FREQ=DAILY", "--dtstart", "2026-01-01T22:00", "--zone", "host")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("cli")) as world:
        world.start_server()
        mark = tls.fingerprint(world.ca.read_text())
        secret = {"PULP_ADMIN_PASSWORD": world.password}
        admin(world, "login", world.url, "--fingerprint", mark, env=secret)
        world.add_host("web1")
        yield world


def admin(
    world: World, *args: str, code: int = 0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    argv, environ = [BIN / "pulp-admin", *args], {**world.env, **(env or {})}
    done = subprocess.run(
        argv, env=environ, capture_output=True, text=True, input="", check=False, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def document(world: World, *args: str) -> Any:
    return json.loads(admin(world, *args, "--json").stdout)


def test_a_window_from_its_making_to_its_end(world: World) -> None:
    made = document(world, "window", "create", "nights", *NIGHTS, "--duration", "4h")
    assert (made["role"], made["hosts"]) == ("window", 0)
    refused = admin(world, "window", "create", "nights", *NIGHTS, "--duration", "25h", code=4)
    assert "duration: the opening of 2026-01-01T22:00 is not over" in refused.stderr
    assert (
        "windows and freezes bound to it: nights"
        in admin(world, "window", "bind", "nights", "web1").stdout
    )
    (seen,) = [
        json.loads(line)
        for line in admin(world, "window", "preview", "nights", "--json").stdout.splitlines()
    ]
    assert (seen["consumer"], len(seen["openings"])) == ("web1", 5)
    assert {span["local_begin"][11:] for span in seen["openings"]} == {"22:00"}
    assert "nights" in admin(world, "consumer", "show", "web1").stdout

    always = ("--rrule", "FREQ=DAILY", "--dtstart", "2026-01-01T00:00", "--zone", "host")
    document(world, "freeze", "create", "always", *always, "--duration", "1d")
    refused = admin(world, "freeze", "bind", "always", "web1", code=4)
    assert "always would leave nothing of nights on web1" in refused.stderr
    assert admin(world, "freeze", "show", "nights", code=2).stdout == ""
    admin(world, "freeze", "delete", "always", "--yes")

    refused = admin(world, "window", "delete", "nights", "--yes", code=4)
    assert "nights is bound to 1 host" in refused.stderr
    admin(world, "window", "delete", "nights", "--yes", "--force")
    assert document(world, "consumer", "show", "web1")["windows"] == []
    history = admin(world, "consumer", "history", "web1", "--type", "windows_changed").stdout
    assert "unbound nights" in history.splitlines()[1]
    assert "bound nights" in history.splitlines()[2]


def test_an_enforced_host_does_what_is_for_its_windows_only(world: World) -> None:
    refused = admin(world, "consumer", "enforce", "web1", "on", code=4)
    assert "bind a window that opens first" in refused.stderr
    admin(world, "window", "create", "open", "--once", "now/2h")
    admin(world, "window", "bind", "open", "web1")
    assert "are enforced" in admin(world, "consumer", "enforce", "web1", "on").stdout
    refused = admin(world, "consumer", "install", "web1", "demo", code=4)
    assert "[outside-windows]" in refused.stderr
    admin(world, "consumer", "install", "web1", "demo", "--window", "next")
    refused = admin(world, "window", "unbind", "open", "web1", code=4)
    assert "no window would open any more on web1" in refused.stderr
    admin(world, "consumer", "enforce", "web1", "off")
    admin(world, "window", "unbind", "open", "web1")


def test_a_change_reaches_what_waits_on_the_host(world: World) -> None:
    admin(world, "window", "create", "later", "--once", "in 2h/2h")
    admin(world, "window", "bind", "later", "web1")
    task = admin(
        world, "consumer", "remove", "web1", "demo", "--window", "later", "--no-wait"
    ).stdout.strip()
    world.wait(world.get(f"/tasks/{task}"), "held")
    admin(world, "window", "edit", "later", "--once", "now/2h")
    until(
        lambda: world.get(f"/tasks/{task}")["state"] == "finished", "the work in the new window", 60
    )
