"""`preview`, `bind` and `unbind` of windows and freezes: what they mean for hosts."""

from __future__ import annotations

from typing import Annotated

import typer

from pulp.client.commands import options as o
from pulp.client.commands.window_shared import Hosts, Name, found
from pulp.client.runtime import Runtime
from pulp.client.window_text import preview_rows


def preview(
    ctx: typer.Context,
    name: Name,
    hosts: Annotated[list[str] | None, Hosts] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=50, help="So many times each.")] = 5,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many hosts.")] = 20,
    json: o.Json = False,
) -> None:
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    rows: list[tuple[str, ...]] = []
    with runtime.client() as client:
        found(ctx, client, name)
        listing = client.preview_window(name, consumers=hosts or (), count=count, limit=limit)
        for answer in listing:
            if json:
                out.document(answer.raw)
                continue
            rows += preview_rows(answer.value)
            if answer.value.says:
                out.note(f"{answer.value.consumer or name}: {answer.value.says}")
    if not json:
        out.table(("HOST", "", "FROM (UTC)", "UNTIL (UTC)", "LAST START", "ON THE CLOCKS OF"), rows)
    if listing.more:
        out.note("There are more hosts than these: give a higher --limit to see them.")


def bind(
    ctx: typer.Context, name: Name, hosts: Annotated[list[str], Hosts], json: o.Json = False
) -> None:
    _bind(ctx, name, hosts, bound=True, json=json)


def unbind(
    ctx: typer.Context, name: Name, hosts: Annotated[list[str], Hosts], json: o.Json = False
) -> None:
    _bind(ctx, name, hosts, bound=False, json=json)


def _bind(ctx: typer.Context, name: str, hosts: list[str], *, bound: bool, json: bool) -> None:
    """One host after the other; the first that is refused ends it, and those before it stay changed."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        found(ctx, client, name)
        change = client.bind_window if bound else client.unbind_window
        for host in hosts:
            answer = change(name, host)
            if json:
                out.document(answer.raw)
            else:
                theirs = ", ".join(answer.value.windows) or "none"
                out.line(f"{host}: windows and freezes bound to it: {theirs}")
