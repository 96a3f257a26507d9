"""`schedule …`: actions that recur (docs/schedules.md)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from pulp.client.commands import options as o
from pulp.client.commands import recurring as r
from pulp.client.commands import timing
from pulp.client.commands.actions import Rules
from pulp.client.completion import complete_consumer, complete_schedule
from pulp.client.errors import BadUsage
from pulp.client.packages import parse_package
from pulp.client.runtime import Runtime
from pulp.client.schedule_text import facts
from pulp.client.schedule_views import Schedule
from pulp.client.text import when

app = typer.Typer(no_args_is_help=True, help="Actions that recur.")

_CREATE_EXAMPLES = """\b
Examples:
  pulp-admin schedule create nightly update-all --security-only --on web1 --on web2 \\
      --rrule FREQ=DAILY --dtstart 2026-12-01T02:00 --zone Europe/Berlin --window-for 3h
  pulp-admin schedule create tools install htop jq --on web1 \\
      --rrule 'FREQ=MONTHLY;BYDAY=2TU' --offset-days 10 --dtstart 2026-12-01T22:00 --zone UTC
  pulp-admin schedule create weekly update-all --on web1 --window next --predownload \\
      --rrule 'FREQ=WEEKLY;BYDAY=MO' --dtstart 2026-12-07T08:00 --zone UTC"""


class Action(Enum):
    INSTALL = "install"
    UPDATE = "update"
    REMOVE = "remove"
    UPDATE_ALL = "update-all"
    INSTALL_GROUP = "install-group"
    REMOVE_GROUP = "remove-group"
    REPAIR = "repair"
    REFRESH = "refresh"
    REFRESH_PROFILE = "refresh-profile"
    REBOOT = "reboot"


_GROUPS = (Action.INSTALL_GROUP, Action.REMOVE_GROUP)


class Missed(Enum):
    SKIP = "skip"
    ONCE = "once"


_Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The schedule's name.", autocompletion=complete_schedule),
]
_On = typer.Option(
    "--on", metavar="CONSUMER", help="May be given again.", autocompletion=complete_consumer
)
_Missed = Annotated[
    Missed | None,
    typer.Option("--missed", help="After a downtime: skip (default), or run the newest once."),
]
_Runs = Annotated[
    int | None, typer.Option("--runs", min=1, help="How many runs; default: no limit.")
]
_Threshold = Annotated[
    int | None,
    typer.Option("--failure-threshold", min=1, help="Stop after so many failed runs in a row."),
]


@app.command(epilog=_CREATE_EXAMPLES)
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="As of `consumer`.")],
    on: Annotated[list[str], _On],
    rrule: Annotated[str, r.Rrule],
    dtstart: Annotated[str, r.Dtstart],
    zone: Annotated[str, r.Zone],
    packages: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PACKAGE",
            help="For install, update and remove; of install-group and remove-group the groups' ids.",
        ),
    ] = None,
    offset_days: r.OffsetDays = None,
    window_for: Annotated[
        str | None,
        typer.Option(
            "--window-for",
            metavar="SPAN",
            help="Begin only within so long of each occurrence. The host itself keeps to it.",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="NAME",
            help="Begin in the next opening of this window after each occurrence; 'next': of any of the host's.",
        ),
    ] = None,
    window_missed: Annotated[
        o.Missed | None,
        typer.Option(
            "--window-missed", help="As --missed of an action: when its opening was missed."
        ),
    ] = None,
    grace: o.ScheduleGrace = None,
    expected: o.Expected = None,
    predownload: o.Predownload = False,
    missed: _Missed = None,
    runs: _Runs = None,
    failure_threshold: _Threshold = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Not to run yet.")] = False,
    dry_run: o.DryRun = False,
    timeout: o.Timeout = None,
    deliver_within: o.DeliverWithin = None,
    security_only: o.SecurityOnly = False,
    advisory: o.Advisory = None,
    minimal: o.Minimal = False,
    allow_remove: o.AllowRemove = False,
    allow_downgrade: o.AllowDowngrade = False,
    allow_held: o.AllowHeld = False,
    config_files: o.ConfigFilesOption = o.ConfigFiles.KEEP,
    autoremove: o.Autoremove = False,
    no_recommends: o.NoRecommends = False,
    reboot: o.RebootOption = o.Reboot.NEVER,
    if_needed: o.IfNeeded = False,
    json: o.Json = False,
) -> None:
    """Make a schedule. Its tasks are asked for by `schedule:NAME (you)`."""
    rules = Rules(
        allow_remove=allow_remove,
        allow_downgrade=allow_downgrade,
        allow_held=allow_held,
        config_files=config_files,
        autoremove=autoremove,
        no_recommends=no_recommends,
        minimal=minimal,
        reboot=reboot,
    )
    body = {"name": name, "action": action.value, "consumers": on} | rules.body()
    body |= {"rrule": rrule, "dtstart": dtstart, "zone": zone}
    body |= r.given(
        packages=[] if action in _GROUPS else [parse_package(text) for text in packages or []],
        groups=packages if action in _GROUPS else None,
        offset_days=offset_days,
        window=_window(window, window_for),
        window_missed=window_missed.value if window_missed else None,
        grace=grace,
        predownload=predownload,
        missed=missed.value if missed else None,
        runs=runs,
        failure_threshold=failure_threshold,
        deliver_within=deliver_within,
        timeout=timeout,
        dry_run=dry_run,
        security_only=security_only,
        advisories=advisory,
        if_needed=if_needed,
    )
    body |= timing.expected(expected) | ({"enabled": False} if disabled else {})
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        answer = client.make_schedule(body)
    runtime.output(json=json).one(answer, lambda s: facts(s, runtime.zone()))


@app.command("list")
def list_(ctx: typer.Context, limit: o.Limit = None, json: o.Json = False) -> None:
    """List schedules by name."""
    runtime: Runtime = ctx.obj
    zone = runtime.zone()

    def row(s: Schedule) -> tuple[str, ...]:
        return (
            s.name,
            s.action,
            _hosts(s),
            s.rrule,
            when(s.next_due, zone) if s.enabled else "disabled",
            str(s.failures or ""),
        )

    columns = ("NAME", "ACTION", "ON", "RULE", "NEXT", "FAILURES")
    with runtime.client() as client:
        runtime.output(json=json).many(client.schedules(limit=limit), columns, row)


@app.command()
def show(ctx: typer.Context, name: _Name, json: o.Json = False) -> None:
    """Show a schedule: what it does, when, what became of its runs, and why it stands still."""
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        answer = client.schedule(name)
    runtime.output(json=json).one(answer, lambda s: facts(s, runtime.zone()))


@app.command()
def edit(
    ctx: typer.Context,
    name: _Name,
    on: Annotated[list[str] | None, _On] = None,
    rrule: Annotated[str | None, r.Rrule] = None,
    dtstart: Annotated[str | None, r.Dtstart] = None,
    zone: Annotated[str | None, r.Zone] = None,
    offset_days: r.OffsetDays = None,
    missed: _Missed = None,
    runs: _Runs = None,
    failure_threshold: _Threshold = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="As many runs as come.")] = False,
    whatever_fails: Annotated[
        bool, typer.Option("--no-failure-threshold", help="Go on, whatever fails.")
    ] = False,
    json: o.Json = False,
) -> None:
    """Change when and where a schedule runs. What it does never changes: make another one."""
    changes = r.given(
        consumers=on,
        rrule=rrule,
        dtstart=dtstart,
        zone=zone,
        missed=missed.value if missed else None,
        runs=runs,
        failure_threshold=failure_threshold,
    ) | ({} if offset_days is None else {"offset_days": offset_days})
    changes |= _lifted(changes, "runs", "--unlimited", unlimited)
    changes |= _lifted(changes, "failure_threshold", "--no-failure-threshold", whatever_fails)
    if not changes:
        raise BadUsage("nothing to change: see --help for what can be given")
    _change(ctx.obj, name, changes, json=json)


@app.command()
def enable(ctx: typer.Context, name: _Name, runs: _Runs = None, json: o.Json = False) -> None:
    """Let a schedule run from now on. What passed meanwhile is not made up for."""
    _change(ctx.obj, name, {"enabled": True} | r.given(runs=runs), json=json)


@app.command()
def disable(ctx: typer.Context, name: _Name, json: o.Json = False) -> None:
    """Let a schedule rest. The tasks it made go on."""
    _change(ctx.obj, name, {"enabled": False}, json=json)


@app.command()
def delete(ctx: typer.Context, name: _Name, yes: o.Yes = False, json: o.Json = False) -> None:
    """Remove a schedule. The tasks it made go on."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    runtime.confirm(f"Delete the schedule {name}?", yes=yes)
    with runtime.client() as client:
        client.delete_schedule(name)
    if json:
        out.data(deleted=name)
    else:
        out.line(f"Schedule {name} is deleted. The tasks it made go on.")


@app.command()
def preview(
    ctx: typer.Context,
    name: _Name,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="How many.")] = 10,
    json: o.Json = False,
) -> None:
    """When a schedule is due next, in UTC and on the clocks of its zone."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.preview_schedule(name, count=count)
    if json:
        out.document(answer.raw)
        return
    rows = [(f"{o.at:%Y-%m-%dT%H:%MZ}", o.local) for o in answer.value.occurrences]
    out.table(("UTC", answer.value.zone), rows)


def _change(runtime: Runtime, name: str, changes: dict[str, Any], *, json: bool) -> None:
    with runtime.client() as client:
        answer = client.edit_schedule(name, changes)
    runtime.output(json=json).one(answer, lambda s: facts(s, runtime.zone()))


def _window(name: str | None, window_for: str | None) -> str | dict[str, str] | None:
    if name and window_for:
        raise BadUsage("--window and --window-for exclude each other")
    return {"duration": window_for} if window_for else name


def _lifted(changes: dict[str, Any], field: str, option: str, wanted: bool) -> dict[str, Any]:
    """A limit that is taken away."""
    if wanted and field in changes:
        raise BadUsage(f"{option} and --{field.replace('_', '-')} exclude each other")
    return {field: None} if wanted else {}


def _hosts(s: Schedule) -> str:
    return " ".join(s.consumers) if len(s.consumers) <= 3 else f"{len(s.consumers)} hosts"
