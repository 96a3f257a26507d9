"""Who may come in, and what those hear who may not."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess

import httpx
import pytest
from world import BIN, Host, World, until


def test_a_peer_without_a_certificate_hears_nothing(fleet: World) -> None:
    context = ssl.create_default_context(cafile=fleet.ca)
    with (
        socket.create_connection(("127.0.0.1", fleet.messaging_port)) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
        context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(b"AMQP\x03\x01\x00\x00")
        assert tls.recv(100) == b""
        raise ConnectionError("closed without a word")


def test_an_unregistered_host_cannot_come_back(fleet: World, host: Host) -> None:
    fleet.rest.delete(f"/consumers/{host.id}").raise_for_status()
    host.agent.stop()
    host.agent.start()
    until(
        lambda: "refused" in status(fleet, host) or "unauthorized" in status(fleet, host),
        "a refusal",
    )
    assert fleet.rest.get(f"/consumers/{host.id}").status_code == 404
    assert fleet.history(host)[0]["type"] == "consumer_unregistered"


def test_a_successor_ends_its_predecessor(fleet: World, host: Host) -> None:
    """The same id registered from another folder, by a token bound to it: the old certificate dies, the history stays."""
    old = host.path / "old-agent"
    host.agent.stop()
    shutil.copytree(host.data, old)
    uid = fleet.get(f"/consumers/{host.id}")["uid"]
    shutil.rmtree(host.data)
    host.register(fleet.token(host.id))
    fleet.start_agent(host)
    assert fleet.get(f"/consumers/{host.id}")["uid"] != uid
    stale = host.another_agent(old)
    stale.start()
    until(lambda: "unauthorized" in stale.tail() or "refused" in stale.tail(), "a refusal")
    stale.stop()
    assert fleet.get(f"/consumers/{host.id}")["online"] is True
    assert [e["type"] for e in fleet.history(host, type="consumer_registered")] == [
        "consumer_registered"
    ] * 2


def test_a_clone_is_refused_and_flagged(fleet: World, host: Host) -> None:
    """Two live agents with one certificate and different journals."""
    copy = host.path / "clone"
    shutil.copytree(host.data, copy, ignore=shutil.ignore_patterns("journal*", "lock"))
    clone = host.another_agent(copy)
    clone.start()
    until(lambda: "duplicate-identity" in fleet.get(f"/consumers/{host.id}")["flags"], "the flag")
    clone.stop()
    done = fleet.wait(fleet.act(host, "install", "demo"))
    assert done["state"] == "finished"
    assert host.installed()["demo"] == "1.1"


def test_five_wrong_passwords_rest_the_login(fleet: World) -> None:
    fleet.post("/users", {"login": "eve", "password": "correct horse", "role": "viewer"})
    tls = ssl.create_default_context(cafile=fleet.ca)
    with httpx.Client(base_url=f"{fleet.url}/api/v1", verify=tls) as client:

        def login(password: str) -> httpx.Response:
            return client.post("/login", json={"login": "eve", "password": password})

        assert [login(f"guess {n}").status_code for n in range(5)] == [401] * 5
        refused = login("correct horse")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_second_server_on_the_data_is_refused(fleet: World) -> None:
    done = run_server(fleet, "run", "--data", str(fleet.data))
    assert done.returncode == 2
    assert str(fleet.data) in done.stderr
    assert "Traceback" not in done.stderr
    assert fleet.get("/consumers") is not None


def test_a_server_without_data_says_how_to_make_it(fleet: World) -> None:
    done = run_server(fleet, "run", "--data", str(fleet.path / "nothing"))
    assert done.returncode == 2
    assert "pulp-server init" in done.stderr


def test_misspelt_settings_are_named_with_the_nearest(fleet: World) -> None:
    file = fleet.path / "wrong.toml"
    file.write_text("[rest]\nprot = 1\n")
    done = run_server(fleet, "config", "--config", str(file))
    assert done.returncode == 2
    assert f"{file}: [rest] prot is not known; the nearest known one is port" in done.stderr


def run_server(fleet: World, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [str(BIN / "pulp-server"), *args]
    return subprocess.run(
        argv, env=fleet.env, capture_output=True, text=True, check=False, timeout=30
    )


def status(fleet: World, host: Host) -> str:
    argv = [str(BIN / "pulp-agent"), "status", "--data", str(host.data)]
    done = subprocess.run(argv, env=fleet.env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + host.agent.tail(5)


def test_programs_say_their_version(fleet: World) -> None:
    for name in ("pulp-server", "pulp-agent"):
        done = subprocess.run([BIN / name, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(name)
