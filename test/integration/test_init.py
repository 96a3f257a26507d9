"""A data directory whose making is killed at any step: no server runs in it, and the next making replaces it."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from failpoints import names

from pulp.common.clock import SystemClock
from pulp.common.failpoints import VARIABLE
from pulp.server.api.passwords import Passwords
from pulp.server.api.sessions import Sessions
from pulp.server.api.types import LoginBody
from pulp.server.api.users import UserApi
from pulp.server.db.sqlite import SqliteStore
from pulp.server.home import Home

INIT = {
    "home.begun": 1,
    "home.file.written": 6,  # the note that it is unfinished, and five of its own
    "store.commit.before": 1,
    "store.commit.after": 1,
    "home.admin.made": 1,
    "home.made": 1,
}
"""The failpoints on the way of `init` up to its end, and how often each is passed."""

RESTORE = {
    "home.begun": 1,
    "home.file.written": 1,
    "home.file.restored": 6,
    "home.restored": 1,
    "home.made": 1,
}

AFTER = {"home.finished"}


def server(*args: object, points: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PULP_")}
    if points is not None:
        env[VARIABLE] = str(points)
    command = [sys.executable, "-m", "pulp.server.main", *map(str, args)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=env)


def init(data: Path, points: Path | None = None) -> subprocess.CompletedProcess[str]:
    return server("init", "--data", data, "--name", "localhost", points=points)


def armed(tmp_path: Path, name: str, nth: int = 1) -> Path:
    points = tmp_path / "points"
    points.mkdir()
    (points / name).write_text(str(nth))
    return points


def every(passes: dict[str, int]) -> list[tuple[str, int]]:
    return [(name, nth) for name, count in passes.items() for nth in range(1, count + 1)]


def assert_whole(data: Path, said: str) -> None:
    """Certificate, key and CA belong together, and the password that was shown last is the admin's."""
    home = Home(data)
    home.check()
    home.signer()
    authority = home.authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home.server_certificate, home.server_key)
    assert home.server_certificate.read_text().endswith(authority.certificate_pem)
    password = re.findall(r"password: (\S+)", said)[-1]
    store, clock = SqliteStore(data), SystemClock()
    try:
        users = UserApi(store, clock, passwords=Passwords(), sessions=Sessions(store, clock))
        assert users.login(LoginBody(login="admin", password=password)).role == "admin"
        assert [u.login for u in store.read(lambda uow: uow.users.list())] == ["admin"]
    finally:
        store.close()


def assert_refused(data: Path) -> None:
    for command in (("run",), ("migrate",), ("backup", data.with_name("b.tar"))):
        done = server(*command, "--data", data)
        assert (done.returncode, "was not finished" in done.stderr) == (2, True), done.stderr


def test_every_step_has_its_case() -> None:
    points = {name for name in names() if name.startswith("home.")}
    assert points == {n for n in (*INIT, *RESTORE) if n.startswith("home.")} | AFTER


@pytest.mark.parametrize(("name", "nth"), every(INIT))
def test_an_init_that_is_killed_is_done_again(tmp_path: Path, name: str, nth: int) -> None:
    data = tmp_path / "data"
    assert init(data, armed(tmp_path, name, nth)).returncode == -signal.SIGKILL
    assert_refused(data)
    done = init(data)
    assert done.returncode == 0, done.stderr
    assert_whole(data, done.stdout)
    again = init(data)
    assert (again.returncode, "holds a server already" in again.stderr) == (2, True)


def test_an_init_that_is_killed_after_its_end_is_done(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = init(data, armed(tmp_path, "home.finished"))
    assert done.returncode == -signal.SIGKILL
    assert_whole(data, done.stdout)
    assert init(data).returncode == 2


@pytest.mark.parametrize(("name", "nth"), every(RESTORE))
def test_a_restore_that_is_killed_is_done_again(tmp_path: Path, name: str, nth: int) -> None:
    first, data, file = tmp_path / "first", tmp_path / "data", tmp_path / "a.tar"
    made = init(first)
    assert server("backup", file, "--data", first).returncode == 0
    args = ("restore", file, "--data", data)
    assert server(*args, points=armed(tmp_path, name, nth)).returncode == -signal.SIGKILL
    assert_refused(data)
    done = server(*args)
    assert done.returncode == 0, done.stderr
    assert_whole(data, made.stdout)


def test_two_at_once_do_not_replace_one_another(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Home(data).making():
        done = init(data)
        assert (done.returncode, "another process makes" in done.stderr) == (2, True)
        Home(data).create(["localhost"])
    assert not Home(data).unfinished.exists()


def test_a_password_that_could_not_be_shown_is_not_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "pulp.server.main", "init", "--data", str(data)]
        done = subprocess.run(
            command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 2 and "standard output" in done.stderr
    assert "Traceback" not in done.stderr
    assert_refused(data)
    again = init(data)
    assert_whole(data, again.stdout)
