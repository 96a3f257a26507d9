"""History in lists: the logs of package tools, up to 64 KiB each, are left out; the entry by itself has them. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

_LOG = b'"log"'
_HOLDERS = (("details",), ("answer", "value"), ("answer", "details"))
"""Where the details of an event hold a result of package work: of action_failed, and of late_result and orphan_result."""


def without_log(details: bytes) -> tuple[bytes, bool]:
    """The details of an event less their log, and whether there was one."""
    if _LOG not in details:
        return details, False
    try:
        data = msgspec.json.decode(details)
    except msgspec.DecodeError:
        return details, False  # an agent's own words, in a part that nobody has read
    removed = [_remove(_at(data, path)) for path in _HOLDERS]
    return (msgspec.json.encode(data), True) if any(removed) else (details, False)


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _remove(holder: Any) -> bool:
    return bool(holder.pop("log", "")) if isinstance(holder, dict) else False
