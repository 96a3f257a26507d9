"""Problem details (RFC 9457): every error leaves the server as one of these, and nothing else of it does."""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec

from pulp.common.errors import FieldError, InvalidInput, PulpError
from pulp.common.ids import new_id
from pulp.server.api import errors as api
from pulp.server.api.types import FieldProblem, Problem
from pulp.server.db import base as store
from pulp.server.webservices.answers import Answer

PROBLEM_JSON = "application/problem+json"

log = logging.getLogger(__name__)


class HttpError(PulpError):
    """What is wrong with the HTTP of a request, before any API sees it."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed"


class MethodNotAllowed(HttpError):
    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method-not-allowed"

    def __init__(self, message: str, allowed: list[str]) -> None:
        super().__init__(message)
        self.allowed = allowed


class UnsupportedMediaType(HttpError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported-media-type"


_STATUS: tuple[tuple[type[PulpError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (api.Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (api.Forbidden, HTTPStatus.FORBIDDEN),
    (api.NotFound, HTTPStatus.NOT_FOUND),
    (api.Conflict, HTTPStatus.CONFLICT),
    (api.Unsupported, HTTPStatus.CONFLICT),
    (api.KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (api.TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (api.Busy, HTTPStatus.SERVICE_UNAVAILABLE),
    (api.AgentOffline, HTTPStatus.SERVICE_UNAVAILABLE),
)

_RETRY_AFTER = 5  # seconds, where the error itself knows no better
_STORE = "The store cannot be reached just now; nothing was changed. Try again."
_CONFLICT = "Somebody else changed this at the same moment; nothing was changed. Try again."


def problem(
    status: HTTPStatus, code: str, detail: str, errors: list[FieldError] | None = None
) -> Problem:
    return Problem(
        type=f"urn:pulp:problem:{code}",
        title=status.phrase,
        status=int(status),
        detail=detail,
        code=code,
        errors=[FieldProblem(field=e.field, message=e.message) for e in errors or []],
    )


def encode_problem(status: HTTPStatus, code: str, detail: str) -> bytes:
    return msgspec.json.encode(problem(status, code, detail))


def answer_to(error: Exception) -> Answer:
    """The answer for whatever was raised. What nobody foresaw is logged under an id, and only the id leaves."""
    match error:
        case HttpError():
            return _answer(error.status, error, _http_headers(error))
        case store.StoreUnavailable():
            log.error("the store is not available", exc_info=error)
            retry = {"Retry-After": str(_RETRY_AFTER)}
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE, error.code, _STORE, retry)
        case store.Conflict() | store.Duplicate():
            return _plain(HTTPStatus.CONFLICT, "conflict", _CONFLICT, {})
        case PulpError():
            for kind, status in _STATUS:
                if isinstance(error, kind):
                    return _answer(status, error, _headers(error))
    return _internal(error)


def _answer(status: HTTPStatus, error: PulpError, headers: dict[str, str]) -> Answer:
    errors = error.errors if isinstance(error, InvalidInput) else None
    body = msgspec.json.encode(problem(status, error.code, str(error), errors))
    return Answer(int(status), body, headers, PROBLEM_JSON)


def _plain(status: HTTPStatus, code: str, detail: str, headers: dict[str, str]) -> Answer:
    return Answer(int(status), encode_problem(status, code, detail), headers, PROBLEM_JSON)


def _http_headers(error: HttpError) -> dict[str, str]:
    return {"Allow": ", ".join(error.allowed)} if isinstance(error, MethodNotAllowed) else {}


def _headers(error: PulpError) -> dict[str, str]:
    match error:
        case api.Unauthenticated():
            return {"WWW-Authenticate": 'Bearer realm="pulp"'}
        case api.Busy():
            return {"Retry-After": str(error.retry_after)}
        case api.AgentOffline():
            return {"Retry-After": str(_RETRY_AFTER)}
    return {}


def _internal(error: Exception) -> Answer:
    incident = new_id()
    log.error("a request failed", extra={"incident": incident}, exc_info=error)
    detail = f"The server failed; its log tells more under the incident {incident}."
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, {})
