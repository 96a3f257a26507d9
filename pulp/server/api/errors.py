"""What the API refuses, and why. Each class is one kind of answer; `code` is stable, the text is a sentence for a person."""

from __future__ import annotations

from pulp.common.errors import FieldError, InvalidInput, PulpError


class ApiError(PulpError):
    """The root of every refusal."""


class Unauthenticated(ApiError):
    """Nobody is known behind the request: no token, a wrong one, or one that has expired."""

    code = "unauthenticated"


class Forbidden(ApiError):
    """Whoever asks is known and may not do this."""

    code = "forbidden"


class NotFound(ApiError):
    code = "not-found"


class Conflict(ApiError):
    """The state of the thing does not allow it now."""

    code = "conflict"


class OutsideWindows(Conflict):
    """The host's windows are enforced, and the request is for none of them."""

    code = "outside-windows"


class TaskIsFinal(Conflict):
    code = "task-final"


class TaskIsOpen(Conflict):
    code = "task-open"


class Unsupported(ApiError):
    """The consumer's agent cannot take this call, or this server cannot run the task."""

    code = "unsupported"


class AgentOffline(ApiError):
    code = "agent-offline"


class Busy(ApiError):
    """Too much of one costly thing at a time; `retry_after` is in seconds."""

    code = "busy"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyAttempts(Busy):
    code = "too-many-attempts"


class NotReady(Busy):
    """The server has not come up yet, or cannot do its work just now."""

    code = "not-ready"


class KeyReused(ApiError):
    """An Idempotency-Key came back with another request."""

    code = "idempotency-key-reused"


def invalid(field: str, message: str) -> InvalidInput:
    """One bad field."""
    return InvalidInput([FieldError(field, message)])
