"""A failure with a code of the closed list (PACKAGE_ERRORS) and a sentence; what every worker's failures have in common."""

from __future__ import annotations

from collections.abc import Iterable

_NO_SPACE = ("No space left", "more space needed", "more space on", "enough free space")
_FILE_CONFLICT = "conflicts with file from package"
_LENGTH = 2000


class Refused(Exception):
    """`names`: the packages that `not-found` is about."""

    def __init__(self, code: str, message: str, names: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.names = list(names)


def wording(error: Exception) -> str:
    """In one line."""
    return " ".join(str(error).split())[:_LENGTH] or repr(error)


def code_of_text(text: str) -> str:
    """For what rpm says in words only; empty where they tell nothing."""
    if any(words in text for words in _NO_SPACE):
        return "no-space"
    return "dependency" if _FILE_CONFLICT in text else ""


def in_use(pid: int) -> Refused:
    """Another program holds a lock; `pid` is 0 where it is not known which."""
    if pid <= 0:
        return Refused("locked", "another program holds a lock of the package system")
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            name = file.read().strip()
    except OSError:
        name = "ended by now"
    return Refused("locked", f"the package system is in use by process {pid} ({name})")
