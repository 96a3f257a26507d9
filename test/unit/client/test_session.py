"""The remembered login: private, whole, and never used for another server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pulp.client import session as sessions
from pulp.client.errors import BadUsage
from pulp.client.session import Session, known, load, normal_url, read, write

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SESSION = Session(
    server="https://pulp.test:8443",
    login="anna",
    role="admin",
    token='se"cret\\',
    expires_at="2026-11-25T00:00:00.000Z",
    ca=PEM,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "admin.toml"


def test_what_is_written_is_read_again(file: Path) -> None:
    write(file, SESSION)
    assert read(file) == SESSION


def test_only_the_owner_can_read_it_and_nothing_is_left_beside_it(file: Path) -> None:
    write(file, SESSION)
    write(file, SESSION)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_a_token_that_others_can_read_is_refused_with_the_fix(file: Path) -> None:
    write(file, SESSION)
    file.chmod(0o640)
    with pytest.raises(BadUsage, match=f"chmod 600 {file}"):
        read(file)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("server = ", "cannot be read"),
        ('servr = "https://x"', "unknown setting 'servr'"),
        ("server = 7", "server must be a text"),
        ('login = "anna"', "`server` is missing"),
        ('server = "https://x"\nexpires_at = "soon"', "no RFC 3339 time"),
        ('server = "https://x"\nexpires_at = "2026-01-01T00:00:00"', "no RFC 3339 time"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(file: Path, text: str, fault: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(BadUsage, match=fault) as error:
        read(file)
    assert str(file) in str(error.value)


def test_the_environment_overrides(file: Path, tmp_path: Path) -> None:
    write(file, SESSION)
    env = {"PULP_ADMIN_CONFIG": str(file)}
    assert load(env) == SESSION
    ca = tmp_path / "ca.pem"
    ca.write_text(PEM * 2)
    changed = load(env | {"PULP_ADMIN_TOKEN": "other", "PULP_ADMIN_CA": str(ca)})
    assert changed == Session(server=SESSION.server, token="other", ca=PEM * 2)


def test_a_token_and_a_ca_never_go_to_another_server(file: Path) -> None:
    write(file, SESSION)
    env = {"PULP_ADMIN_CONFIG": str(file), "PULP_ADMIN_SERVER": "https://other.test"}
    assert load(env) == Session(server="https://other.test")
    assert known(env, "https://third.test") == Session(server="https://third.test")


def test_the_same_server_written_otherwise_is_the_same(file: Path) -> None:
    write(file, SESSION)
    env = {"PULP_ADMIN_CONFIG": str(file), "PULP_ADMIN_SERVER": "PULP.test"}
    assert load(env) == SESSION


def test_a_new_login_starts_from_what_is_known_but_not_from_the_token(file: Path) -> None:
    write(file, SESSION)
    found = known({"PULP_ADMIN_CONFIG": str(file)}, "https://pulp.test:8443/")
    assert found == Session(server=SESSION.server, login="anna", ca=PEM)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("pulp.test", "https://pulp.test:8443"),
        ("pulp.test:443", "https://pulp.test"),
        ("pulp.test:9000/", "https://pulp.test:9000"),
        ("https://pulp.test", "https://pulp.test"),
        ("https://PULP.test:443/", "https://pulp.test"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("127.0.0.1", "https://127.0.0.1:8443"),
    ],
)
def test_urls(text: str, url: str) -> None:
    assert normal_url(text) == url
    host, port = sessions.address(url)
    assert host and port


@pytest.mark.parametrize(
    "text",
    ["http://x", "ftp://x", "", "https://", "https://u:p@x", "https://x/path", "https://x?q=1",
     "https://x:99999", "https://x:port", "https://a b"],
)  # fmt: skip
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(BadUsage):
        normal_url(text)
