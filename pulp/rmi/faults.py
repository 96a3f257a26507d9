"""What msgspec found wrong with a value, taken apart: which field, what was expected, what was found."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
from msgspec import Raw

_PATH = re.compile(r" - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_EXPECTED = re.compile(r"^Expected (.+?)(?:, got (.+))?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(.+)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.+)`$")
_VALUE = re.compile(r"^Invalid (?:enum )?value (.+)$", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """`field` is a path such as `packages[0].name`, empty for the whole value."""

    field: str
    expected: str
    found: str


def clip(text: str, longest: int = _LONGEST) -> str:
    """At most `longest` characters: what a peer wrote may be of any length."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def fault_of(error: Exception, source: bytes | Raw = b"") -> Fault:
    """Read msgspec's sentence. One that is not known is handed on whole in `found`.

    `source` is the JSON that was refused: msgspec does not say which value broke a rule, so it is looked up there.
    """
    text = str(error)
    path = _PATH.search(text)
    where = path.group(1) if path else ""
    what = text[: path.start()] if path else text
    if match := _MISSING.match(what):
        return Fault(_join(where, match.group(1)), "a value", "none")
    if match := _UNKNOWN.match(what):
        return Fault(_join(where, match.group(1)), "no such field", "an unknown field")
    if match := _VALUE.match(what):
        return Fault(clip(where), "a known value", clip(match.group(1)))
    if match := _EXPECTED.match(what):
        expected, found = match.group(1), match.group(2) or _value_at(where, source)
        return Fault(clip(where), clip(expected.replace("`", "")), clip(found.replace("`", "")))
    return Fault(clip(where), "a valid value", clip(what))


def _join(where: str, name: str) -> str:
    return clip(f"{where}.{name}" if where else name)


def _value_at(path: str, source: bytes | Raw) -> str:
    try:
        value = msgspec.json.decode(source)
        for name, index in _STEP.findall(path):
            value = value[int(index)] if index else value[name]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return "another value"
    return repr(value)
