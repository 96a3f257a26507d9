"""SASL at both ends: EXTERNAL goes through, byte by byte too; everything else is refused and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp.messaging.amqp.primitives import binary, described_list, symbol
from pulp.messaging.amqp.sasl import (
    AMQP_HEADER,
    MAX_FRAME,
    SASL_HEADER,
    ClientSasl,
    SaslError,
    SaslUnsure,
    ServerSasl,
)
from pulp.messaging.base import CannotTell

REFUSED = described_list(0x44, b"\x50\x01")


def frame(body: bytes, *, kind: int = 1, size: int | None = None) -> bytes:
    return (size or len(body) + 8).to_bytes(4) + b"\x02%c\x00\x00" % kind + body


def init(mechanism: str = "EXTERNAL", response: bytes | None = b"") -> bytes:
    fields = [symbol(mechanism)] if response is None else [symbol(mechanism), binary(response)]
    return frame(described_list(0x41, *fields))


def server(*, accepts: bool = True, wanted: list[str] | None = None) -> ServerSasl:
    def authenticate(identity: str) -> bool:
        if wanted is not None:
            wanted.append(identity)
        return accepts

    return ServerSasl(authenticate)


def output(sasl: ServerSasl | ClientSasl) -> bytes:
    data, sasl.output = sasl.output, b""
    return data


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_both_ends_agree_whatever_the_pieces_are(step: int) -> None:
    ends = {"client": ClientSasl(), "server": server()}
    rest: dict[str, bytes | None] = {"client": None, "server": None}
    for _ in range(10):
        for name, other in (("client", "server"), ("server", "client")):
            data = output(ends[name])
            if name == "client" and rest["client"] is not None:
                data += AMQP_HEADER + b"open"
            for at in range(0, len(data), step):
                if rest[other] is None:
                    rest[other] = ends[other].feed(data[at : at + step])
        if rest["server"] is not None:
            break
    assert rest["client"] == b""
    assert rest["server"] is not None and (AMQP_HEADER + b"open").startswith(rest["server"])


def test_a_client_may_send_everything_at_once() -> None:
    wanted: list[str] = []
    sasl = server(wanted=wanted)
    rest = sasl.feed(SASL_HEADER + init() + AMQP_HEADER + b"more")
    assert (rest, wanted) == (AMQP_HEADER + b"more", [""])
    assert sasl.output.startswith(SASL_HEADER) and b"EXTERNAL" in sasl.output


def test_the_identity_that_is_asked_for_reaches_the_hook() -> None:
    wanted: list[str] = []
    server(wanted=wanted).feed(SASL_HEADER + init(response=b"someone"))
    server(wanted=wanted).feed(SASL_HEADER + init(response=None))
    assert wanted == ["someone", ""]


def test_a_server_that_cannot_tell_just_now_refuses_nobody_for_good() -> None:
    def authenticate(_: str) -> bool:
        raise CannotTell("the store cannot be read just now")

    asked, asks = ServerSasl(authenticate), ClientSasl()
    with pytest.raises(SaslUnsure, match="store") as told:
        asked.feed(SASL_HEADER + init())
    assert told.value.condition == "amqp:internal-error"
    with pytest.raises(SaslUnsure, match="just now"):
        asks.feed(output(asked))


def test_a_certificate_that_is_not_accepted_is_told_so() -> None:
    sasl = server(accepts=False)
    with pytest.raises(SaslError, match="certificate"):
        sasl.feed(SASL_HEADER + init())
    assert sasl.output.endswith(REFUSED)
    client = ClientSasl()
    with pytest.raises(SaslError, match="not accept"):
        client.feed(sasl.output)


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "PLAIN", "external", ""])
def test_another_mechanism_is_refused_and_the_hook_not_asked(mechanism: str) -> None:
    wanted: list[str] = []
    sasl = server(wanted=wanted)
    with pytest.raises(SaslError, match="not offered"):
        sasl.feed(SASL_HEADER + init(mechanism, b"\0user\0password"))
    assert wanted == [] and sasl.output.endswith(REFUSED)


@pytest.mark.parametrize(
    "data",
    [
        AMQP_HEADER,  # skipping SASL
        b"GET / HTTP/1.1\r\n",
        b"A" * 3,
        SASL_HEADER + frame(b"", kind=0),
        SASL_HEADER + frame(b"", size=MAX_FRAME + 1),
        SASL_HEADER + b"\xff\xff\xff\xff\x02\x01\x00\x00",
        SASL_HEADER + b"\x00\x00\x00\x04\x02\x01\x00\x00",
        SASL_HEADER + b"\x00\x00\x00\x08\xff\x01\x00\x00",
        SASL_HEADER + frame(b""),
        SASL_HEADER + frame(b"\x00\x53\x41"),
        SASL_HEADER + frame(b"\x00\x53\x41\x45"),
        SASL_HEADER + frame(described_list(0x41, b"\xa3\xff")),
        SASL_HEADER + frame(described_list(0x41, symbol("EXTERNAL"), b"\xa1\x01x")),
        SASL_HEADER + frame(described_list(0x41, symbol("EXTERNAL"), binary(b"\xff\xfe"))),
        SASL_HEADER + frame(described_list(0x44, b"\x50\x00")),
        SASL_HEADER + init() + SASL_HEADER,  # a second SASL layer
        SASL_HEADER + init() + b"junk",
    ],
)
def test_wrong_bytes_are_refused_as_soon_as_they_are_seen(data: bytes) -> None:
    with pytest.raises(SaslError):
        server().feed(data)


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_only_ever_raise_sasl_errors(data: bytes, after_header: bool) -> None:
    for sasl in (server(), ClientSasl()):
        try:
            sasl.feed(SASL_HEADER + data if after_header else data)
        except SaslError:
            continue


def test_a_server_without_external_is_refused() -> None:
    mechanisms = frame(described_list(0x40, symbol("PLAIN")))
    with pytest.raises(SaslError, match="offer"):
        ClientSasl().feed(SASL_HEADER + mechanisms)


def test_a_server_that_sends_the_mechanisms_as_an_array_is_understood() -> None:
    names = b"\x05PLAIN\x08EXTERNAL"
    array = b"\xe0%c\x02\xa3%b" % (len(names) + 2, names)
    client = ClientSasl()
    assert client.feed(SASL_HEADER + frame(described_list(0x40, array))) is None
    assert client.output.endswith(init())
