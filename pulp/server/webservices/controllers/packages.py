"""Packages over all hosts: who has one, and in which versions."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from pulp.server.api.types import InstallationView, ListView, SpreadView
from pulp.server.db.base import PackageFilter
from pulp.server.domain.user import Role
from pulp.server.webservices.queries import PackagesQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route


class Packages(Controller):
    path = f"{BASE}/packages"

    @route(
        "GET",
        "List the hosts that have a package, as they last reported",
        role=Role.VIEWER,
        query=PackagesQuery,
        answer=ListView[InstallationView],
    )
    def GET(self, call: Call) -> ListView[InstallationView]:
        query: PackagesQuery = call.query
        where = PackageFilter(
            name=query.name.removesuffix("*"),
            prefix=query.name.endswith("*"),
            version=query.version,
            arch=query.arch,
        )
        return self.api.packages.list(call.who, where, after=query.after, limit=query.limit)


class Package(Controller):
    path = f"{BASE}/packages/{{name}}"

    @route(
        "GET",
        "Count the hosts that have each version of a package",
        role=Role.VIEWER,
        answer=SpreadView,
    )
    def GET(self, call: Call, name: str) -> SpreadView:
        return self.api.packages.spread(call.who, name)
