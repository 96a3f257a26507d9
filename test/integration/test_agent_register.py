"""`pulp-agent register` against a small HTTPS server: trust, refusals, lost answers, and what is left on disk."""

from __future__ import annotations

import json
import os
import re
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pulp_agent.home import Home, HomeError
from pulp_agent.https import HttpsError, address
from pulp_agent.main import main

from pulp.crypto.ca import Authority
from pulp.crypto.keys import csr_key_fingerprint, fingerprint, new_key, read_certificate

UID = "7c9d3a52-0000-4000-8000-000000000001"


class Rest:
    """Answers POST /api/v1/consumers by `answer`, or as a server does."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.authority = Authority.create()
        key = new_key()
        leaf = self.authority.issue_server(key, hosts=names)
        pem = folder / "server.pem"
        pem.write_text(key + leaf + self.authority.certificate_pem)
        self.ca = folder / "rest-ca.pem"
        self.ca.write_text(self.authority.certificate_pem)
        self.leaf_fingerprint = fingerprint(leaf)
        self.ca_fingerprint = fingerprint(self.authority.certificate_pem)
        self.bodies: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, bytes] | None] = self.registered
        self._http = HTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        rest = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                rest.bodies.append(body | {"path": self.path})
                answer = rest.answer(body)
                if answer is not None:
                    self.send_response(answer[0])
                    self.end_headers()
                    self.wfile.write(answer[1])

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def registered(self, body: dict[str, Any]) -> tuple[int, bytes]:
        answer = {
            "consumer": {"id": body["id"], "uid": UID, "more": 1},
            "certificate": self.authority.issue_client(body["csr"], common_name=UID),
            "ca": [self.authority.certificate_pem],
            "signing_keys": ["k"],
            "messaging": {
                "urls": ["amqps://localhost:5671"],
                "source": f"agent.{UID}",
                "target": "replies",
                "confirm": "outcome",
                "heartbeat": 30,
            },
        }
        return 201, json.dumps(answer).encode()


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None) -> Any:
    text = json.dumps({"title": "T", "detail": detail, "errors": errors or []}).encode()
    return lambda body: (status, text)


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[Rest]:
    rest = Rest(tmp_path, ["localhost"])
    yield rest
    rest.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "agent"


def run(rest: Rest, data: Path, *flags: str) -> int:
    argv = ["register", "--server", rest.url, "--token", "t", "--id", "web1", "--data", str(data)]
    with pytest.raises(SystemExit) as end:
        main([*argv, *flags])
    return int(end.value.code or 0)


def trusting(rest: Rest) -> tuple[str, str]:
    return "--ca", str(rest.ca)


def test_it_leaves_an_identity_with_which_an_agent_can_run(rest: Rest, data: Path) -> None:
    assert run(rest, data, *trusting(rest)) == 0
    home = Home(data)
    registration = home.registration()
    assert (registration.consumer_id, registration.uid) == ("web1", UID)
    assert stat.S_IMODE(home.identity.stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert rest.authority.certificate_pem.strip() in home.ca.read_text()
    (body,) = rest.bodies
    assert body["path"] == "/api/v1/consumers"
    assert {k: body[k] for k in ("id", "token")} == {"id": "web1", "token": "t"}
    assert "PRIVATE" not in json.dumps(body) and not (data / "register.key").exists()
    pem = home.identity.read_text()
    assert read_certificate(pem[pem.index("-----BEGIN CERT") :]).common_name == UID


@pytest.mark.parametrize("which", ["leaf", "ca"])
def test_a_fingerprint_proves_the_server(rest: Rest, data: Path, which: str) -> None:
    digits = rest.leaf_fingerprint if which == "leaf" else rest.ca_fingerprint
    spelled = ":".join(re.findall("..", digits.upper()))
    assert run(rest, data, "--fingerprint", spelled) == 0


def test_a_pinned_ca_does_not_excuse_a_foreign_name(tmp_path: Path, data: Path) -> None:
    rest = Rest(tmp_path, ["elsewhere.example"])
    assert run(rest, data, "--fingerprint", rest.ca_fingerprint) == 2
    assert run(rest, data, *trusting(rest)) == 2
    rest.close()
    assert rest.bodies == []


def test_nothing_is_sent_to_a_server_that_is_not_proven(
    rest: Rest, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(Authority.create().certificate_pem)
    assert run(rest, data) == 2
    assert "--ca FILE" in capsys.readouterr().err
    assert run(rest, data, "--ca", str(other)) == 2
    assert run(rest, data, "--fingerprint", "0" * 64) == 2
    assert "has the fingerprint" in capsys.readouterr().err
    assert rest.bodies == []


def test_a_lost_answer_does_no_harm(rest: Rest, data: Path) -> None:
    rest.answer = lambda body: None
    assert run(rest, data, *trusting(rest)) == 2
    rest.answer = rest.registered
    assert run(rest, data, *trusting(rest)) == 0
    first, second = rest.bodies
    assert csr_key_fingerprint(first["csr"]) == csr_key_fingerprint(second["csr"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            problem(403, "the token is not valid"),
            ["(403)", "the token is not valid", "token create"],
        ),
        (problem(409, "web1 exists"), ["web1 exists", "--id"]),
        (problem(422, "x", [{"field": "id", "message": "is odd"}]), ["id: is odd"]),
        (lambda body: (502, b"<html>bad gateway"), ["(502)", "bad gateway"]),
        (lambda body: (201, b"{}"), ["cannot be read", "consumer"]),
    ],
)
def test_every_refusal_is_one_sentence(
    rest: Rest, data: Path, capsys: pytest.CaptureFixture[str], answer: Any, words: list[str]
) -> None:
    rest.answer = answer
    assert run(rest, data, *trusting(rest)) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in words) and told.count("\n") == 1
    with pytest.raises(HomeError, match="not registered"):
        Home(data).registration()


def test_a_certificate_for_another_key_is_refused(
    rest: Rest, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pulp.crypto.keys import make_csr

    foreign = make_csr(new_key(), common_name="x")
    rest.answer = lambda body: rest.registered(body | {"csr": foreign})
    assert run(rest, data, *trusting(rest)) == 2
    assert "does not fit this host's key" in capsys.readouterr().err


def test_another_consumers_journal_is_put_aside(rest: Rest, data: Path) -> None:
    assert run(rest, data, *trusting(rest)) == 0
    home = Home(data)
    home.journal.write_bytes(b"old")
    assert run(rest, data, *trusting(rest)) == 0
    assert home.journal.exists()
    home.save_registration(replace(home.registration(), uid="older"))
    assert run(rest, data, *trusting(rest)) == 0
    assert not home.journal.exists() and (data / "journal.older").read_bytes() == b"old"


def test_it_does_not_replace_the_identity_of_a_running_agent(
    rest: Rest, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(data)
    home.make()
    lock = home.lock()
    assert run(rest, data, *trusting(rest)) == 2
    assert "another pulp-agent runs" in capsys.readouterr().err
    os.close(lock)


def test_without_a_token_it_says_where_one_comes_from(
    rest: Rest, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["register", "--server", rest.url, "--data", str(data), *trusting(rest)]
    with pytest.raises(SystemExit):
        main(argv)
    assert "PULP_AGENT_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("PULP_AGENT_TOKEN", "from-env")
    with pytest.raises(SystemExit):
        main(argv)
    assert rest.bodies[-1]["token"] == "from-env"
    assert rest.bodies[-1]["id"] == os.uname().nodename


@pytest.mark.parametrize("text", ["http://x", "https://", "https://x/path", "https://x:99999", ""])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(HttpsError):
        address(text)


def test_addresses() -> None:
    assert address("pulp.example.com") == ("pulp.example.com", 8443)
    assert address("https://pulp.example.com:1/") == ("pulp.example.com", 1)
