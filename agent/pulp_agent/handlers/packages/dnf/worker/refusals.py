"""dnf4's failures with a code of the closed list (PACKAGE_ERRORS) and a sentence."""

from __future__ import annotations

import dnf.exceptions

from .refused import Refused, code_of_text, wording


def refusal(error: Exception) -> Refused:
    """Any failure as one of the list."""
    if isinstance(error, Refused):
        return error
    text = wording(error)
    return Refused(code_of_text(text) or _code(error, text), text)


def _code(error: Exception, text: str) -> str:
    if isinstance(error, (dnf.exceptions.DepsolveError, dnf.exceptions.TransactionCheckError)):
        return "dependency"
    if isinstance(error, dnf.exceptions.RepoError):
        return "untrusted" if "GPG" in text else "fetch"
    return "fetch" if isinstance(error, dnf.exceptions.DownloadError) else "internal"
