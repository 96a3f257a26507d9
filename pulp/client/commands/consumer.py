"""`consumer …`: the hosts, what is on them and what happened to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from pulp.client import views
from pulp.client.commands import actions, enforce, package_work, reboot
from pulp.client.commands import entry as entries
from pulp.client.commands import options as o
from pulp.client.errors import BadUsage
from pulp.client.history import ran, summary
from pulp.client.rest import RestClient
from pulp.client.runtime import Runtime
from pulp.client.spans import parse_past
from pulp.client.text import when
from pulp.client.views import Consumer, TaskState
from pulp.common.times import format_time, to_ms

app = typer.Typer(no_args_is_help=True, help="Hosts, and work on their packages.")

_Note = Annotated[
    list[str] | None, typer.Option("--note", metavar="KEY=VALUE", help="May be given again.")
]


@app.command("list")
def list_(
    ctx: typer.Context,
    online: Annotated[
        bool | None,
        typer.Option("--online/--offline", help="Only hosts whose agent is (not) here."),
    ] = None,
    text: Annotated[
        str | None, typer.Option("-q", metavar="TEXT", help="Part of the id or name.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", metavar="NAME", help="Only hosts that it is bound to."),
    ] = None,
    note: _Note = None,
    limit: o.Limit = None,
    json: o.Json = False,
) -> None:
    """List hosts."""
    runtime: Runtime = ctx.obj
    zone = runtime.zone()
    params: dict[str, str | None] = {"q": text, "window": window}
    if online is not None:
        params["online"] = str(online).lower()
    params |= {f"note.{key}": value for key, value in _notes(note).items()}

    def row(c: Consumer) -> tuple[str, ...]:
        agent = c.agent.version if c.agent else "-"
        return c.id, _presence(c), when(c.last_seen, zone), agent, c.display_name, " ".join(c.flags)

    columns = ("ID", "PRESENCE", "LAST SEEN", "AGENT", "NAME", "FLAGS")
    with runtime.client() as client:
        runtime.output(json=json).many(client.consumers(params, limit=limit), columns, row)


@app.command()
def show(ctx: typer.Context, consumer: o.ConsumerId, json: o.Json = False) -> None:
    """Show one host."""
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        answer = client.consumer(consumer)
    runtime.output(json=json).one(answer, lambda c: _facts(runtime, c))


@app.command()
def edit(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    name: Annotated[str | None, typer.Option("--name", help="The name to display.")] = None,
    note: _Note = None,
    remove_note: Annotated[
        list[str] | None, typer.Option("--remove-note", metavar="KEY", help="May be given again.")
    ] = None,
    json: o.Json = False,
) -> None:
    """Change a host's display name and notes."""
    changes: dict[str, Any] = {} if name is None else {"display_name": name}
    notes = dict.fromkeys(remove_note or []) | _notes(note)
    changes |= {"notes": notes} if notes else {}
    if not changes:
        raise BadUsage("nothing to change: give --name, --note or --remove-note")
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        answer = client.edit_consumer(consumer, changes)
    runtime.output(json=json).one(answer, lambda c: _facts(runtime, c))


@app.command()
def ping(ctx: typer.Context, consumer: o.ConsumerId, json: o.Json = False) -> None:
    """Make a round trip to a host's agent."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.ping(consumer)
    if json:
        out.document(answer.raw)
    else:
        out.line(f"{consumer} answered in {answer.value.rtt_ms:.1f} ms")


@app.command()
def history(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    type_: Annotated[
        views.HistoryType | None, typer.Option("--type", help="Only events of it.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="2026-12-01, 'yesterday', '2h ago', RFC 3339."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Inclusive; a date covers its day.")
    ] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    entry: Annotated[
        str | None,
        typer.Option("--show", metavar="ENTRY", help="One entry of the list, with its log."),
    ] = None,
    json: o.Json = False,
) -> None:
    """What really happened on a host, the newest first."""
    runtime: Runtime = ctx.obj
    if entry is not None:
        if type_ or since or until or oldest_first:
            raise BadUsage(
                "--show is for one entry: leave --type, --from, --to and --oldest-first out"
            )
        entries.show(runtime, consumer, entry, json=json)
        return
    zone = runtime.zone()
    params = {
        "type": type_.value if type_ else None,
        "from": _past(runtime, since, latest=False),
        "to": _past(runtime, until, latest=True),
        "order": "asc" if oldest_first else None,
    }

    def row(event: views.HistoryEvent) -> tuple[str, ...]:
        return (
            event.id,
            when(event.at, zone),
            event.type,
            event.originator,
            event.task_id or "-",
            summary(event) + (f" (ran {times})" if (times := ran(event, zone)) else ""),
        )

    columns = ("ENTRY", "TIME", "TYPE", "BY", "TASK", "WHAT")
    with runtime.client() as client:
        events = client.history(consumer, params, limit=limit)
        runtime.output(json=json).many(events, columns, row)


@app.command()
def profile(ctx: typer.Context, consumer: o.ConsumerId, json: o.Json = False) -> None:
    """The packages on a host, as its agent last reported them."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.profile(consumer)
    if json:
        out.document(answer.raw)
        return
    out.note(f"As reported {when(answer.value.at, runtime.zone())}")
    rows = [
        (p.name, p.version, p.arch, "held" if p.held else "", p.state)
        for p in answer.value.packages
    ]
    out.table(("NAME", "VERSION", "ARCH", "HELD", "STATE"), rows)


@app.command()
def unregister(
    ctx: typer.Context, consumer: o.ConsumerId, yes: o.Yes = False, json: o.Json = False
) -> None:
    """Forget a host. Its open tasks are canceled and its certificate dies; its history stays."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    runtime.confirm(f"Unregister {consumer} and cancel its open tasks?", yes=yes)
    with runtime.client() as client:
        warning = _of_what_it_holds(client, consumer)
        client.unregister(consumer)
    if warning:
        out.note(warning)
    if json:
        out.data(deleted=consumer)
    else:
        out.line(f"{consumer} is unregistered. Its history stays.")


def _of_what_it_holds(client: RestClient, consumer_id: str) -> str:
    """A host that is cut off cannot be told to call off what it has taken."""
    if client.consumer(consumer_id).value.online:
        return ""
    held = len(list(client.tasks({"consumer": consumer_id, "state": TaskState.HELD.value})))
    if not held:
        return ""
    requests = "1 request" if held == 1 else f"{held} requests"
    return (
        f"{consumer_id} is not connected and holds {requests} for a window. Until its agent connects and is told that it is"
        " unregistered, it runs them in their windows all the same."
    )


actions.register(app)
package_work.register(app)
enforce.register(app)
reboot.register(app)


def _presence(consumer: Consumer) -> str:
    return "online" if consumer.online else "offline"


def _facts(runtime: Runtime, c: Consumer) -> Iterator[tuple[str, str]]:
    zone = runtime.zone()
    yield "id", c.id
    yield "name", c.display_name
    yield "presence", f"{_presence(c)}, last seen {when(c.last_seen, zone)}"
    yield "registered", when(c.registered_at, zone)
    if c.agent:
        yield "agent", c.agent.version
        yield "system", " ".join(str(v) for v in c.agent.os.values() if isinstance(v, str))
        yield "time zone", c.agent.timezone
        yield "methods", " ".join(sorted(c.agent.methods))
    if c.clock_offset is not None:
        ahead = round(c.clock_offset / 1000, 1)
        yield "clock", f"{ahead:+.1f} s against the server's" if ahead else "as the server's"
    yield "windows", ", ".join(c.windows) + (" (enforced)" if c.enforced else "")
    yield "flags", " ".join(c.flags)
    for problem in c.problems:
        yield "problem", problem
    for key, value in c.notes.items():
        yield f"note {key}", value
    yield "uid", c.uid


def _notes(given: list[str] | None) -> dict[str, str]:
    notes = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadUsage(f"--note {text!r}: write KEY=VALUE")
        notes[key] = value
    return notes


def _past(runtime: Runtime, text: str | None, *, latest: bool) -> str | None:
    if text is None:
        return None
    moment = parse_past(text, now=runtime.clock(), zone=runtime.zone(), latest=latest)
    return format_time(to_ms(moment))
