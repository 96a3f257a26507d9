"""libdnf5's failures with a code of the closed list (PACKAGE_ERRORS) and a sentence."""

from __future__ import annotations

import libdnf5.exception as errors

from ..refused import Refused, code_of_text, wording

_CODES = (
    (errors.RepoPgpError, "untrusted"),
    (errors.RpmSignatureCheckError, "untrusted"),
    (errors.RpmKeyImportError, "untrusted"),
    (errors.RepoError, "fetch"),
    (errors.RepoDownloadError, "fetch"),
    (errors.RepoFileDownloadError, "fetch"),
    (errors.RepoPackageDownloadError, "fetch"),
    (errors.RepoCacheonlyError, "fetch"),
)


def refusal(error: Exception) -> Refused:
    """Any failure as one of the list."""
    if isinstance(error, Refused):
        return error
    text = wording(error)
    known = (code for kind, code in _CODES if isinstance(error, (kind, nested(kind))))
    return Refused(code_of_text(text) or next(known, "internal"), text)


def nested(kind: type[Exception]) -> type[Exception]:
    """The same error with a cause, which libdnf5 has as a class of its own."""
    found: type[Exception] = getattr(errors, f"{kind.__name__}Nested", kind)
    return found
