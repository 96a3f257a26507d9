"""`plan`: what will run where and when, which hosts have no window, and what will not fit."""

from __future__ import annotations

from collections import Counter
from datetime import tzinfo
from typing import Annotated

import typer

from pulp.client.commands import options as o
from pulp.client.completion import complete_consumer
from pulp.client.output import Output
from pulp.client.plan_rest import HostPlan, Planned
from pulp.client.runtime import Runtime
from pulp.client.text import when

_COLUMNS = ("HOST", "WHEN", "UNTIL", "WHAT", "IN", "TAKES", "")
_EXAMPLES = """\b
Examples:
  pulp-admin plan                 the next seven days on all hosts
  pulp-admin plan web1 --days 31
  pulp-admin plan --json | jq 'select(.problem != "")'    hosts without a window"""


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command(epilog=_EXAMPLES)(plan)


def plan(
    ctx: typer.Context,
    host: Annotated[
        str | None,
        typer.Argument(metavar="[HOST]", help="Only this one.", autocompletion=complete_consumer),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=31, help="So far ahead.")] = 7,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many hosts.")
    ] = None,
    json: o.Json = False,
) -> None:
    """Show what will run where and when: tasks that wait, and runs of schedules. Beside it: hosts without a window, and what
    will not fit."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        listing = client.plan(days=days, consumer=host, limit=limit)
        if json:
            for answer in listing:
                out.document(answer.raw)
        else:
            _show(out, [answer.value for answer in listing], days, runtime.zone())
    if listing.more:
        out.note("There are more hosts than these: give a higher --limit to see them.")


def _show(out: Output, hosts: list[HostPlan], days: int, zone: tzinfo) -> None:
    out.table(
        _COLUMNS,
        [_row(host, item, zone) for host in hosts for item in host.items],
        empty="Nothing is planned for the next " + ("day." if days == 1 else f"{days} days."),
    )
    _problems(out, hosts)
    for host in hosts:
        if host.more:
            out.note(
                f"{host.consumer_id}: more will run there than is shown; give it alone, or fewer days."
            )


def _row(host: HostPlan, item: Planned, zone: tzinfo) -> tuple[str, ...]:
    state = f" ({item.state})" if item.state else ""
    return (
        host.consumer_id,
        when(item.at, zone),
        when(item.until, zone),
        f"{item.action}, {_what(item)}{state}",
        ", ".join(item.windows),
        item.expected or "",
        "problem: see below" if item.problem else "",
    )


def _what(item: Planned) -> str:
    return f"task {item.task_id}" if item.task_id else f"schedule {item.schedule}"


def _problems(out: Output, hosts: list[HostPlan]) -> None:
    """One line for each thing that will not be as somebody may think; one for all runs of a schedule that have the same."""
    found = Counter(
        (host.consumer_id, _what(item), item.problem)
        for host in hosts
        for item in host.items
        if item.problem
    )
    for (host_id, what, problem), runs in found.items():
        out.line(f"Problem: {host_id}, {what}{f' ({runs} runs)' if runs > 1 else ''}: {problem}")
    for problem in sorted({host.problem for host in hosts if host.problem}):
        names = ", ".join(host.consumer_id for host in hosts if host.problem == problem)
        out.line(f"{problem[:1].upper()}{problem[1:]}: {names}")
