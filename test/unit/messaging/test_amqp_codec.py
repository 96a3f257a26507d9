"""Bare messages: what we write others can read, what others may write we read, and nothing else gets through."""

from __future__ import annotations

import uuid

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp.messaging.amqp.codec import decode, encode
from pulp.messaging.amqp.primitives import NULL, Malformed, binary, described_list, string, symbol
from pulp.messaging.base import Message

texts = st.text(max_size=300)
symbols = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200)
messages = st.builds(
    Message,
    body=st.binary(max_size=70_000),
    id=texts,
    subject=texts,
    correlation_id=st.none() | texts,
    content_type=symbols,
    content_encoding=st.none() | symbols,
)
PROPERTIES = described_list(0x73, string("m1"), NULL, NULL, string("hello"))
DATA = b"\x00\x53\x75\xa0\x02{}"


@given(messages)
def test_round_trip(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        decode(data)
    except Malformed as error:
        assert str(error)


@given(messages, st.data())
def test_a_changed_or_cut_message_is_a_message_or_malformed(message: Message, data: st.DataObject):
    wire = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    for candidate in (wire, wire[:cut]):
        try:
            decode(bytes(candidate))
        except Malformed:
            continue


@given(messages)
def test_every_true_prefix_is_malformed(message: Message) -> None:
    wire = encode(message)
    for end in {0, 1, 3, len(wire) // 2, len(wire) - 1}:
        with pytest.raises(Malformed):
            decode(wire[:end])


def test_proton_reads_what_we_write_and_we_read_what_proton_writes() -> None:
    ours = Message(b"{}" * 500, "m1", "hello", "task", "application/json", "gzip")
    theirs = proton.Message()
    theirs.decode(encode(ours))
    assert (theirs.id, theirs.subject, theirs.correlation_id) == ("m1", "hello", "task")
    assert (theirs.content_type, theirs.content_encoding) == ("application/json", "gzip")
    assert bytes(theirs.body) == ours.body

    theirs = proton.Message(
        body=b"{}",
        inferred=True,
        id="m1",
        subject="hello",
        correlation_id="task",
        ttl=5,
        durable=True,
        reply_to="nowhere",
        group_id="g",
        group_sequence=7,
        creation_time=12.5,
        properties={"a": 1, "b": [1, {"c": None}]},
        annotations={proton.symbol("x-opt"): proton.int32(3)},
    )
    assert decode(bytes(theirs.encode())) == Message(b"{}", "m1", "hello", "task")


def test_ids_may_be_numbers_or_uuids() -> None:
    number = uuid.uuid4()
    theirs = proton.Message(body=b"{}", inferred=True, id=17, correlation_id=number, subject="s")
    assert decode(bytes(theirs.encode())) == Message(b"{}", "17", "s", str(number))


def test_several_data_sections_are_one_body() -> None:
    assert decode(PROPERTIES + DATA + b"\x00\x53\x75\xa0\x01x").body == b"{}x"


def test_skipped_sections_may_be_nested_without_bound() -> None:
    deep = b"\x00\x53\x78" + b"\x00\x40" * 100_000 + b"\x40"
    assert decode(PROPERTIES + DATA + deep).id == "m1"


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"", "no Data section"),
        (PROPERTIES, "no Data section"),
        (DATA, "message-id is missing"),
        (described_list(0x73, string("m1")) + DATA, "subject is missing"),
        (described_list(0x73, binary(b"m1"), NULL, NULL, string("s")) + DATA, "message-id is no"),
        (described_list(0x73, string("m"), NULL, NULL, b"\x52\x01") + DATA, "subject is no text"),
        (DATA + PROPERTIES, "may not follow"),
        (PROPERTIES + PROPERTIES + DATA, "may not follow"),
        (PROPERTIES + b"\x00\x53\x77\xa1\x02hi", "not a sequence or a value"),
        (PROPERTIES + b"\x00\x53\x76\x45", "not a sequence or a value"),
        (PROPERTIES + b"\x00\x53\x75\xa1\x02hi", "does not hold binary"),
        (PROPERTIES + DATA + b"\x00\x53\x79\x45", "no section"),
        (b"\x00\xa3\x01x\x45", "no number"),
        (b"{}", "no described type"),
        (PROPERTIES + b"\x00\x53\x75\xb0\xff\xff\xff\xff{}", "longer than what is left"),
        (PROPERTIES + DATA + b"\x00\x53\x78\xd1\xff\xff\xff\xff", "longer than what is left"),
        (b"\x00\x53\x73\xc0\x05\x01\xa1\x01m\x40" + DATA, "do not fill"),
        (b"\x00\x53\x73\xc0\x00\x00" + DATA, "does not fit"),
        (b"\x00\x53\x73\xd0\x00\x00\x00\xff\x00\x00\x00\x00" + DATA, "does not fit"),
        (described_list(0x73, b"\xa1\x01\xff") + DATA, "not UTF-8"),
        (described_list(0x73, b"\xc1\x01\x00") + DATA, "unexpected type"),
        (b"\x00\x53\x70\x10" + PROPERTIES + DATA, "no AMQP type"),
    ],
)
def test_what_is_wrong_is_said(wire: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        decode(wire)


def test_long_property_lists_and_wide_forms_are_read() -> None:
    fields = [string("m"), NULL, NULL, string("s" * 400), NULL, NULL, symbol("text/plain"), NULL]
    wire = described_list(0x73, *fields, NULL, NULL, string("g"), b"\x43", NULL)
    wide = b"\x00\x80" + (0x75).to_bytes(8) + b"\xb0\x00\x00\x00\x02ok"
    assert decode(wire + wide) == Message(b"ok", "m", "s" * 400, None, "text/plain")
