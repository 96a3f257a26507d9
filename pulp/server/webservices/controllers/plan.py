"""What will run where and when."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from http import HTTPStatus

from pulp.server.api.plan_types import HostPlanView
from pulp.server.api.types import ListView
from pulp.server.domain.user import Role
from pulp.server.webservices.queries import PlanQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route


class Plan(Controller):
    path = f"{BASE}/plan"

    @route(
        "GET",
        "What will run on each host in the days to come, which have no window, and what will not fit",
        role=Role.VIEWER,
        query=PlanQuery,
        answer=ListView[HostPlanView],
        problems=(HTTPStatus.NOT_FOUND,),
    )
    def GET(self, call: Call) -> ListView[HostPlanView]:
        query: PlanQuery = call.query
        return self.api.plan.show(
            call.who,
            days=query.days,
            consumer_id=query.consumer,
            after=query.after,
            limit=query.limit,
        )
