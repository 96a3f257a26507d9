"""`window …` and `freeze …`: when work may start on hosts, and when it may not (docs/windows.md). The same verbs for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from pulp.client.commands import options as o
from pulp.client.commands import recurring as r
from pulp.client.commands import window_hosts
from pulp.client.commands.window_shared import Name, found, role
from pulp.client.errors import BadUsage
from pulp.client.moments import in_utc
from pulp.client.runtime import Runtime
from pulp.client.spans import describe_window, parse_window
from pulp.client.window_text import facts, only_of, rule_of, where
from pulp.client.window_views import NamedWindow
from pulp.common.times import to_datetime

_WINDOW_EXAMPLES = """\b
Examples:
  pulp-admin window create nights --rrule FREQ=DAILY --dtstart 2026-12-01T22:00 \\
      --zone host --duration 4h --cutoff 30m
  pulp-admin window create patch --rrule 'FREQ=MONTHLY;BYDAY=2TU' --offset-days 10 \\
      --dtstart 2026-12-01T22:00 --zone Europe/Berlin --duration 4h
  pulp-admin window create move --once 'saturday 8:00/10h'
  pulp-admin window bind nights web1 web2
  pulp-admin window preview nights        when it opens next on each of its hosts"""
_FREEZE_EXAMPLES = """\b
Examples:
  pulp-admin freeze create year-end --rrule FREQ=YEARLY --dtstart 2026-12-15T00:00 \\
      --zone host --duration 3w --everywhere
  pulp-admin freeze create audit --once '2026-12-01 8:00/2026-12-03 18:00'
  pulp-admin freeze bind audit web1
  pulp-admin freeze preview audit web1    what it leaves of the windows of web1"""

_Once = Annotated[
    str | None,
    typer.Option(
        "--once",
        metavar="BEGIN/END",
        help="It happens once: 'saturday 8:00/10h', '22:00/4:00', 'now/2h', RFC 3339.",
    ),
]
_Zone = typer.Option(
    "--zone", metavar="ZONE", help="Whose clock: Europe/Berlin, or host for each host's own."
)
_Duration = Annotated[
    str | None,
    typer.Option(
        "--duration", metavar="SPAN", help="How long each time: 90m, 4h, 1d (a whole day)."
    ),
]
_Cutoff = Annotated[
    str | None,
    typer.Option(
        "--cutoff",
        metavar="SPAN",
        help="Nothing starts in the last so many minutes; not for freezes.",
    ),
]


def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    once: _Once = None,
    rrule: Annotated[str | None, r.Rrule] = None,
    dtstart: Annotated[str | None, r.Dtstart] = None,
    zone: Annotated[str | None, _Zone] = None,
    duration: _Duration = None,
    offset_days: r.OffsetDays = None,
    cutoff: _Cutoff = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="It holds for every host, bound or not.")
    ] = False,
    json: o.Json = False,
) -> None:
    runtime: Runtime = ctx.obj
    body: dict[str, Any] = {"name": name, "role": role(ctx)}
    body |= _times(
        runtime, once, offset_days, rrule=rrule, dtstart=dtstart, zone=zone, duration=duration
    )
    body |= r.given(cutoff=cutoff, everywhere=everywhere)
    with runtime.client() as client:
        answer = client.make_window(body)
    runtime.output(json=json).one(answer, lambda w: facts(w, runtime.zone()))


def list_(ctx: typer.Context, limit: o.Limit = None, json: o.Json = False) -> None:
    runtime: Runtime = ctx.obj
    zone = runtime.zone()

    def row(w: NamedWindow) -> tuple[str, ...]:
        return w.name, rule_of(w, zone), w.cutoff or "", where(w)

    with runtime.client() as client:
        listing = client.windows(role=role(ctx), limit=limit)
        runtime.output(json=json).many(listing, ("NAME", "WHEN", "CUTOFF", "HOSTS"), row)


def show(ctx: typer.Context, name: Name, json: o.Json = False) -> None:
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        answer = client.window(name)
    only_of(role(ctx), answer.value)
    runtime.output(json=json).one(answer, lambda w: facts(w, runtime.zone()))


def edit(
    ctx: typer.Context,
    name: Name,
    once: _Once = None,
    rrule: Annotated[str | None, r.Rrule] = None,
    dtstart: Annotated[str | None, r.Dtstart] = None,
    zone: Annotated[str | None, _Zone] = None,
    duration: _Duration = None,
    offset_days: r.OffsetDays = None,
    cutoff: _Cutoff = None,
    no_cutoff: Annotated[bool, typer.Option("--no-cutoff", help="Without one.")] = False,
    everywhere: Annotated[
        bool | None,
        typer.Option("--everywhere/--not-everywhere", help="Whether it holds for every host."),
    ] = None,
    json: o.Json = False,
) -> None:
    runtime: Runtime = ctx.obj
    if cutoff and no_cutoff:
        raise BadUsage("--no-cutoff and --cutoff exclude each other")
    changes = _times(
        runtime, once, offset_days, rrule=rrule, dtstart=dtstart, zone=zone, duration=duration
    )
    changes |= r.given(cutoff=cutoff) | ({"cutoff": None} if no_cutoff else {})
    changes |= {} if everywhere is None else {"everywhere": everywhere}
    if not changes:
        raise BadUsage("nothing to change: see --help for what can be given")
    with runtime.client() as client:
        found(ctx, client, name)
        answer = client.edit_window(name, changes)
    runtime.output(json=json).one(answer, lambda w: facts(w, runtime.zone()))


def delete(
    ctx: typer.Context,
    name: Name,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also when it holds for hosts, or is a schedule's window: they go on without it.",
        ),
    ] = False,
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        held = where(found(ctx, client, name))
        runtime.confirm(f"Delete the {role(ctx)} {name} ({held})?", yes=yes)
        client.delete_window(name, force=force)
    if json:
        out.data(deleted=name)
    else:
        out.line(f"The {role(ctx)} {name} is deleted.")


_COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "create": (create, "Make a {}. Then bind it to hosts, unless it holds everywhere."),
    "list": (list_, "List {}s by name."),
    "show": (show, "Show a {}: when it is on, and for whom."),
    "edit": (edit, "Change a {}. What waits under it is planned anew."),
    "delete": (delete, "Remove a {}."),
    "preview": (
        window_hosts.preview,
        "Show when a {} is on next on each host. Of a window: when work may start in it, freezes applied. Of a freeze: also what"
        " it leaves of the hosts' windows. In UTC, and on the clocks of the {}'s zone. Without hosts: on all that it holds for.",
    ),
    "bind": (
        window_hosts.bind,
        "Let a {} hold for hosts. One after the other: the first that is refused ends it.",
    ),
    "unbind": (
        window_hosts.unbind,
        "Let a {} no longer hold for hosts. One after the other: the first that is refused ends it.",
    ),
}


def _app(sort: str, about: str, examples: str) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help=about, epilog=examples)
    for verb, (command, words) in _COMMANDS.items():
        epilog = examples if verb == "create" else None
        app.command(verb, help=words.format(sort, sort), epilog=epilog)(command)
    return app


window_app = _app("window", "Windows: spans in which work may start.", _WINDOW_EXAMPLES)
freeze_app = _app("freeze", "Freezes: spans in which no work may start.", _FREEZE_EXAMPLES)


def _times(
    runtime: Runtime, once: str | None, offset_days: int | None, **rule: str | None
) -> dict[str, Any]:
    """The request's fields; one that happens once is told back in full before anything is sent."""
    said = r.given(**rule) | ({} if offset_days is None else {"offset_days": offset_days})
    if once is None:
        return said
    if said:
        others = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise BadUsage(
            f"--once says when it is, and {others} when it recurs: give one or the other"
        )
    zone = runtime.zone()
    span = parse_window(once, now=runtime.clock(), zone=zone, option="--once")
    runtime.output(json=False).note(f"Once {describe_window(span, zone)}")
    return {"begin": in_utc(to_datetime(span.begin)), "end": in_utc(to_datetime(span.end))}
