"""A request is whole or it is not, wherever its bytes are cut; what cannot be taken is refused before it has arrived."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from pulp.server.webservices.serving.intake import LONGEST_BODY, LONGEST_HEAD, Intake

POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"


def fed(data: bytes) -> Intake:
    intake = Intake()
    intake.feed(data)
    return intake


@pytest.mark.parametrize("cut", range(len(POST)))
def test_a_request_cut_anywhere_is_not_ready_until_its_last_byte(cut: int) -> None:
    intake = Intake()
    if cut:
        intake.feed(POST[:cut])
    assert not intake.ready
    intake.feed(POST[cut:])
    assert intake.ready
    assert intake.take() == POST
    assert not len(intake)


def test_byte_by_byte_gives_the_same_requests_as_all_at_once() -> None:
    stream = POST + GET + POST
    intake, taken = Intake(), []
    for n in range(len(stream)):
        intake.feed(stream[n : n + 1])
        if intake.ready:
            taken.append(intake.take())
    assert taken == [POST, GET, POST]

    intake, taken = fed(stream), []
    while intake.ready:
        taken.append(intake.take())
    assert taken == [POST, GET, POST]


def test_blank_lines_before_a_request_are_skipped() -> None:
    assert fed(b"\r\n\r\n" + GET).take() == GET


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", HTTPStatus.BAD_REQUEST),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            HTTPStatus.BAD_REQUEST,
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            HTTPStatus.LENGTH_REQUIRED,
        ),
        (
            f"POST / HTTP/1.1\r\ncontent-length: {LONGEST_BODY + 1}\r\n\r\n".encode(),
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ),
        (
            b"GET / HTTP/1.1\r\nX: " + b"a" * LONGEST_HEAD + b"\r\n\r\n",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
        (b"A" * (LONGEST_HEAD + 1), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    ],
)
def test_what_cannot_be_taken_is_refused(data: bytes, status: HTTPStatus) -> None:
    intake = fed(data)
    assert intake.refusal is not None and intake.refusal.status == status
    assert not intake.ready


def test_the_largest_body_is_taken() -> None:
    head = f"POST / HTTP/1.1\r\nContent-Length: {LONGEST_BODY}\r\n\r\n".encode()
    assert fed(head + b"x" * LONGEST_BODY).ready


def test_a_client_that_waits_for_permission_is_seen() -> None:
    intake = fed(b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
    assert intake.expects_continue and not intake.ready
