"""The web.py application: one place where a request becomes an answer, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any

import msgspec
import web

from pulp.server.api.errors import NotFound
from pulp.server.webservices.answers import Answer
from pulp.server.webservices.controllers import CONTROLLERS
from pulp.server.webservices.controllers.service import SERVICE, service_controllers
from pulp.server.webservices.metrics import Metrics
from pulp.server.webservices.openapi import describe
from pulp.server.webservices.problems import MethodNotAllowed, answer_to
from pulp.server.webservices.routes import Apis, Controller, url_map
from pulp.server.webservices.serving.polling import poll_of
from pulp.server.webservices.serving.waiters import LIMIT, Waiters

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_ALWAYS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """version: of the server. waiters: how many long polls may wait at a time."""

    version: str
    waiters: int = LIMIT


@dataclass(frozen=True, slots=True)
class App:
    """A WSGI application; under RestServer its long polls wait without a thread."""

    wsgi: Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
    waiters: Waiters

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return self.wsgi(environ, start_response)


def build(apis: Apis, settings: WebSettings) -> App:
    """Join the routes to the APIs. Nothing is opened or started, but task changes are listened to."""
    web.config.debug = False  # its default reloads modules on every request
    waiters = Waiters(settings.waiters)
    apis.tasks.subscribe(waiters.task_changes)
    metrics = Metrics(apis.tasks.count_open, lambda: len(waiters))
    document = msgspec.json.encode(describe((*CONTROLLERS, *SERVICE), settings.version))
    controllers = (*CONTROLLERS, *service_controllers(settings.version, document, metrics))
    application = _Application(url_map(iter(controllers), apis), metrics)
    return App(application.wsgifunc(), waiters)


class _Application(web.application):  # type: ignore[misc]
    def __init__(self, mapping: tuple[Any, ...], metrics: Metrics) -> None:
        super().__init__(mapping, {}, autoreload=False)
        self._metrics = metrics

    def handle(self) -> bytes:
        """web.py's hook: route the request, answer it; every error becomes a problem here."""
        started = perf_counter()
        method = "GET" if web.ctx.method == "HEAD" else web.ctx.method
        controller, parts = self._match(self.mapping, web.ctx.path)
        try:
            answer = self._answer(controller, method, parts)
        except Exception as error:
            answer = answer_to(error)
        if not _waits():
            route = controller.path if controller else "none"
            known = method if controller and method in controller.routes() else "other"
            self._metrics.count(known, route, answer.status, perf_counter() - started)
        return _emit(answer)

    def _answer(self, controller: type[Controller] | None, method: str, parts: list[str]) -> Answer:
        if controller is None:
            raise NotFound(f"there is nothing at {web.ctx.path}")
        allowed = controller.routes()
        if method not in allowed:
            raise MethodNotAllowed(
                f"{method} is not for this path; it takes {', '.join(allowed)}", list(allowed)
            )
        answer: Answer = self._delegate(controller, self.fvars, parts)
        return answer


def _waits() -> bool:
    poll = poll_of(web.ctx.env)
    return poll is not None and poll.waiting


def _emit(answer: Answer) -> bytes:
    web.ctx.status = _STATUS_LINES[answer.status]
    headers = [*_ALWAYS, *answer.headers.items()]
    if answer.status != HTTPStatus.NO_CONTENT:
        headers += [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
        ]
    web.ctx.headers = headers
    return b"" if web.ctx.method == "HEAD" else answer.body
