"""Named windows and freezes, and the hosts they are bound to."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pulp.server.api.types import Body, ConsumerView, ListView
from pulp.server.api.window_types import (
    NamedWindowBody,
    NamedWindowView,
    PatchNamedWindowBody,
    RoleText,
    WindowPreview,
)
from pulp.server.domain.user import Role
from pulp.server.domain.window import WindowRole
from pulp.server.webservices.queries import PageQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route


class WindowsQuery(PageQuery, frozen=True, kw_only=True):
    role: RoleText | UnsetType = UNSET  # not None: a query's `null` is no value


class PreviewQuery(PageQuery, frozen=True, kw_only=True):
    """consumer: may be repeated; left out: all that it holds for, a page of `limit` at a time. count: of openings on each."""

    consumer: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=100)] = (
        msgspec.field(default_factory=list)
    )
    count: Annotated[int, Meta(ge=1, le=50, description="a number from 1 to 50")] = 5


class ForceQuery(Body, frozen=True, kw_only=True):
    force: bool = False


class Windows(Controller):
    path = f"{BASE}/windows"

    @route(
        "GET",
        "List the windows and freezes by name",
        role=Role.VIEWER,
        query=WindowsQuery,
        answer=ListView[NamedWindowView],
    )
    def GET(self, call: Call) -> ListView[NamedWindowView]:
        query: WindowsQuery = call.query
        role = None if query.role is UNSET else WindowRole(query.role)
        return self.api.windows.list(call.who, role, after=query.after, limit=query.limit)

    @route(
        "POST",
        "Make a window, in which work may start, or a freeze, in which none may",
        role=Role.ADMIN,
        body=NamedWindowBody,
        answer=NamedWindowView,
        status=HTTPStatus.CREATED,
        once=True,
        location=lambda made: f"{BASE}/windows/{made.name}",
        problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    )
    def POST(self, call: Call) -> NamedWindowView:
        return self.api.windows.create(call.who, call.body, key=call.key)


class Window(Controller):
    path = f"{BASE}/windows/{{name}}"

    @route("GET", "Show a window or freeze", role=Role.VIEWER, answer=NamedWindowView)
    def GET(self, call: Call, name: str) -> NamedWindowView:
        return self.api.windows.show(call.who, name)

    @route(
        "PATCH",
        "Change when a window or freeze is on, or whether it holds everywhere",
        role=Role.ADMIN,
        body=PatchNamedWindowBody,
        answer=NamedWindowView,
        problems=(HTTPStatus.CONFLICT,),
    )
    def PATCH(self, call: Call, name: str) -> NamedWindowView:
        return self.api.windows.change(call.who, name, call.body)

    @route(
        "DELETE",
        "Remove a window or freeze; with force=true also from the hosts that it holds for",
        role=Role.ADMIN,
        query=ForceQuery,
        status=HTTPStatus.NO_CONTENT,
        problems=(HTTPStatus.CONFLICT,),
    )
    def DELETE(self, call: Call, name: str) -> None:
        self.api.windows.delete(call.who, name, force=call.query.force)


class WindowPreviews(Controller):
    path = f"{BASE}/windows/{{name}}/preview"

    @route(
        "GET",
        "When work may start next in a window, or beside a freeze, on each host",
        role=Role.VIEWER,
        query=PreviewQuery,
        answer=WindowPreview,
    )
    def GET(self, call: Call, name: str) -> WindowPreview:
        query: PreviewQuery = call.query
        return self.api.windows.preview(
            call.who,
            name,
            consumers=query.consumer,
            count=query.count,
            after=query.after,
            limit=query.limit,
        )


class WindowConsumers(Controller):
    path = f"{BASE}/windows/{{name}}/consumers"

    @route(
        "GET",
        "List the consumers that a window or freeze is bound to",
        role=Role.VIEWER,
        query=PageQuery,
        answer=ListView[ConsumerView],
    )
    def GET(self, call: Call, name: str) -> ListView[ConsumerView]:
        query: PageQuery = call.query
        return self.api.windows.consumers(call.who, name, after=query.after, limit=query.limit)


class WindowConsumer(Controller):
    path = f"{BASE}/windows/{{name}}/consumers/{{id}}"

    @route(
        "PUT",
        "Bind a window or freeze to a consumer",
        role=Role.ADMIN,
        answer=ConsumerView,
        problems=(HTTPStatus.CONFLICT,),
    )
    def PUT(self, call: Call, name: str, consumer_id: str) -> ConsumerView:
        return self.api.windows.bind(call.who, name, consumer_id)

    @route(
        "DELETE",
        "Take a window or freeze from a consumer",
        role=Role.ADMIN,
        answer=ConsumerView,
        problems=(HTTPStatus.CONFLICT,),
    )
    def DELETE(self, call: Call, name: str, consumer_id: str) -> ConsumerView:
        return self.api.windows.unbind(call.who, name, consumer_id)
