"""Figures for Prometheus, in a registry of the application's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pulp.server.domain.task import TaskState

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    def __init__(
        self, open_tasks: Callable[[], dict[TaskState, int]], waiting: Callable[[], int]
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Gauges(open_tasks, waiting))
        self._requests = Counter(
            "pulp_http_requests_total",
            "Requests answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "pulp_http_request_seconds",
            "Time spent on a request, without a long poll's wait",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Gauges(Collector):
    """What is asked at the moment of the scrape."""

    def __init__(
        self, open_tasks: Callable[[], dict[TaskState, int]], waiting: Callable[[], int]
    ) -> None:
        self._open_tasks = open_tasks
        self._waiting = waiting

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        tasks = GaugeMetricFamily("pulp_tasks_open", "Tasks that are not over", labels=["state"])
        for state, number in self._open_tasks().items():
            tasks.add_metric([state.value], number)
        yield tasks
        yield GaugeMetricFamily("pulp_http_waiting", "Long polls that wait", value=self._waiting())
