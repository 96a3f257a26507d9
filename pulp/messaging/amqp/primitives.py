"""Reading and writing the few AMQP 1.0 types that SASL frames and bare messages are made of.

Reads may run past the end of the data: they raise IndexError or Malformed, and the caller names what was cut short.
"""

from __future__ import annotations

import uuid

from pulp.messaging.base import MessagingError

NULL = b"\x40"
_VARIABLE_8 = frozenset((0xA0, 0xA1, 0xA3))
_VARIABLE_32 = frozenset((0xB0, 0xB1, 0xB3))
_STRINGS = frozenset((0xA1, 0xA3, 0xB1, 0xB3))
# AMQP 1.0 part 1, 1.2: the high half of a constructor gives the size of what follows it.
_FIXED = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}

Value = str | bytes | int | uuid.UUID | None


class Malformed(MessagingError):
    """A peer's bytes are not what AMQP 1.0, or this product's use of it, allows."""

    code = "malformed-message"


def string(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    return b"\xa1%c%b" % (size, data) if size < 256 else b"\xb1%b%b" % (size.to_bytes(4), data)


def symbol(text: str) -> bytes:
    """`text` is ASCII and shorter than 256 characters."""
    return b"\xa3%c%b" % (len(text), text.encode("ascii"))


def binary(data: bytes) -> bytes:
    size = len(data)
    return b"\xa0%c%b" % (size, data) if size < 256 else b"\xb0%b%b" % (size.to_bytes(4), data)


def described_list(descriptor: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    size, count = len(body), len(fields)
    if size < 255:
        return b"\x00\x53%c\xc0%c%c%b" % (descriptor, size + 1, count, body)
    head = (size + 4).to_bytes(4) + count.to_bytes(4)
    return b"\x00\x53%c\xd0%b%b" % (descriptor, head, body)


def descriptor(data: bytes, at: int) -> tuple[int, int]:
    """The numeric descriptor of the described value at `at`, and where its value begins."""
    if data[at] != 0x00:
        raise Malformed(f"Byte {at} is no described type (0x{data[at]:02x})")
    if data[at + 1] == 0x53:
        return data[at + 2], at + 3
    code, after = read(data, at + 1)
    if not isinstance(code, int):
        raise Malformed(f"The descriptor at byte {at} is no number")
    return code, after


def list_bounds(data: bytes, at: int) -> tuple[int, int, int]:
    """Count of fields, where the first begins, and where the list ends."""
    code = data[at]
    if code == 0x45:
        return 0, at + 1, at + 1
    if code == 0xC0:
        count, start, end = data[at + 2], at + 3, at + 2 + data[at + 1]
    elif code == 0xD0:
        count, start = _uint(data, at + 5, 4), at + 9
        end = at + 5 + _uint(data, at + 1, 4)
    else:
        raise Malformed(f"Byte {at} begins no list (0x{code:02x})")
    if end > len(data) or start > end:
        raise Malformed(f"The list at byte {at} does not fit its size")
    return count, start, end


def read(data: bytes, at: int) -> tuple[Value, int]:
    """The simple value at `at` and where the next one begins; any other type is refused."""
    code = data[at]
    if code in _VARIABLE_8:
        start = at + 2
        end = start + data[at + 1]
    elif code in _VARIABLE_32:
        start = at + 5
        end = start + _uint(data, at + 1, 4)
    else:
        return _read_fixed(data, at, code)
    if end > len(data):
        raise Malformed(f"The value at byte {at} is longer than what is left")
    value = data[start:end]
    return (value.decode() if code in _STRINGS else value), end


def _read_fixed(data: bytes, at: int, code: int) -> tuple[Value, int]:
    if code == 0x40:
        return None, at + 1
    if code in (0x43, 0x44):
        return 0, at + 1
    if code in (0x50, 0x52, 0x53):
        return data[at + 1], at + 2
    if code == 0x70:
        return _uint(data, at + 1, 4), at + 5
    if code in (0x80, 0x83):
        return _uint(data, at + 1, 8), at + 9
    if code == 0x98:
        return uuid.UUID(bytes=_exactly(data, at + 1, 16)), at + 17
    raise Malformed(f"Byte {at} begins a value of an unexpected type (0x{code:02x})")


def skip(data: bytes, at: int) -> int:
    """Where the value at `at`, of any type, ends. Iterative: nesting costs no stack."""
    wanted = 1
    while wanted:
        code = data[at]
        wanted -= 1
        if code == 0x00:  # described: a descriptor and a value follow
            wanted += 2
            at += 1
            continue
        at = _after(data, at, code)
        if at > len(data):
            raise Malformed("A value is longer than what is left")
    return at


def _after(data: bytes, at: int, code: int) -> int:
    kind = code >> 4
    if kind in _FIXED:
        return at + 1 + _FIXED[kind]
    if kind in (0xA, 0xC, 0xE):
        return at + 2 + data[at + 1]
    if kind in (0xB, 0xD, 0xF):
        return at + 5 + _uint(data, at + 1, 4)
    raise Malformed(f"Byte {at} begins no AMQP type (0x{code:02x})")


def _uint(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_exactly(data, at, size))


def _exactly(data: bytes, at: int, size: int) -> bytes:
    value = data[at : at + size]
    if len(value) != size:
        raise Malformed(f"A value of {size} bytes at byte {at} is cut short")
    return value
