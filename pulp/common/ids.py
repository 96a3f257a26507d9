"""Names and ids: how they are made, and which ones are allowed."""

from __future__ import annotations

import re
import uuid

# `(?!\n)` because Python's `$` also matches before a final line break; JSON Schema reads the same patterns.
CONSUMER_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$(?!\n)"
CALL_ID = CONSUMER_ID
LOGIN = r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """A random UUID in its canonical text form: task ids, message ids, consumer uids."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    return bool(_UUID.fullmatch(text))
