"""A route is declared once, at the method that answers it; the web application, validation and OpenAPI are all made from that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
import web
from msgspec import Struct

from pulp.server.api.access import require
from pulp.server.api.consumer import ConsumerApi
from pulp.server.api.errors import Unauthenticated, invalid
from pulp.server.api.history import ConsumerHistoryApi
from pulp.server.api.installed import PackageApi
from pulp.server.api.plan import PlanApi
from pulp.server.api.schedules import ScheduleApi
from pulp.server.api.tasks import TaskApi
from pulp.server.api.tokens import RegistrationTokenApi
from pulp.server.api.users import UserApi
from pulp.server.api.windows import WindowApi
from pulp.server.domain.user import Principal, Role
from pulp.server.webservices.answers import Answer
from pulp.server.webservices.decoding import decode_body, decode_query
from pulp.server.webservices.queries import NoQuery

BASE = "/api/v1"

_PARAMETER = re.compile(r"\{(\w+)\}")
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Apis:
    """The API objects that the routes speak to. `ready`: whether the server can do its work now."""

    consumers: ConsumerApi
    history: ConsumerHistoryApi
    packages: PackageApi
    tasks: TaskApi
    schedules: ScheduleApi
    windows: WindowApi
    plan: PlanApi
    users: UserApi
    tokens: RegistrationTokenApi
    ready: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path. role None: open to all. `problems`: what it can refuse beyond what its shape implies."""

    method: str
    summary: str
    role: Role | None
    body: type[Struct] | None
    query: type[Struct]
    answer: Any
    status: HTTPStatus
    once: bool
    location: bool
    problems: tuple[HTTPStatus, ...]
    media: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and checked as its route declares."""

    body: Any
    query: Any
    who: Principal = field(default_factory=lambda: Principal("", Role.VIEWER))
    token: str = ""
    key: str | None = None
    environ: dict[str, Any] = field(default_factory=dict)


class Controller:
    """A path of the URL map. Concrete classes get `api` when the application is built; web.py makes an object a request."""

    api: ClassVar[Apis]
    path: ClassVar[str]
    """With `{name}` for each part that varies."""

    @classmethod
    def routes(cls) -> dict[str, Route]:
        methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
        found = {m: getattr(getattr(cls, m, None), "route", None) for m in methods}
        return {method: route for method, route in found.items() if route is not None}

    @classmethod
    def pattern(cls) -> str:
        """For web.py's URL map."""
        parts = _PARAMETER.split(cls.path)
        return "([^/]+)".join(re.escape(part) for part in parts[::2])

    @classmethod
    def parameters(cls) -> list[str]:
        return _PARAMETER.findall(cls.path)


Method = Callable[..., Any]


def route(
    method: str,
    summary: str,
    *,
    role: Role | None = None,
    body: type[Struct] | None = None,
    query: type[Struct] = NoQuery,
    answer: Any = None,
    status: HTTPStatus = HTTPStatus.OK,
    once: bool = False,
    location: Callable[[Any], str] | None = None,
    problems: tuple[HTTPStatus, ...] = (),
    media: str = "application/json",
) -> Callable[[Method], Method]:
    """Declare a controller's method: `method(self, call, *path_parts)` → a view, an Answer, or None.

    answer: the view's type. once: an Idempotency-Key is honoured. location: the path of what was made.
    """
    declared = Route(
        method=method,
        summary=summary,
        role=role,
        body=body,
        query=query,
        answer=answer,
        status=status,
        once=once,
        location=location is not None,
        problems=problems,
        media=media,
    )

    def decorate(function: Method) -> Method:
        def answered(self: Controller, *parts: str) -> Answer:
            call = read_call(declared, self.api.users, web.ctx.env)
            made = function(self, call, *parts)
            if isinstance(made, Answer):
                return made
            headers = {"Location": location(made)} if location else {}
            return Answer(int(status), b"" if made is None else _encoder.encode(made), headers)

        answered.route = declared  # type: ignore[attr-defined]
        return answered

    return decorate


def read_call(declared: Route, users: UserApi, environ: dict[str, Any]) -> Call:
    """Who asks comes first: a stranger learns nothing about what would have been wrong with the request."""
    token, who = "", Principal("", Role.VIEWER)
    if declared.role is not None:
        token = bearer(environ)
        who = users.authenticate(token)
        require(who, declared.role)
    query = decode_query(environ.get("QUERY_STRING", ""), declared.query)
    body = None
    if declared.body is not None:
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = decode_body(raw, environ.get("CONTENT_TYPE", ""), declared.body)
    return Call(body, query, who, token, _key(declared, environ), environ)


def bearer(environ: dict[str, Any]) -> str:
    """The token of the Authorization header; Unauthenticated."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("log in, and send Authorization: Bearer TOKEN")
    return str(token.strip())


def _key(declared: Route, environ: dict[str, Any]) -> str | None:
    key = environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None or not declared.once:
        return None
    if not _KEY.fullmatch(key):
        raise invalid("Idempotency-Key", "must be 1 to 128 visible ASCII characters")
    return str(key)


def url_map(controllers: Iterator[type[Controller]], apis: Apis) -> tuple[Any, ...]:
    """Pattern and class by turns, as web.py wants it; the classes know their API."""
    mapping: list[Any] = []
    for controller in controllers:
        mapping += [controller.pattern(), type(controller.__name__, (controller,), {"api": apis})]
    return tuple(mapping)
