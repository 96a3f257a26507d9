"""What the service says of itself: version, readiness, metrics, its own description."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from typing import ClassVar

from pulp.server.api.errors import NotReady
from pulp.server.api.types import HealthView, StatusView
from pulp.server.webservices.answers import Answer
from pulp.server.webservices.metrics import MEDIA, Metrics
from pulp.server.webservices.routes import BASE, Call, Controller, route


class Status(Controller):
    path = f"{BASE}/status"
    version: ClassVar[str]

    @route("GET", "The server's version, and whether it is ready", answer=StatusView)
    def GET(self, call: Call) -> StatusView:
        return StatusView(version=self.version, ready=self.api.ready())


class Healthz(Controller):
    path = "/healthz"

    @route("GET", "Answers as long as the process is alive", answer=HealthView)
    def GET(self, call: Call) -> HealthView:
        return HealthView(alive=True)


class Readyz(Controller):
    path = "/readyz"
    version: ClassVar[str]

    @route("GET", "200 when the server can do its work, else 503", answer=StatusView)
    def GET(self, call: Call) -> StatusView:
        if not self.api.ready():
            raise NotReady("the server is not ready to work", retry_after=1)
        return StatusView(version=self.version, ready=True)


class OpenApi(Controller):
    path = f"{BASE}/openapi.json"
    document: ClassVar[bytes]

    @route("GET", "This description", answer=dict)
    def GET(self, call: Call) -> Answer:
        return Answer(200, self.document)


class MetricsPage(Controller):
    path = "/metrics"
    metrics: ClassVar[Metrics]

    @route("GET", "Figures for Prometheus", answer=str, media=MEDIA)
    def GET(self, call: Call) -> Answer:
        return Answer(200, self.metrics.text(), content_type=MEDIA)


SERVICE: tuple[type[Controller], ...] = (Status, Healthz, Readyz, OpenApi, MetricsPage)


def service_controllers(
    version: str, document: bytes, metrics: Metrics
) -> tuple[type[Controller], ...]:
    """The controllers above, knowing what they tell."""
    known = {"version": version, "document": document, "metrics": metrics}
    return tuple(type(c.__name__, (c,), known) for c in SERVICE)
