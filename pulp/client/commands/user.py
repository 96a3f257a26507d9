"""`user …`: people, their roles and passwords."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pulp.client.commands import options as o
from pulp.client.errors import BadUsage
from pulp.client.output import Output
from pulp.client.runtime import Runtime
from pulp.client.text import when
from pulp.client.views import Answer, User

app = typer.Typer(no_args_is_help=True, help="People: viewers read, operators act, admins rule.")


@app.command()
def create(
    ctx: typer.Context,
    login: o.LoginName,
    role: Annotated[o.Role, typer.Option("--role", help="What the user may do.")],
    password_stdin: o.PasswordStdin = False,
    json: o.Json = False,
) -> None:
    """Make a user. The password is asked for, or read from stdin."""
    runtime: Runtime = ctx.obj
    runtime.session()
    password = runtime.new_password(from_stdin=password_stdin)
    with runtime.client() as client:
        answer = client.make_user({"login": login, "password": password, "role": role.value})
    _say(runtime.output(json=json), answer, f"User {login} is made, role {role.value}.")


@app.command("list")
def list_(ctx: typer.Context, json: o.Json = False) -> None:
    """List users."""
    runtime: Runtime = ctx.obj
    zone = runtime.zone()

    def row(u: User) -> tuple[str, ...]:
        return u.login, u.role, when(u.created_at, zone)

    with runtime.client() as client:
        runtime.output(json=json).many(client.users(), ("LOGIN", "ROLE", "CREATED"), row)


@app.command()
def passwd(
    ctx: typer.Context,
    login: Annotated[
        str | None, typer.Argument(metavar="[LOGIN]", help="Whose; without it your own.")
    ] = None,
    password_stdin: o.PasswordStdin = False,
    json: o.Json = False,
) -> None:
    """Set a password. Your own needs the old one (asked for, or PULP_ADMIN_PASSWORD)."""
    runtime: Runtime = ctx.obj
    session = runtime.session()
    login = login or session.login
    if not login:
        raise BadUsage("say whose password: pulp-admin user passwd LOGIN")
    changes: dict[str, Any] = {}
    if login == session.login:
        changes["old_password"] = runtime.secret("Old password", variable="PULP_ADMIN_PASSWORD")
    changes["password"] = runtime.new_password(from_stdin=password_stdin)
    with runtime.client() as client:
        answer = client.edit_user(login, changes)
    _say(runtime.output(json=json), answer, f"The password of {login} is set.")


@app.command("role")
def role_(
    ctx: typer.Context,
    login: o.LoginName,
    role: Annotated[o.Role, typer.Argument(help="The new role.")],
    json: o.Json = False,
) -> None:
    """Change what a user may do."""
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        answer = client.edit_user(login, {"role": role.value})
    _say(runtime.output(json=json), answer, f"User {login} has role {role.value} now.")


@app.command()
def delete(
    ctx: typer.Context, login: o.LoginName, yes: o.Yes = False, json: o.Json = False
) -> None:
    """Delete a user; all their logins end."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    runtime.confirm(f"Delete user {login}?", yes=yes)
    with runtime.client() as client:
        client.delete_user(login)
    if json:
        out.data(deleted=login)
    else:
        out.line(f"User {login} is deleted.")


def _say(out: Output, answer: Answer[User], sentence: str) -> None:
    if out.json:
        out.document(answer.raw)
    else:
        out.line(sentence)
