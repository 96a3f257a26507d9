"""Failures with a code of the closed list (PACKAGE_ERRORS) and a sentence."""

from __future__ import annotations

from collections.abc import Iterable

import dnf.exceptions

_NO_SPACE = ("No space left", "more space needed", "more space on", "enough free space")
_FILE_CONFLICT = "conflicts with file from package"


class Refused(Exception):
    """`names`: the packages that `not-found` is about."""

    def __init__(self, code: str, message: str, names: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.names = list(names)


def refusal(error: Exception) -> Refused:
    """Any failure as one of the list."""
    if isinstance(error, Refused):
        return error
    text = " ".join(str(error).split())[:2000]
    return Refused(_code(error, text), text or repr(error))


def _code(error: Exception, text: str) -> str:
    if any(words in text for words in _NO_SPACE):
        return "no-space"
    unsolved = (dnf.exceptions.DepsolveError, dnf.exceptions.TransactionCheckError)
    if isinstance(error, unsolved) or _FILE_CONFLICT in text:
        return "dependency"
    if isinstance(error, dnf.exceptions.RepoError):
        return "untrusted" if "GPG" in text else "fetch"
    return "fetch" if isinstance(error, dnf.exceptions.DownloadError) else "internal"


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
