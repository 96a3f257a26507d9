"""Login, users and registration tokens."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from http import HTTPStatus

from pulp.server.api.types import (
    ListView,
    LoginBody,
    LoginView,
    PatchUserBody,
    RegistrationTokenBody,
    RegistrationTokenView,
    UserBody,
    UserView,
)
from pulp.server.domain.user import Role
from pulp.server.webservices.queries import PageQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route

TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS


class Login(Controller):
    path = f"{BASE}/login"

    @route(
        "POST",
        "Log in: a password for a token",
        body=LoginBody,
        answer=LoginView,
        problems=(HTTPStatus.UNAUTHORIZED, TOO_MANY),
    )
    def POST(self, call: Call) -> LoginView:
        return self.api.users.login(call.body)

    @route("DELETE", "Log out: the token ends", role=Role.VIEWER, status=HTTPStatus.NO_CONTENT)
    def DELETE(self, call: Call) -> None:
        self.api.users.logout(call.token)


class Users(Controller):
    path = f"{BASE}/users"

    @route(
        "GET",
        "List the users by login",
        role=Role.ADMIN,
        query=PageQuery,
        answer=ListView[UserView],
    )
    def GET(self, call: Call) -> ListView[UserView]:
        return self.api.users.list(call.who, after=call.query.after, limit=call.query.limit)

    @route(
        "POST",
        "Make a user",
        role=Role.ADMIN,
        body=UserBody,
        answer=UserView,
        status=HTTPStatus.CREATED,
        once=True,
        location=lambda user: f"{BASE}/users/{user.login}",
        problems=(HTTPStatus.CONFLICT,),
    )
    def POST(self, call: Call) -> UserView:
        return self.api.users.create(call.who, call.body, key=call.key)


class User(Controller):
    path = f"{BASE}/users/{{login}}"

    @route("GET", "Show a user: admins any, others themselves", role=Role.VIEWER, answer=UserView)
    def GET(self, call: Call, login: str) -> UserView:
        return self.api.users.show(call.who, login)

    @route(
        "PATCH",
        "Change a password (one's own, or any for admins) or a role (admins)",
        role=Role.VIEWER,
        body=PatchUserBody,
        answer=UserView,
        problems=(HTTPStatus.CONFLICT, TOO_MANY),
    )
    def PATCH(self, call: Call, login: str) -> UserView:
        return self.api.users.change(call.who, login, call.body, token=call.token)

    @route(
        "DELETE",
        "Remove a user",
        role=Role.ADMIN,
        status=HTTPStatus.NO_CONTENT,
        problems=(HTTPStatus.CONFLICT,),
    )
    def DELETE(self, call: Call, login: str) -> None:
        self.api.users.delete(call.who, login)


class RegistrationTokens(Controller):
    path = f"{BASE}/registration-tokens"

    @route(
        "GET",
        "List the registration tokens",
        role=Role.ADMIN,
        query=PageQuery,
        answer=ListView[RegistrationTokenView],
    )
    def GET(self, call: Call) -> ListView[RegistrationTokenView]:
        query: PageQuery = call.query
        return self.api.tokens.list(call.who, after=query.after, limit=query.limit)

    @route(
        "POST",
        "Make a registration token; only this answer shows it",
        role=Role.ADMIN,
        body=RegistrationTokenBody,
        answer=RegistrationTokenView,
        status=HTTPStatus.CREATED,
        once=True,
        location=lambda token: f"{BASE}/registration-tokens/{token.id}",
    )
    def POST(self, call: Call) -> RegistrationTokenView:
        return self.api.tokens.create(call.who, call.body, key=call.key)


class RegistrationToken(Controller):
    path = f"{BASE}/registration-tokens/{{id}}"

    @route("DELETE", "Revoke a registration token", role=Role.ADMIN, status=HTTPStatus.NO_CONTENT)
    def DELETE(self, call: Call, token_id: str) -> None:
        self.api.tokens.revoke(call.who, token_id)
