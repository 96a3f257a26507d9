"""`token …`: the right to register hosts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pulp.client.commands import options as o
from pulp.client.errors import BadUsage, ClientError
from pulp.client.runtime import Runtime
from pulp.client.text import when
from pulp.client.tls import fingerprint
from pulp.client.views import RegistrationToken

app = typer.Typer(no_args_is_help=True, help="Registration tokens, with which hosts join.")


@app.command()
def create(
    ctx: typer.Context,
    uses: Annotated[
        int | None, typer.Option("--uses", min=1, help="How many hosts; default 1.")
    ] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="As many hosts as come.")] = False,
    expires_in: Annotated[
        str | None,
        typer.Option("--expires-in", metavar="SPAN", help="Such as 1h or 7d; default 1d."),
    ] = None,
    consumer: Annotated[
        str | None,
        typer.Option("--for", metavar="CONSUMER", help="Only for this id; may replace that host."),
    ] = None,
    json: o.Json = False,
) -> None:
    """Make a token. It is shown this once."""
    if uses is not None and unlimited:
        raise BadUsage("--uses and --unlimited exclude each other")
    body: dict[str, Any] = {"uses": None} if unlimited else {}
    body |= {"uses": uses} if uses is not None else {}
    body |= {"expires_in": expires_in} if expires_in is not None else {}
    body |= {"consumer_id": consumer} if consumer is not None else {}
    runtime: Runtime = ctx.obj
    session = runtime.session()
    with runtime.client() as client:
        answer = client.make_token(body)
    token = answer.value
    if token.token is None:
        raise ClientError(
            f"The token was made, but the answer that showed it was lost. Run: pulp-admin token revoke {token.id}"
            " and make another."
        )
    out = runtime.output(json=json)
    if json:
        out.document(answer.raw)
        return
    out.line(token.token)
    until = when(token.expires_at, runtime.zone())
    out.note(f"Good for {_uses(token)} until {until}. It is not shown again. On the host:")
    trust = f" --fingerprint {fingerprint(session.ca)}" if session.ca else ""
    out.note(f"  pulp-agent register --server {session.server} --token {token.token}{trust}")


@app.command("list")
def list_(ctx: typer.Context, json: o.Json = False) -> None:
    """List tokens, without their secrets."""
    runtime: Runtime = ctx.obj
    zone = runtime.zone()

    def row(t: RegistrationToken) -> tuple[str, ...]:
        return t.id, _uses(t), when(t.expires_at, zone), t.consumer_id or "any", t.created_by

    columns = ("ID", "LEFT", "EXPIRES", "CONSUMER", "BY")
    with runtime.client() as client:
        runtime.output(json=json).many(client.tokens(), columns, row)


@app.command()
def revoke(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="From `token list`.")],
    json: o.Json = False,
) -> None:
    """Make a token worthless. Hosts that registered with it stay."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        client.revoke_token(token)
    if json:
        out.data(deleted=token)
    else:
        out.line(f"Token {token} is revoked.")


def _uses(token: RegistrationToken) -> str:
    if token.uses_left is None:
        return "any number of hosts"
    return "1 host" if token.uses_left == 1 else f"{token.uses_left} hosts"
