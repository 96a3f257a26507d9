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


def _damage(data: bytes, at: int) -> Damaged:
    start = at
    while (newline := data.find(b"\n", at)) >= 0:
        at = newline + 1
        if at < len(data) and _at(data, at):
            return Damaged(start, at)
    return Damaged(start, len(data))


def _at(data: bytes, at: int) -> Intact | None:
    prefix = data[at : at + _PREFIX]
    try:
        length, crc = int(prefix[:8], 16), int(prefix[9:17], 16)
    except ValueError:
        return None
    body = data[at + _PREFIX : at + _PREFIX + length]
    end = at + _PREFIX + length + 1
    whole = len(body) == length and data[end - 1 : end] == b"\n" and prefix[8::9] == b"  "
    return Intact(at, end, body) if whole and zlib.crc32(body) == crc else None
