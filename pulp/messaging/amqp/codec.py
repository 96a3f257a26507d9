"""A Message as the bytes of an AMQP 1.0 bare message, and back. Sans-I/O; strict about what a peer sends."""

from __future__ import annotations

import uuid

from pulp.messaging.amqp.primitives import (
    NULL,
    Malformed,
    Value,
    binary,
    described_list,
    descriptor,
    list_bounds,
    read,
    skip,
    string,
    symbol,
)
from pulp.messaging.base import Message

MAX_WIRE_SIZE = 1 << 20
"""The most bytes one message may have on the wire (docs/WIRE.md)."""

# AMQP 1.0 part 3, 3.2: the sections in the order they must come in.
_HEADER, _PROPERTIES, _APPLICATION_PROPERTIES = 0x70, 0x73, 0x74
_DATA, _SEQUENCE, _VALUE, _FOOTER = 0x75, 0x76, 0x77, 0x78
_NONE = (None,) * 8
_READ_PROPERTIES, _ALL_PROPERTIES = len(_NONE), 13
_NULL = 0x40
_MESSAGE_ID, _SUBJECT, _CORRELATION_ID, _CONTENT_TYPE, _CONTENT_ENCODING = 0, 3, 5, 6, 7
_DEFAULT_CONTENT_TYPE = "application/json"

__all__ = ["MAX_WIRE_SIZE", "Malformed", "decode", "encode"]


def encode(message: Message) -> bytes:
    """The properties and one Data section. Raises UnicodeError when a content type or encoding is not ASCII."""
    correlation_id, encoding = message.correlation_id, message.content_encoding
    properties = described_list(
        _PROPERTIES,
        string(message.id),
        NULL,
        NULL,
        string(message.subject),
        NULL,
        NULL if correlation_id is None else string(correlation_id),
        symbol(message.content_type),
        NULL if encoding is None else symbol(encoding),
    )
    return b"%b\x00\x53\x75%b" % (properties, binary(message.body))


def decode(data: bytes) -> Message:
    """Raises Malformed, and nothing else, whatever the bytes are."""
    try:
        properties, body = _sections(data)
        return _message(properties, body)
    except IndexError:
        raise Malformed("The message ends in the middle of a value") from None
    except UnicodeDecodeError:
        raise Malformed("A string of the message is not UTF-8") from None


def _sections(data: bytes) -> tuple[tuple[Value, ...], bytes]:
    """The first properties and the joined Data sections; other sections are skipped."""
    at, last, size = 0, 0, len(data)
    properties: tuple[Value, ...] = _NONE
    parts: list[bytes] = []
    while at < size:
        section, at = descriptor(data, at)
        if section < last or (section == last and section != _DATA):
            raise Malformed(f"Section 0x{section:x} may not follow section 0x{last:x}")
        last = section
        if section == _PROPERTIES:
            properties, at = _properties(data, at)
        elif section == _DATA:
            part, at = read(data, at)
            if not isinstance(part, bytes):
                raise Malformed("A Data section does not hold binary")
            parts.append(part)
        else:
            at = _skip_section(data, at, section)
    if not parts:
        raise Malformed("The message has no Data section; send the body as binary in one")
    return properties, parts[0] if len(parts) == 1 else b"".join(parts)


def _skip_section(data: bytes, at: int, section: int) -> int:
    if section in (_SEQUENCE, _VALUE):
        raise Malformed("The body must be a Data section, not a sequence or a value")
    if not _HEADER <= section <= _FOOTER:
        raise Malformed(f"0x{section:x} is no section of a message")
    return skip(data, at)


def _properties(data: bytes, at: int) -> tuple[tuple[Value, ...], int]:
    """The first eight fields, None where the list is shorter."""
    count, at, end = list_bounds(data, at)
    fields: list[Value] = []
    for _ in range(min(count, _READ_PROPERTIES)):
        if data[at] == _NULL:  # most of them: not worth a call
            fields.append(None)
            at += 1
        else:
            field, at = read(data, at)
            fields.append(field)
    for _ in range(_READ_PROPERTIES, min(count, _ALL_PROPERTIES)):
        at = skip(data, at)
    if at != end:
        raise Malformed("The properties do not fill their list")
    return (*fields, *_NONE[len(fields) :]), end


def _message(properties: tuple[Value, ...], body: bytes) -> Message:
    message_id = _identifier("message-id", properties[_MESSAGE_ID])
    subject = _text("subject", properties[_SUBJECT])
    if message_id is None or subject is None:
        missing = "message-id" if message_id is None else "subject"
        raise Malformed(f"The property {missing} is missing")
    return Message(
        body=body,
        id=message_id,
        subject=subject,
        correlation_id=_identifier("correlation-id", properties[_CORRELATION_ID]),
        content_type=_text("content-type", properties[_CONTENT_TYPE]) or _DEFAULT_CONTENT_TYPE,
        content_encoding=_text("content-encoding", properties[_CONTENT_ENCODING]),
    )


def _text(name: str, value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise Malformed(f"The property {name} is no text")


def _identifier(name: str, value: Value) -> str | None:
    """AMQP also allows a number or a UUID where the product uses text; binary would be ambiguous."""
    if isinstance(value, int | uuid.UUID):
        return str(value)
    return _text(name, value)
