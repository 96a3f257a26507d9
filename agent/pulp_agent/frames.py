"""The journal's framing: one record a line as `length crc32 json`, and how intact lines are found again among damage. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_PREFIX = 18  # 8 hex digits, blank, 8 hex digits, blank


def frame(body: bytes) -> bytes:
    return b"%08x %08x %s\n" % (len(body), zlib.crc32(body), body)


@dataclass(frozen=True, slots=True)
class Intact:
    start: int
    end: int
    body: bytes
    ended: bool
    """Its line's end is there too."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that belong to no intact record: a torn tail, or rot in the middle."""

    start: int
    end: int


def scan(data: bytes) -> Iterator[Intact | Damaged]:
    """Every byte of `data`, in order, in one part or another. After damage it goes on at the next line that is intact."""
    at = 0
    while at < len(data):
        found = _at(data, at) or _damage(data, at)
        yield found
        at = found.end


def _damage(data: bytes, start: int) -> Damaged:
    """Intact lines begin after a line's end, which no record can hold within, or after the one byte that was such an end."""
    at = start + 1
    while at < len(data) and _at(data, at) is None:
        newline = data.find(b"\n", at)
        at = newline + 1 if newline >= 0 else len(data)
    return Damaged(start, at)


def _at(data: bytes, at: int) -> Intact | None:
    prefix = data[at : at + _PREFIX]
    try:
        length, crc = int(prefix[:8], 16), int(prefix[9:17], 16)
    except ValueError:
        return None
    end = at + _PREFIX + length
    body = data[at + _PREFIX : end]
    if prefix[8::9] != b"  " or len(body) != length or zlib.crc32(body) != crc:
        return None
    ended = data[end : end + 1] == b"\n"
    return Intact(at, end + ended, body, ended)
