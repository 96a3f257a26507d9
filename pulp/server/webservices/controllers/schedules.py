"""Schedules: actions that recur."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta

from pulp.server.api.schedule_types import (
    PatchScheduleBody,
    ScheduleBody,
    SchedulePreview,
    ScheduleView,
)
from pulp.server.api.types import Body, ListView
from pulp.server.domain.user import Role
from pulp.server.webservices.queries import PageQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route


class PreviewQuery(Body, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=1, le=100, description="a number from 1 to 100")] = 10


class Schedules(Controller):
    path = f"{BASE}/schedules"

    @route(
        "GET",
        "List the schedules by name",
        role=Role.VIEWER,
        query=PageQuery,
        answer=ListView[ScheduleView],
    )
    def GET(self, call: Call) -> ListView[ScheduleView]:
        query: PageQuery = call.query
        return self.api.schedules.list(call.who, after=query.after, limit=query.limit)

    @route(
        "POST",
        "Make a schedule: an action that recurs for some consumers",
        role=Role.OPERATOR,
        body=ScheduleBody,
        answer=ScheduleView,
        status=HTTPStatus.CREATED,
        once=True,
        location=lambda made: f"{BASE}/schedules/{made.name}",
        problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    )
    def POST(self, call: Call) -> ScheduleView:
        return self.api.schedules.create(call.who, call.body, key=call.key)


class Schedule(Controller):
    path = f"{BASE}/schedules/{{name}}"

    @route("GET", "Show a schedule", role=Role.VIEWER, answer=ScheduleView)
    def GET(self, call: Call, name: str) -> ScheduleView:
        return self.api.schedules.show(call.who, name)

    @route(
        "PATCH",
        "Change a schedule, enable or disable it",
        role=Role.OPERATOR,
        body=PatchScheduleBody,
        answer=ScheduleView,
        problems=(HTTPStatus.CONFLICT,),
    )
    def PATCH(self, call: Call, name: str) -> ScheduleView:
        return self.api.schedules.change(call.who, name, call.body)

    @route(
        "DELETE",
        "Remove a schedule; the tasks it made go on",
        role=Role.OPERATOR,
        status=HTTPStatus.NO_CONTENT,
    )
    def DELETE(self, call: Call, name: str) -> None:
        self.api.schedules.delete(call.who, name)


class SchedulePreviews(Controller):
    path = f"{BASE}/schedules/{{name}}/preview"

    @route(
        "GET",
        "The next moments of a schedule, in UTC and in its zone",
        role=Role.VIEWER,
        query=PreviewQuery,
        answer=SchedulePreview,
    )
    def GET(self, call: Call, name: str) -> SchedulePreview:
        return self.api.schedules.preview(call.who, name, count=call.query.count)
