"""Login and logout: whom to trust, what is kept, and what is said when it cannot be."""

from __future__ import annotations

import base64
import hashlib
import ssl
from pathlib import Path

import httpx
import pytest
from client_stage import NOW, SERVER, Reply, Stage, problem

from pulp.client.session import read
from pulp.crypto.ca import Authority

READY = Reply(body={"version": "0.1.0", "ready": True})
WELCOME = Reply(
    body={"token": "fresh-token", "expires_at": "2026-11-25T00:30:00Z", "role": "operator"}
)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A user who has never logged in."""
    return Stage(tmp_path, env={"PULP_ADMIN_PASSWORD": "correct horse"})


@pytest.fixture(scope="module")
def ca() -> str:
    return Authority.create().certificate_pem


def untrusted(reason: str = "self-signed certificate in certificate chain") -> Exception:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = reason
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = cause
    return error


def digest(pem: str) -> str:
    return hashlib.sha256(base64.b64decode("".join(pem.splitlines()[1:-1]))).hexdigest()


def log_in(stage: Stage, *options: str) -> None:
    stage.script.on("GET", "/status", READY).on("POST", "/login", WELCOME)
    assert stage.run("login", SERVER, *options).code == 0


def test_login_keeps_the_token_and_tells_until_when(stage: Stage) -> None:
    stage.script.on("GET", "/status", READY).on("POST", "/login", WELCOME)
    result = stage.run("login", SERVER, "--login", "anna")
    assert (
        result.out == f"Logged in at {SERVER} as anna (operator) until 2026-11-25 01:30:00 CET.\n"
    )
    assert stage.script.bodies() == [None, {"login": "anna", "password": "correct horse"}]
    kept = read(stage.config)
    assert kept is not None
    assert (kept.server, kept.login, kept.token) == (SERVER, "anna", "fresh-token")
    assert stage.config.stat().st_mode & 0o777 == 0o600


def test_with_json_the_token_is_not_shown(stage: Stage) -> None:
    stage.script.on("GET", "/status", READY).on("POST", "/login", WELCOME)
    assert stage.run("login", SERVER, "--json").json == {
        "server": SERVER,
        "login": "admin",
        "role": "operator",
        "expires_at": "2026-11-25T00:30:00.000Z",
    }


def test_the_password_is_asked_for_without_echo(stage: Stage) -> None:
    del stage.env["PULP_ADMIN_PASSWORD"]
    stage.secrets = ["typed"]
    stage.script.on("GET", "/status", READY).on("POST", "/login", WELCOME)
    assert stage.run("login", SERVER, terminal=True).code == 0
    assert stage.script.bodies()[1]["password"] == "typed"


def test_with_nobody_to_ask_the_variable_is_named(stage: Stage) -> None:
    del stage.env["PULP_ADMIN_PASSWORD"]
    stage.script.on("GET", "/status", READY)
    result = stage.run("login", SERVER)
    assert result.code == 2
    assert "PULP_ADMIN_PASSWORD" in result.err


def test_a_wrong_password_is_refused_and_nothing_is_kept(stage: Stage) -> None:
    refusal = problem(401, "unauthenticated", "the login or the password is wrong")
    stage.script.on("GET", "/status", READY).on("POST", "/login", refusal)
    result = stage.run("login", SERVER)
    assert result.code == 4
    assert "the login or the password is wrong" in result.err
    assert not stage.config.exists()


def test_too_many_attempts_are_told_and_not_repeated(stage: Stage) -> None:
    many = problem(429, "too-many-attempts", "wait a minute", Retry_After="60")
    stage.script.on("GET", "/status", READY).on("POST", "/login", many)
    result = stage.run("login", SERVER)
    assert result.code == 4
    assert "wait a minute [too-many-attempts]" in result.err
    assert stage.pauses == []


def test_an_unknown_certificate_is_shown_before_a_password_is_asked_for(
    stage: Stage, ca: str
) -> None:
    stage.script.on("GET", "/status", untrusted())
    stage.shown = ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", ca]
    result = stage.run("login", SERVER)
    assert result.code == 4
    assert "self-signed certificate in certificate chain" in result.err
    assert f"pulp-admin login {SERVER} --fingerprint {digest(ca)}" in result.err
    assert "Compare it with what `pulp-server init` printed" in result.err
    assert not stage.config.exists()


def test_a_name_that_is_not_in_the_certificate_is_not_cured_by_a_fingerprint(stage: Stage) -> None:
    stage.script.on(
        "GET", "/status", untrusted("Hostname mismatch, certificate is not valid for 'x'")
    )
    result = stage.run("login", SERVER)
    assert result.code == 4
    assert "Use a name that stands in the server's certificate" in result.err
    assert "--fingerprint" not in result.err


def test_a_fingerprint_picks_the_certificate_that_is_kept(stage: Stage, ca: str) -> None:
    stage.shown = [Authority.create().certificate_pem, ca]
    colons = ":".join(digest(ca)[i : i + 2] for i in range(0, 64, 2)).upper()
    log_in(stage, "--fingerprint", f"SHA256:{colons}")
    kept = read(stage.config)
    assert kept is not None
    assert kept.ca == ca


def test_a_fingerprint_that_nothing_shown_has_is_refused(stage: Stage, ca: str) -> None:
    stage.shown = [ca]
    result = stage.run("login", SERVER, "--fingerprint", "0" * 64)
    assert result.code == 4
    assert digest(ca) in result.err
    assert not stage.config.exists()


def test_a_ca_file_is_kept_as_a_copy(stage: Stage, ca: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ca)
    log_in(stage, "--ca", str(file))
    file.unlink()
    kept = read(stage.config)
    assert kept is not None
    assert kept.ca == ca


def test_the_next_login_at_the_same_server_needs_neither_ca_nor_name(stage: Stage, ca: str) -> None:
    stage.shown = [ca]
    log_in(stage, "--fingerprint", digest(ca), "--login", "anna")
    log_in(stage)
    kept = read(stage.config)
    assert kept is not None
    assert (kept.login, kept.ca) == ("anna", ca)


def test_an_expired_login_is_one_sentence(stage: Stage) -> None:
    log_in(stage)
    stage.now = NOW.replace(day=26)
    result = stage.run("consumer", "list")
    assert result.code == 4
    assert result.err == (
        f"pulp-admin: Your login at {SERVER} has expired. Run: pulp-admin login {SERVER}\n"
    )


def test_logout_ends_it_at_the_server_and_here(stage: Stage, ca: str) -> None:
    stage.shown = [ca]
    log_in(stage, "--fingerprint", digest(ca))
    stage.script.on("DELETE", "/login", Reply(204))
    assert stage.run("logout", "--json").json == {"server": SERVER, "logged_out": True}
    assert stage.script.requests[-1].headers["Authorization"] == "Bearer fresh-token"
    kept = read(stage.config)
    assert kept is not None
    assert (kept.token, kept.ca) == ("", ca)
    assert stage.run("logout").code == 4


def test_logout_forgets_the_token_also_when_the_server_is_away(stage: Stage) -> None:
    log_in(stage)
    stage.script.on("DELETE", "/login", httpx.ConnectError("refused"))
    result = stage.run("logout")
    assert result.code == 3
    assert "forgotten here, but its token stays good until 2026-11-25" in result.err
    kept = read(stage.config)
    assert kept is not None
    assert kept.token == ""


def test_logout_of_a_login_that_had_ended_is_fine(stage: Stage) -> None:
    log_in(stage)
    stage.script.on("DELETE", "/login", problem(401, "unauthenticated", "expired"))
    assert stage.run("logout").code == 0


def test_ones_own_password_needs_the_old_one(stage: Stage) -> None:
    log_in(stage, "--login", "anna")
    anna = {"login": "anna", "role": "operator", "created_at": "2026-11-01T00:00:00Z"}
    stage.script.on("PATCH", "/users/anna", Reply(body=anna))
    assert stage.run("user", "passwd", "--password-stdin", stdin="new secret\n").code == 0
    assert stage.script.bodies()[-1] == {"old_password": "correct horse", "password": "new secret"}


class TestStatus:
    def test_with_a_login(self, stage: Stage) -> None:
        log_in(stage)
        stage.script.on("GET", "/status", READY)
        assert stage.run("status", "--json").json == {
            "server": SERVER,
            "version": "0.1.0",
            "ready": True,
            "login": "admin",
            "role": "operator",
            "logged_in": True,
            "expires_at": "2026-11-25T00:30:00.000Z",
        }
        stage.script.on("GET", "/status", READY)
        assert "admin (operator) until 2026-11-25 01:30:00 CET" in stage.run("status").out

    def test_without_one_it_says_how(self, stage: Stage) -> None:
        stage.env["PULP_ADMIN_SERVER"] = SERVER
        stage.script.on("GET", "/status", READY)
        assert "none; run: pulp-admin login URL" in stage.run("status").out
        assert "Authorization" not in stage.script.requests[0].headers

    def test_without_a_server(self, stage: Stage) -> None:
        assert stage.run("status").code == 4
