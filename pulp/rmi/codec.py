"""Messages to bytes and back (docs/WIRE.md, "Message"): strict, bounded, and clear about what was wrong.

Both ends decode through here, so nothing but `RemoteCallError` comes out for whatever bytes go in.
"""

from __future__ import annotations

import re
import zlib
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from pulp.common.ids import CALL_ID
from pulp.rmi.errors import LocalCallError, RemoteCallError
from pulp.rmi.faults import clip, fault_of
from pulp.rmi.messages import PROTOCOL, Message, ToAgent, ToServer

MAX_WIRE = 1024 * 1024
"""Bytes of one message's body as it travels."""
MAX_BODY = 16 * 1024 * 1024
"""Bytes of one message's JSON once unpacked."""
GZIP = "gzip"

_GZIP_FROM = 8 * 1024  # bytes; below it packing costs more than it saves
_GZIP_LEVEL = 3  # half the time of the default level for a tenth more bytes
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_call_id = re.compile(CALL_ID)

M = TypeVar("M", bound=Message)

_encoder = msgspec.json.Encoder()
_for_agent: msgspec.json.Decoder[ToAgent] = msgspec.json.Decoder(ToAgent)
_for_server: msgspec.json.Decoder[ToServer] = msgspec.json.Decoder(ToServer)


class Encoded(NamedTuple):
    """A message's body and its AMQP `content-encoding`."""

    body: bytes
    content_encoding: str | None


class _Head(Struct):
    """As much of a message as tells whose it is; read only after the strict reading failed."""

    type: Any = None
    v: Any = None
    id: Any = None


_head_decoder = msgspec.json.Decoder(_Head)


def encode(message: ToAgent | ToServer) -> Encoded:
    """LocalCallError when it is too large for the wire; for finals `pulp.rmi.fit.fit` prevents that."""
    try:
        body = _encoder.encode(message)
    except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise LocalCallError(f"a {type(message).__name__} cannot be written: {error}") from error
    return Encoded(body, None) if len(body) <= _GZIP_FROM else _encode_large(body)


def _encode_large(body: bytes) -> Encoded:
    if len(body) > MAX_BODY:
        raise LocalCallError(f"a message of {len(body)} bytes exceeds the {MAX_BODY} allowed")
    packed = _pack(body)
    encoded = Encoded(packed, GZIP) if len(packed) < len(body) else Encoded(body, None)
    if len(encoded.body) > MAX_WIRE:
        raise LocalCallError(
            f"a message of {len(encoded.body)} bytes exceeds the {MAX_WIRE} of the wire"
        )
    return encoded


def decode_for_agent(body: bytes, content_encoding: str | None) -> ToAgent:
    """Read what a server sent. RemoteCallError names the reason (`rejected` codes, or `unreadable`)."""
    return _decode(_for_agent, body, content_encoding)


def decode_for_server(body: bytes, content_encoding: str | None) -> ToServer:
    """Read what an agent sent. RemoteCallError as for `decode_for_agent`."""
    return _decode(_for_server, body, content_encoding)


def _decode(decoder: msgspec.json.Decoder[M], body: bytes, content_encoding: str | None) -> M:
    text = _unpack(body, content_encoding)
    try:
        message = decoder.decode(text)
        if not text.isascii():
            text.decode()  # msgspec leaves raw and unknown fields unchecked
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(text, error) from error
    if message.v != PROTOCOL:
        raise _explain(text, ValueError("another protocol"))
    return message


def _explain(text: bytes, error: Exception) -> RemoteCallError:
    """Why `text` was refused, and whose it is as far as that can be read."""
    try:
        head = _head_decoder.decode(text)
        text.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as cause:
        return _unreadable("one JSON object in UTF-8", clip(str(cause)))
    call_id = head.id if isinstance(head.id, str) and _call_id.match(head.id) else None
    type_ = clip(head.type) if isinstance(head.type, str) else None
    reason, where, expected, found = _judge(head, error, text)
    return RemoteCallError(
        f"a message {type_ or 'without a type'} was refused: {where} should be {expected}, found {found}",
        reason=reason,
        call_id=call_id,
        type_=type_,
        expected=f"{where}: {expected}",
        found=found,
    )


def _judge(head: _Head, error: Exception, text: bytes) -> tuple[str, str, str, str]:
    """(reason, field, expected, found); another protocol explains every other oddity, so it comes first."""
    if head.v is not None and head.v != PROTOCOL:
        return "unknown-protocol", "v", str(PROTOCOL), clip(repr(head.v))
    fault = fault_of(error, text)
    if fault.field == "type":
        return "unknown-type", "type", "a message type of this protocol", clip(repr(head.type))
    return "bad-arguments", fault.field or "the message", fault.expected, fault.found


def _unreadable(expected: str, found: str) -> RemoteCallError:
    return RemoteCallError(
        f"a message could not be read: expected {expected}, found {found}",
        reason="unreadable",
        expected=expected,
        found=found,
    )


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    return packer.compress(body) + packer.flush()


def _unpack(body: bytes, content_encoding: str | None) -> bytes:
    if len(body) > MAX_WIRE:
        raise _unreadable(f"at most {MAX_WIRE} bytes", str(len(body)))
    if not content_encoding:
        return body
    if content_encoding != GZIP:
        raise _unreadable("content-encoding gzip or none", clip(content_encoding))
    return _gunzip(body)


def _gunzip(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_FORMAT)
    try:
        text = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise _unreadable("gzip data", clip(str(error))) from error
    if len(text) > MAX_BODY:
        raise _unreadable(f"at most {MAX_BODY} bytes once unpacked", "more")
    if not unpacker.eof or unpacker.unused_data:
        raise _unreadable("one whole gzip member", "a cut or prolonged one")
    return text
