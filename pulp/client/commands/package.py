"""`package …`: packages over all hosts, as these last reported them."""

from __future__ import annotations

from typing import Annotated

import typer

from pulp.client.commands import options as o
from pulp.client.package_views import Installation, Spread
from pulp.client.runtime import Runtime

_EXAMPLES = """\b
Which hosts still have a version, and is a package anywhere at all:
  pulp-admin package show openssl
  pulp-admin package find openssl --version 3.0.11-1~deb12u2
  pulp-admin package find 'liblog4j*'

\b
This is what the hosts last reported, as each does when Pulp changed its
packages, and once a day; `consumer refresh-profile HOST` asks one now. Versions
are compared as text: dpkg and rpm have rules of their own for `older than`."""

app = typer.Typer(
    no_args_is_help=True,
    help="Which hosts have a package, and in which versions.",
    epilog=_EXAMPLES,
)


@app.command(epilog=_EXAMPLES)
def find(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The whole name; or its beginning and *, in quotes: 'libssl*'.",
        ),
    ],
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Only this very version.")
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch", metavar="ARCH", help="Only this architecture, such as amd64 or noarch."
        ),
    ] = None,
    limit: o.Limit = None,
    json: o.Json = False,
) -> None:
    """List the hosts that have a package."""

    def row(found: Installation) -> tuple[str, ...]:
        return found.consumer_id, found.name, found.version, found.arch

    runtime: Runtime = ctx.obj
    params = {"name": name, "version": version, "arch": arch}
    columns = ("CONSUMER", "NAME", "VERSION", "ARCH")
    with runtime.client() as client:
        runtime.output(json=json).many(client.installed(params, limit=limit), columns, row)


@app.command(epilog=_EXAMPLES)
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The whole name.")],
    json: o.Json = False,
) -> None:
    """Count the hosts that have each version of a package."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.spread(name)
    if json:
        out.document(answer.raw)
        return
    out.note(_summary(answer.value))
    rows = [(v.version, v.arch, str(v.hosts)) for v in answer.value.versions]
    if rows:
        out.table(("VERSION", "ARCH", "HOSTS"), rows)


def _summary(spread: Spread) -> str:
    reported = f"the {spread.reported} hosts" if spread.reported != 1 else "the 1 host"
    return f"On {spread.hosts} of {reported} that reported their packages."
