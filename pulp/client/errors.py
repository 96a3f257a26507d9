"""What can go wrong for pulp-admin, each with the exit code it ends in (docs/API.md). Everyone in pulp.client may import it."""

from __future__ import annotations

from enum import IntEnum

from pulp.common.errors import FieldError, PulpError


class ExitCode(IntEnum):
    DONE = 0
    NOT_FINISHED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 130


class ClientError(PulpError):
    """`str(error)` is the sentence for the user; `exit_code` what pulp-admin then ends with."""

    exit_code = ExitCode.REFUSED


class BadUsage(ClientError):
    """The command line, the environment or the settings file says something that cannot be meant."""

    code = "usage"
    exit_code = ExitCode.USAGE


class UnreachableError(ClientError):
    """No connection was made: the request has not reached the server."""

    code = "unreachable"
    exit_code = ExitCode.UNREACHABLE


class LostAnswer(UnreachableError):
    """The connection broke after the request went out: the server may or may not have carried it out."""

    code = "lost-answer"


class BadAnswer(ClientError):
    """Something answered, but not as a Pulp server does."""

    code = "bad-answer"
    exit_code = ExitCode.UNREACHABLE


class UntrustedServer(ClientError):
    """The server's certificate is not one this client has reason to trust. `reason` is what the check said."""

    code = "untrusted-server"

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class LoginNeeded(ClientError):
    """There is no login for this server, or it has expired."""

    code = "login-needed"


class RefusedError(ClientError):
    """The server refused: its problem details. `retry_after` in seconds, where it gave one."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        errors: list[FieldError] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """It may well be answered otherwise in a while: the server is busy, starting or has stumbled."""
        return self.status == 429 or self.status >= 500
