"""The codec: what goes in comes out, and whatever bytes come in, only RemoteCallError comes out."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_strategies import TO_AGENT, TO_SERVER, json_values, messages

from pulp.common.times import LAST
from pulp.rmi.codec import GZIP, MAX_BODY, MAX_WIRE, decode_for_agent, decode_for_server, encode
from pulp.rmi.errors import LocalCallError, RemoteCallError
from pulp.rmi.messages import (
    Accepted,
    Bye,
    Cancel,
    Hello,
    InstalledPackage,
    Profile,
    Progress,
    Succeeded,
    ToAgent,
    ToServer,
)

ID = "5f0c8e0a-1f0e-4c57-9f5e-0d6f8a3b2c1d"
REASONS = {"unreadable", "unknown-type", "unknown-protocol", "bad-arguments"}


def same(left: Any, right: Any) -> bool:
    return msgspec.json.encode(left) == msgspec.json.encode(right)


@given(messages(*TO_AGENT))
def test_every_message_to_an_agent_comes_back_as_it_was(message: ToAgent) -> None:
    again = decode_for_agent(*encode(message))
    assert type(again) is type(message)
    assert same(again, message)


@given(messages(*TO_SERVER))
def test_every_message_to_a_server_comes_back_as_it_was(message: ToServer) -> None:
    again = decode_for_server(*encode(message))
    assert type(again) is type(message)
    assert same(again, message)


def test_every_message_of_the_wire_page_has_a_type() -> None:
    tags = {type_.__struct_config__.tag for type_ in TO_AGENT + TO_SERVER}
    assert len(tags) == len(TO_AGENT) + len(TO_SERVER)
    assert {"welcome", "request", "hello", "too-late", "succeeded", "renew"} <= tags


def refusal(body: bytes, encoding: str | None = None) -> RemoteCallError:
    with pytest.raises(RemoteCallError) as caught:
        decode_for_server(body, encoding)
    return caught.value


@given(st.binary(max_size=200), st.sampled_from([None, "", GZIP, "br"]))
def test_no_bytes_break_the_decoder(body: bytes, encoding: str | None) -> None:
    for decode in (decode_for_agent, decode_for_server):
        try:
            decode(body, encoding)
        except RemoteCallError as error:
            assert error.reason in REASONS
            assert error.expected


@given(
    st.dictionaries(st.sampled_from(["type", "v", "id", "at", "now", "state", "x"]), json_values)
)
def test_no_json_object_breaks_the_decoder(data: dict[str, Any]) -> None:
    try:
        decode_for_server(json.dumps(data).encode(), None)
    except RemoteCallError as error:
        assert error.reason in REASONS
        assert error.found


@given(messages(*TO_SERVER), st.data())
def test_a_cut_message_is_unreadable(message: ToServer, data: st.DataObject) -> None:
    body, encoding = encode(message)
    cut = data.draw(st.integers(0, len(body) - 1))
    assert refusal(body[:cut], encoding).reason == "unreadable"


@settings(max_examples=200)
@given(messages(Hello, Accepted, Succeeded), st.data())
def test_a_damaged_byte_breaks_nothing(message: ToServer, data: st.DataObject) -> None:
    body = bytearray(encode(message).body)
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_for_server(bytes(body), None)
    except RemoteCallError as error:
        assert error.reason in REASONS


def test_unknown_fields_are_ignored() -> None:
    body = b'{"type":"bye","v":1,"now":7,"later":{"a":[1,2]}}'
    assert decode_for_server(body, None) == Bye(now=7)


def test_a_field_that_breaks_a_rule_is_shown() -> None:
    hello = json.loads(encode(HELLO).body)
    hello["calls"] = [{"id": "a", "state": "held"}, {"id": "b c", "state": "held"}]
    error = refusal(json.dumps(hello).encode())
    assert error.expected.startswith("calls[1].id: str matching regex")
    assert error.found == "'b c'"


def test_an_unknown_type_is_named_with_its_call() -> None:
    error = refusal(b'{"type":"dance","v":1,"id":"%s"}' % ID.encode())
    assert (error.reason, error.type, error.call_id, error.found) == (
        "unknown-type",
        "dance",
        ID,
        "'dance'",
    )


def test_another_ends_message_is_an_unknown_type() -> None:
    body, encoding = encode(Cancel(id=ID))
    assert refusal(body, encoding).reason == "unknown-type"


def test_a_missing_type_is_an_unknown_type() -> None:
    error = refusal(b'{"v":1}')
    assert (error.reason, error.type, error.found) == ("unknown-type", None, "None")


def test_another_protocol_explains_every_other_oddity() -> None:
    error = refusal(b'{"type":"dance","v":2,"id":"%s"}' % ID.encode())
    assert (error.reason, error.expected, error.found) == ("unknown-protocol", "v: 1", "2")
    assert error.call_id == ID


def test_a_message_of_another_protocol_that_looks_like_ours_is_refused() -> None:
    assert refusal(b'{"type":"bye","v":2,"now":1}').reason == "unknown-protocol"


@pytest.mark.parametrize(
    ("body", "field", "found"),
    [
        (b'{"type":"started","v":1,"id":"a","at":"soon"}', "at: int", "str"),
        (b'{"type":"started","v":1,"id":"a"}', "at: a value", "none"),
        (b'{"type":"started","v":1,"id":"a","at":-1}', "at: int >= 0", "-1"),
        (b'{"type":"started","v":1,"id":"a","at":true}', "at: int", "bool"),
        (
            b'{"type":"started","v":1,"id":"a","at":1e999}',
            "at: a valid value",
            "Number out of range",
        ),
        (b'{"type":"accepted","v":1,"id":"a","state":"new"}', "state: a known value", "'new'"),
        (b'{"type":"bye","v":"1","now":1}', "v: 1", "'1'"),
        (b'{"type":"bye","v":null,"now":1}', "v: int", "null"),
    ],
)
def test_a_bad_field_is_named(body: bytes, field: str, found: str) -> None:
    error = refusal(body)
    assert error.expected == field
    assert error.found == found


def test_a_bad_field_deep_inside_is_named_by_its_path() -> None:
    hello = json.loads(encode(HELLO).body)
    hello["calls"] = [{"id": "a", "state": "held"}, {"id": "b", "state": "gone"}]
    error = refusal(json.dumps(hello).encode())
    assert error.expected == "calls[1].state: a known value"
    assert error.found == "'gone'"
    assert error.reason == "bad-arguments"


@pytest.mark.parametrize("bad", ["", "../etc", "a/b", "a\n", "-x", "x" * 129, ".hidden"])
def test_an_id_that_is_no_file_name_is_refused_and_not_handed_on(bad: str) -> None:
    error = refusal(json.dumps({"type": "started", "v": 1, "id": bad, "at": 1}).encode())
    assert error.reason == "bad-arguments"
    assert error.call_id is None


def test_a_time_beyond_the_calendar_is_refused() -> None:
    body = b'{"type":"bye","v":1,"now":%d}'
    assert decode_for_server(body % LAST, None) == Bye(now=LAST)
    assert refusal(body % (LAST + 1)).reason == "bad-arguments"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"null",
        b"\xef\xbb\xbf{}",
        b'{"type":"bye","v":1,"now":1}{}',
        b'{"type":"bye","v":1,"now":1,"later":"\xff"}',
        b'{"type":"succeeded","v":1,"id":"a","value":"\xff","started":1,"finished":2}',
        b'{"type":"succeeded","v":1,"id":"a","value":"\\ud800","started":1,"finished":2}',
        b'{"type":"bye","v":1,"now":1,"later":' + b"[" * 90_000 + b"]" * 90_000 + b"}",
    ],
)
def test_what_is_no_json_object_in_utf8_is_unreadable(body: bytes) -> None:
    assert refusal(body).reason == "unreadable"


def test_errors_stay_short_whatever_the_peer_wrote() -> None:
    body = json.dumps({"type": "x" * 500_000, "v": 1, "id": ID}).encode()
    error = refusal(body)
    assert len(str(error)) < 1_000
    assert len(error.found) < 300
    assert error.call_id == ID


# --- size and gzip ---

HELLO = Hello(
    agent="1.0",
    protocols=[1],
    methods={"System.ping": [1]},
    features=[],
    now=1,
    boot_id="b",
    timezone="UTC",
    os={},
    journal_id="j",
    journal_seq=0,
    calls=[],
)


def progress(message: str) -> Progress:
    return Progress(id=ID, seq=1, phase="commit", percent=1, message=message)


def noise(size: int) -> str:
    return random.Random(1).randbytes(size // 2).hex()


def test_a_small_message_travels_as_it_is() -> None:
    body, encoding = encode(progress("x" * 8_000))
    assert encoding is None
    assert json.loads(body)["message"] == "x" * 8_000


def test_a_large_message_is_packed_when_that_helps() -> None:
    message = progress("x" * 3_000_000)
    body, encoding = encode(message)
    assert encoding == GZIP
    assert len(body) < 30_000
    assert json.loads(gzip.decompress(body))["message"] == message.message
    assert decode_for_server(body, encoding) == message


def test_packing_is_the_same_every_time() -> None:
    assert encode(progress("x" * 100_000)) == encode(progress("x" * 100_000))


def test_what_exceeds_the_wire_is_our_own_error() -> None:
    with pytest.raises(LocalCallError, match=str(MAX_WIRE)):
        encode(progress(noise(4 * MAX_WIRE)))


def test_what_exceeds_the_unpacked_limit_is_our_own_error() -> None:
    with pytest.raises(LocalCallError, match=str(MAX_BODY)):
        encode(progress("x" * MAX_BODY))


def test_text_that_is_no_unicode_is_our_own_error() -> None:
    with pytest.raises(LocalCallError, match="Progress"):
        encode(progress("\udcff"))


def test_a_gzip_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(b"0" * (5 * MAX_BODY))
    assert len(bomb) < MAX_WIRE
    tracemalloc.start()
    error = refusal(bomb, GZIP)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.reason == "unreadable"
    assert str(MAX_BODY) in error.expected
    assert peak < 4 * MAX_BODY


def test_exactly_the_limit_is_still_read() -> None:
    message = progress("x" * (MAX_BODY - len(encode(progress("")).body)))
    assert decode_for_server(*encode(message)) == message


def test_more_than_the_wire_allows_is_refused_unread() -> None:
    assert refusal(b" " * (MAX_WIRE + 1)).reason == "unreadable"


@pytest.mark.parametrize("cut", [0, 1, 9, 40, -1])
def test_cut_gzip_is_unreadable(cut: int) -> None:
    packed = gzip.compress(encode(HELLO).body)
    assert refusal(packed[:cut], GZIP).reason == "unreadable"


def test_gzip_with_something_after_it_is_unreadable() -> None:
    packed = gzip.compress(encode(HELLO).body)
    assert decode_for_server(packed, GZIP) == HELLO
    assert refusal(packed + packed, GZIP).reason == "unreadable"


def test_another_encoding_is_named() -> None:
    error = refusal(b"{}", "br")
    assert (error.reason, error.found) == ("unreadable", "br")


def test_the_profile_of_a_large_host_fits() -> None:
    packages = [
        InstalledPackage(
            name=f"lib{noise(12)}{i}", version=f"1:{i}.0-{noise(6)}+deb12u1", arch="amd64"
        )
        for i in range(20_000)
    ]
    profile = Profile(hash="h", packages=packages)
    assert decode_for_server(*encode(profile)) == profile
