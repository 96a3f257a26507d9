"""Whose fault it is: local errors are our bugs and loud; remote errors are the peer's: counted, settled, gone on from."""

from __future__ import annotations

from pulp.common.errors import PulpError


class LocalCallError(PulpError):
    """We asked for something the protocol or the call's state does not allow."""

    code = "local-call"


class RemoteCallError(PulpError):
    """The peer sent something unreadable or not allowed.

    `reason` is a `rejected` code of docs/WIRE.md; `call_id` is known when the message could be read that far.
    """

    code = "remote-call"

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        call_id: str | None = None,
        type_: str | None = None,
        expected: str = "",
        found: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.call_id = call_id
        self.type = type_
        self.expected = expected
        self.found = found


class Unsupported(PulpError):
    """This end, or the peer, cannot take the call as it is. `code` is a `rejected` code of docs/WIRE.md."""

    def __init__(self, code: str, field: str, *, expected: str, found: str) -> None:
        super().__init__(f"{field} should be {expected}, found {found}")
        self.code = code
        self.field = field
        self.expected = expected
        self.found = found
