"""Hosts: registration, presence, profile, ping, history."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from http import HTTPStatus

from msgspec import UNSET

from pulp.server.api.types import (
    ConsumerView,
    EmptyBody,
    HistoryEventView,
    ListView,
    PatchConsumerBody,
    PingView,
    ProfileView,
    RegisterBody,
    RegisteredView,
)
from pulp.server.db.base import ConsumerFilter
from pulp.server.domain.history import HistoryType
from pulp.server.domain.user import Role
from pulp.server.webservices.queries import ConsumersQuery, HistoryQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route


class Consumers(Controller):
    path = f"{BASE}/consumers"

    @route(
        "GET",
        "List the consumers by id",
        role=Role.VIEWER,
        query=ConsumersQuery,
        answer=ListView[ConsumerView],
    )
    def GET(self, call: Call) -> ListView[ConsumerView]:
        query: ConsumersQuery = call.query
        online = None if query.online is UNSET else query.online
        where = ConsumerFilter(online=online, q=query.q, notes=query.notes, window=query.window)
        return self.api.consumers.list(call.who, where, after=query.after, limit=query.limit)

    @route(
        "POST",
        "Register a host with a registration token",
        body=RegisterBody,
        answer=RegisteredView,
        status=HTTPStatus.CREATED,
        location=lambda made: f"{BASE}/consumers/{made.consumer.id}",
        problems=(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
    )
    def POST(self, call: Call) -> RegisteredView:
        return self.api.consumers.register(call.body)


class Consumer(Controller):
    path = f"{BASE}/consumers/{{id}}"

    @route("GET", "Show a consumer", role=Role.VIEWER, answer=ConsumerView)
    def GET(self, call: Call, consumer_id: str) -> ConsumerView:
        return self.api.consumers.show(call.who, consumer_id)

    @route(
        "PATCH",
        "Change a consumer's display name and notes, and whether its windows are enforced (for admins)",
        role=Role.OPERATOR,
        body=PatchConsumerBody,
        answer=ConsumerView,
        problems=(HTTPStatus.CONFLICT,),
    )
    def PATCH(self, call: Call, consumer_id: str) -> ConsumerView:
        return self.api.consumers.patch(call.who, consumer_id, call.body)

    @route(
        "DELETE",
        "Unregister a consumer: cancels its open tasks, keeps its history",
        role=Role.OPERATOR,
        status=HTTPStatus.NO_CONTENT,
    )
    def DELETE(self, call: Call, consumer_id: str) -> None:
        self.api.consumers.unregister(call.who, consumer_id)


class ConsumerProfile(Controller):
    path = f"{BASE}/consumers/{{id}}/profile"

    @route("GET", "The installed packages as last reported", role=Role.VIEWER, answer=ProfileView)
    def GET(self, call: Call, consumer_id: str) -> ProfileView:
        return self.api.consumers.profile(call.who, consumer_id)


class ConsumerPing(Controller):
    path = f"{BASE}/consumers/{{id}}/ping"

    @route(
        "POST",
        "Ask the agent for a sign of life",
        role=Role.OPERATOR,
        body=EmptyBody,
        answer=PingView,
        problems=(HTTPStatus.CONFLICT,),
    )
    def POST(self, call: Call, consumer_id: str) -> PingView:
        return self.api.consumers.ping(call.who, consumer_id)


class ConsumerHistory(Controller):
    path = f"{BASE}/consumers/{{id}}/history"

    @route(
        "GET",
        "What really happened on a consumer, also on one that is no longer registered; without logs",
        role=Role.VIEWER,
        query=HistoryQuery,
        answer=ListView[HistoryEventView],
    )
    def GET(self, call: Call, consumer_id: str) -> ListView[HistoryEventView]:
        query: HistoryQuery = call.query
        return self.api.history.list(
            call.who,
            consumer_id,
            types=frozenset(map(HistoryType, query.type)),
            begin=query.begin,
            end=query.end,
            newest_first=query.order == "desc",
            after=query.after,
            limit=query.limit,
        )


class ConsumerHistoryEntry(Controller):
    path = f"{BASE}/consumers/{{id}}/history/{{entry}}"

    @route(
        "GET",
        "One entry of a consumer's history, with its log",
        role=Role.VIEWER,
        answer=HistoryEventView,
    )
    def GET(self, call: Call, consumer_id: str, entry: str) -> HistoryEventView:
        return self.api.history.show(call.who, consumer_id, entry)
