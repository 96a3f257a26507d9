"""`login`, `logout`, `status` and `version`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pulp import __version__
from pulp.client import session as sessions
from pulp.client.commands import options as o
from pulp.client.errors import BadUsage, LoginNeeded, UnreachableError, UntrustedServer
from pulp.client.rest import RestClient
from pulp.client.runtime import Runtime
from pulp.client.session import Session
from pulp.client.text import when
from pulp.client.tls import context_for, fingerprint, parse_fingerprint
from pulp.common.times import format_time, to_ms

_LOGIN_EXAMPLES = """\b
Examples:
  pulp-admin login https://pulp.example.com:8443 --ca ca.pem
  pulp-admin login pulp.example.com --login anna --fingerprint 9f86d081884c7d65...
  PULP_ADMIN_PASSWORD=... pulp-admin login https://pulp.example.com:8443"""


def register(app: typer.Typer) -> None:
    """Adds these commands to the program."""
    app.command(epilog=_LOGIN_EXAMPLES)(login)
    app.command()(logout)
    app.command()(status)
    app.command()(version)


def login(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://HOST:PORT, or HOST.")],
    name: Annotated[
        str | None, typer.Option("--login", metavar="NAME", help="Default: as last time, or admin.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="Trust what this CA has signed (PEM)."),
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option(
            "--fingerprint",
            metavar="SHA256",
            help="Trust the certificate with it, among those that the server shows.",
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Log in to a server and remember it. The password is asked for, or taken from PULP_ADMIN_PASSWORD."""
    runtime: Runtime = ctx.obj
    server = _server(runtime, url, ca, pin)
    person = name or server.login or "admin"
    with runtime.client_of(server) as client:
        _check_trust(runtime, server, client)
        password = runtime.secret(f"Password of {person}", variable="PULP_ADMIN_PASSWORD")
        answer = client.login(person, password).value
    made = replace(
        server,
        login=person,
        role=answer.role,
        token=answer.token,
        expires_at=format_time(to_ms(answer.expires_at)),
    )
    path = sessions.config_path(runtime.env)
    sessions.write(path, made)
    out = runtime.output(json=json)
    if json:
        out.data(server=made.server, login=person, role=made.role, expires_at=made.expires_at)
    else:
        until = when(answer.expires_at, runtime.zone())
        out.line(f"Logged in at {made.server} as {person} ({made.role}) until {until}.")


def logout(ctx: typer.Context, json: o.Json = False) -> None:
    """End the login, at the server and here. The server's address and trust are kept."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    path = sessions.config_path(runtime.env)
    stored = sessions.read(path)
    if stored is None or not stored.token:
        raise LoginNeeded("You are not logged in.")
    sessions.write(path, replace(stored, token="", expires_at="", role=""))
    try:
        with runtime.client_of(stored, token=stored.token) as client:
            client.logout()
    except LoginNeeded:
        pass  # it had ended already
    except UnreachableError as error:
        raise UnreachableError(
            f"{error} The login is forgotten here, but its token stays good until {stored.expires_at}."
        ) from error
    if json:
        out.data(server=stored.server, logged_out=True)
    else:
        out.line(f"Logged out of {stored.server}.")


def status(ctx: typer.Context, json: o.Json = False) -> None:
    """Whether the server answers and is ready, and who you are there."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    session = runtime.stored()
    if session is None:
        raise LoginNeeded("No server is known. Run: pulp-admin login URL")
    with runtime.client_of(session) as client:
        server = client.status()
    good = bool(session.token) and not session.expired(runtime.clock())
    if json:
        out.data(
            server=session.server,
            version=server.value.version,
            ready=server.value.ready,
            login=session.login or None,
            role=session.role or None,
            logged_in=good,
            expires_at=session.expires_at or None,
        )
        return
    out.facts(
        [
            ("server", session.server),
            ("version", server.value.version),
            ("ready", "yes" if server.value.ready else "not yet"),
            ("login", _who(runtime, session) if good else "none; run: pulp-admin login URL"),
        ]
    )


def version(ctx: typer.Context, json: o.Json = False) -> None:
    """The version of this program."""
    out = ctx.obj.output(json=json)
    if json:
        out.data(version=__version__)
    else:
        out.line(f"pulp-admin {__version__}")


def _server(runtime: Runtime, url: str, ca: Path | None, pin: str | None) -> Session:
    """Where to log in and how to trust it: as said now, or as remembered for this very server."""
    if ca is not None and pin is not None:
        raise BadUsage("--ca and --fingerprint exclude each other")
    server = sessions.known(runtime.env, url)
    if ca is not None:
        server = replace(server, ca=sessions.read_ca(ca))
    if pin is not None:
        server = replace(server, ca=_picked(runtime, server, parse_fingerprint(pin)))
    context_for(server.ca)
    return server


def _picked(runtime: Runtime, server: Session, wanted: str) -> str:
    """The certificate with this fingerprint, the server's own or its CA's, out of what the server shows."""
    try:
        shown = runtime.presented(*sessions.address(server.server))
    except OSError as error:
        raise UnreachableError(
            f"The server at {server.server} cannot be reached: {error}."
        ) from error
    for pem in shown:
        if fingerprint(pem) == wanted:
            return pem
    raise UntrustedServer(
        f"The server at {server.server} shows no certificate with the fingerprint {wanted}. "
        f"It shows {', '.join(fingerprint(pem) for pem in shown)}. Is it the right server?"
    )


def _check_trust(runtime: Runtime, server: Session, client: RestClient) -> None:
    """Before a password is asked for: does the server answer, and is it the one we trust? If not, show what to compare."""
    try:
        client.status()
    except UntrustedServer as error:
        raise UntrustedServer(
            f"{error}\n{_advice(runtime, server, error)}", reason=error.reason
        ) from error


def _advice(runtime: Runtime, server: Session, error: UntrustedServer) -> str:
    if "mismatch" in error.reason.lower():
        return "Use a name that stands in the server's certificate, or have a certificate made with this one."
    try:
        found = fingerprint(runtime.presented(*sessions.address(server.server))[-1])
    except (OSError, IndexError):
        return "Give the CA that signed it: --ca FILE"
    return (
        f"Its CA shows the SHA-256 fingerprint {found}\n"
        "Compare it with what `pulp-server init` printed. Only if they are equal:\n"
        f"  pulp-admin login {server.server} --fingerprint {found}\n"
        "or give the CA that signed it: --ca FILE"
    )


def _who(runtime: Runtime, session: Session) -> str:
    name = session.login or "by the token of PULP_ADMIN_TOKEN"
    role = f" ({session.role})" if session.role else ""
    if not session.expires_at:
        return name + role
    until = datetime.fromisoformat(session.expires_at)
    return f"{name}{role} until {when(until, runtime.zone())}"
