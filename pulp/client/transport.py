"""HTTP to the server: the only module that knows httpx. Repeats what may be repeated; httpx's errors stop here."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pulp import __version__
from pulp.client.errors import (
    BadAnswer,
    LoginNeeded,
    LostAnswer,
    RefusedError,
    UnreachableError,
    UntrustedServer,
)
from pulp.client.tls import context_for
from pulp.client.views import Problem
from pulp.common.errors import FieldError

if TYPE_CHECKING:
    import httpx

ANSWER_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_ATTEMPTS = 4
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_GATEWAY_TROUBLE = (502, 503, 504)

Pause = Callable[[float], object]
"""Waits so many seconds; Ctrl-C ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`repeatable`: sending it twice does no more than sending it once. `held`: seconds for which the server may hold the
    answer back."""

    method: str
    path: str
    params: Mapping[str, str | int | list[str]] | None = None
    body: Any = None
    key: str = ""
    repeatable: bool = False
    held: float = 0.0


class Transport:
    """One server, one optional token. Closed by the context manager."""

    def __init__(
        self,
        url: str,
        *,
        ca: str,
        token: str = "",
        pause: Pause,
        carrier: httpx.BaseTransport | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`seconds`: how long the server may take to answer."""
        import httpx  # here: 0.2 s that `--help` need not wait for

        self.url = url
        self._httpx = httpx
        self._pause = pause
        self._seconds = seconds
        self._has_login = bool(token)
        headers = {"User-Agent": f"pulp-admin/{__version__}", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        verify = True if carrier else context_for(ca)
        self._client = httpx.Client(
            base_url=f"{url}/api/v1", headers=headers, verify=verify, transport=carrier
        )

    def close(self) -> None:
        self._client.close()

    def send(self, request: Request) -> httpx.Response:
        """The server's 2xx answer.

        UnreachableError, LostAnswer, BadAnswer, UntrustedServer, LoginNeeded or RefusedError otherwise. A repeatable request
        whose answer was lost, and any request that a busy server put off (503 with Retry-After), is sent again a few times.
        """
        pause = _FIRST_PAUSE
        sent_before = False
        for left in range(_ATTEMPTS - 1, -1, -1):
            try:
                return self._once(request)
            except LostAnswer:
                sent_before = True
                if not (left and request.repeatable):
                    raise
            except UnreachableError as error:
                if sent_before and not left:
                    raise LostAnswer(str(error)) from error
                if not sent_before:
                    raise
            except RefusedError as error:
                if not left or not _put_off(error):
                    raise
                pause = max(pause, min(error.retry_after or 0.0, _LONGEST_PAUSE))
            self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, request: Request) -> httpx.Response:
        headers = {"Idempotency-Key": request.key} if request.key else {}
        content = None
        if request.body is not None:
            content = msgspec.json.encode(request.body)
            headers["Content-Type"] = "application/json"
        try:
            response = self._client.request(
                request.method,
                request.path,
                params=request.params,
                content=content,
                headers=headers,
                timeout=self._timeout(request.held),
            )
        except (self._httpx.HTTPError, self._httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise self._translated(error) from error
        if response.is_success:
            return response
        raise self._refusal(response)

    def _timeout(self, held: float) -> httpx.Timeout:
        return self._httpx.Timeout(
            self._seconds + held, connect=min(self._seconds, _CONNECT_SECONDS)
        )

    def _translated(self, error: Exception) -> Exception:
        httpx = self._httpx
        distrust = _certificate_error(error)
        if distrust is not None:
            reason = getattr(distrust, "verify_message", "") or str(distrust)
            fix = f" To look at it, run: pulp-admin login {self.url}" if self._has_login else ""
            return UntrustedServer(
                f"The certificate of {self.url} cannot be trusted: {reason.rstrip('.')}.{fix}",
                reason=reason,
            )
        lost = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.ReadTimeout)
        if isinstance(error, (*lost, httpx.WriteTimeout, httpx.RemoteProtocolError)):
            return LostAnswer(f"The connection to {self.url} broke: {_words(error)}.")
        return UnreachableError(f"The server at {self.url} cannot be reached: {_words(error)}.")

    def _refusal(self, response: httpx.Response) -> Exception:
        problem = _problem(response)
        if response.status_code == 401 and self._has_login:
            return LoginNeeded(
                f"Your login at {self.url} is no longer valid. Run: pulp-admin login {self.url}"
            )
        if problem is not None:
            return RefusedError(
                status=response.status_code,
                code=problem.code,
                detail=problem.detail or problem.title,
                errors=[FieldError(e.field, e.message) for e in problem.errors],
                retry_after=retry_after(response),
            )
        status = f"{response.status_code} {response.reason_phrase}".strip()
        if response.status_code in _GATEWAY_TROUBLE:
            return UnreachableError(f"The server at {self.url} cannot be reached: {status}.")
        return BadAnswer(
            f"{self.url} answered {status} and no problem details: is it a Pulp server?"
        )


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of the header `Retry-After`, where it is given as a number."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _problem(response: httpx.Response) -> Problem | None:
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _put_off(error: RefusedError) -> bool:
    """The server is busy; an agent that is away (`agent-offline`) is no such case, the user wants to know it now."""
    return error.status == 503 and error.retry_after is not None and error.code != "agent-offline"


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
