"""Clients that are slow, silent, broken or malicious: none of them takes a thread, and the others are served meanwhile."""

from __future__ import annotations

import errno
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import rest_world
from rest_world import OPERATOR, Site, agent_info

from pulp.server.webservices.serving import connection as connections

THREADS = 2
STATUS = b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """With far fewer threads than there are bad clients in each test."""
    with rest_world.site(tmp_path, threads=THREADS) as made:
        made.rest.register("web1", agent=agent_info(), online=True)
        yield made


def plain(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.server.port), timeout=10)


def tls(site: Site) -> ssl.SSLSocket:
    return site.tls().wrap_socket(plain(site), server_hostname="127.0.0.1")


def received(sock: socket.socket) -> bytes:
    """All until the end of the stream."""
    data = b""
    while True:
        try:
            piece = sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return data
        if not piece:
            return data
        data += piece


def others_are_served(site: Site) -> None:
    with site.client(timeout=5) as client:
        begin = time.monotonic()
        for _ in range(3):
            assert client.get("/api/v1/status").status_code == 200
        assert time.monotonic() - begin < 3


def test_silent_clients_take_no_thread(site: Site) -> None:
    with ExitStack() as stack:
        for _ in range(10 * THREADS):
            stack.enter_context(plain(site))
        others_are_served(site)


def test_clients_silent_after_the_handshake_take_no_thread(site: Site) -> None:
    with ExitStack() as stack:
        for _ in range(10 * THREADS):
            stack.enter_context(tls(site))
        others_are_served(site)


def test_half_a_hello_takes_no_thread(site: Site) -> None:
    with ExitStack() as stack:
        for _ in range(10 * THREADS):
            sock = stack.enter_context(plain(site))
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        others_are_served(site)


def test_half_a_head_or_half_a_body_takes_no_thread(site: Site) -> None:
    token = site.login(OPERATOR)
    head = (
        b"POST /api/v1/consumers/web1/actions/install HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n"
        + f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    with ExitStack() as stack:
        for part in (head[:40], head, head + b'{"packages":') * (5 * THREADS):
            stack.enter_context(tls(site)).sendall(part)
        others_are_served(site)


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 2000, b"\xff" * 100, b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05hello"]
)
def test_garbage_instead_of_tls_ends_the_connection(site: Site, garbage: bytes) -> None:
    with plain(site) as sock:
        sock.sendall(garbage)
        received(sock)
    others_are_served(site)


def test_plain_http_is_told_to_use_https(site: Site) -> None:
    with plain(site) as sock:
        sock.sendall(STATUS)
        answer = received(sock)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer


def test_old_tls_is_refused(site: Site) -> None:
    context = site.tls()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with plain(site) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="127.0.0.1")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_broken_http_is_a_problem_too(site: Site, request_: bytes, status: int) -> None:
    with tls(site) as sock:
        sock.sendall(request_)
        head, _, body = received(sock).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
    assert b"Content-Type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], bool(problem["detail"])) == (status, True)
    assert b"Traceback" not in body


def test_requests_may_be_sent_before_the_answers_are_read(site: Site) -> None:
    with tls(site) as sock:
        sock.sendall(STATUS * 20 + STATUS.replace(b"Host", b"Connection: close\r\nHost"))
        answers = received(sock)
    assert answers.count(b"HTTP/1.1 200 OK") == 21


def test_a_bad_request_behind_a_good_one_is_answered_too(site: Site) -> None:
    with tls(site) as sock:
        sock.sendall(STATUS + b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n")
        answers = received(sock)
    assert answers.startswith(b"HTTP/1.1 200 ") and b"HTTP/1.1 400 " in answers


def test_without_descriptors_the_server_waits_and_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = site.server._server.socket
    failures = iter(range(3))
    real = listening.accept

    class Accepting:
        def accept(self) -> Any:
            if next(failures, None) is None:
                return real()
            raise OSError(errno.EMFILE, "too many open files")

        def __getattr__(self, name: str) -> Any:
            return getattr(listening, name)

    monkeypatch.setattr(site.server._server, "socket", Accepting())
    with plain(site):
        others_are_served(site)
    assert next(failures, None) is None


def test_a_request_may_come_byte_by_byte(site: Site) -> None:
    with tls(site) as sock:
        for n in range(len(STATUS)):
            sock.sendall(STATUS[n : n + 1])
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_asks_first_is_told_to_go_on(site: Site) -> None:
    token = site.login(OPERATOR)
    body = b'{"packages":["nginx"]}'
    head = (
        "POST /api/v1/consumers/web1/actions/install HTTP/1.1\r\nHost: x\r\n"
        "Content-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with tls(site) as sock:
        sock.sendall(head.encode())
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert received(sock).startswith(b"HTTP/1.1 202 ")


def test_a_dripping_request_ends_at_its_deadline(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIME", 0.5)
    with tls(site) as sock:
        begin = time.monotonic()
        with pytest.raises((ConnectionError, ssl.SSLError, AssertionError)):
            for n in range(1000):
                sock.sendall(STATUS[n % 20 : n % 20 + 1])
                sock.settimeout(0.05)
                try:
                    assert sock.recv(1)
                except TimeoutError:
                    continue
        assert time.monotonic() - begin < 5


def test_a_silent_connection_is_closed_in_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HANDSHAKE_TIME", 0.2)
    with plain(site) as sock:
        assert received(sock) == b""


def test_unfinished_requests_together_have_a_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulp.server.webservices.server.MOST_HELD", 100_000)
    head = b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(tls(site)).sendall(head + b"x" * 24_000)
        with tls(site) as sock:
            sock.sendall(head + b"x" * 50_000)
            assert received(sock).startswith(b"HTTP/1.1 503 ")
    others_are_served(site)


def test_an_answer_that_nobody_reads_does_not_hold_its_thread_for_ever(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulp.server.webservices.serving.files.LONGEST_WRITE", 0.5)
    with ExitStack() as stack:
        for _ in range(2 * THREADS):
            sock = stack.enter_context(tls(site))
            request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
            sock.sendall(request * 200)  # 12 MB of answers
        others_are_served(site)


def test_clients_that_hang_up_while_they_wait_leave_nothing_behind(site: Site) -> None:
    with site.client(site.login(OPERATOR)) as client:
        url = "/api/v1/consumers/web1/actions/install"
        task = client.post(url, json={"packages": ["nginx"]}).json()
        for _ in range(5):
            with pytest.raises(httpx.ReadTimeout):
                client.get(f"/api/v1/tasks/{task['id']}?wait=1", timeout=0.2)
        deadline = time.monotonic() + 10
        while len(site.server._waiters):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert client.get(f"/api/v1/tasks/{task['id']}").status_code == 200


def test_start_and_stop_leave_no_thread_and_free_the_port(tmp_path: Path) -> None:
    with rest_world.site(tmp_path) as site:
        port = site.server.port
        others_are_served(site)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
