"""`task …`: what was asked for, how far it is, calling it off, and asking for it once more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import tzinfo
from typing import Annotated

import typer

from pulp.client.commands import options as o
from pulp.client.commands.asking import tell_opening
from pulp.client.commands.timed import timed_again
from pulp.client.commands.timing import ASAP, Timing
from pulp.client.commands.watch import go_on, watch
from pulp.client.completion import complete_consumer
from pulp.client.errors import LostAnswer
from pulp.client.report import action, ending, is_dry_run
from pulp.client.runtime import Runtime
from pulp.client.text import clean, clean_lines, standing, when
from pulp.client.views import PackagesResult, Task, TaskState, Window, read

app = typer.Typer(no_args_is_help=True, help="Tasks: every request, from asking to its end.")


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[TaskState | None, typer.Option("--state", help="Only tasks in it.")] = None,
    consumer: Annotated[
        str | None,
        typer.Option("--consumer", help="Only this host's.", autocompletion=complete_consumer),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Such as packages.install.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    json: o.Json = False,
) -> None:
    """List tasks, the newest first."""
    runtime: Runtime = ctx.obj
    zone = runtime.zone()
    params = {"state": state.value if state else None, "consumer": consumer, "kind": kind}

    def row(t: Task) -> tuple[str, ...]:
        return (
            t.id,
            t.consumer_id or "-",
            action(t.kind) + (" (dry run)" if is_dry_run(t) else ""),
            t.requested_by,
            when(t.created_at, zone),
            standing(t, zone),
        )

    columns = ("ID", "CONSUMER", "ACTION", "BY", "CREATED", "STATE")
    with runtime.client() as client:
        runtime.output(json=json).many(client.tasks(params, limit=limit), columns, row)


@app.command()
def show(ctx: typer.Context, task: o.TaskId, json: o.Json = False) -> None:
    """Show one task: where it stands, and if it is over, what it did and its log."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.task(task)
    out.one(answer, lambda t: _facts(runtime, t))
    if json:
        return
    if answer.value.final:
        out.line()
        for line in ending(answer.value):
            out.line(line)
    for line in _log(answer.value):
        out.line(line)


@app.command()
def why(ctx: typer.Context, task: o.TaskId, json: o.Json = False) -> None:
    """Say what a task waits for, since when and until when; or how it ended."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        found = client.task(task).value
    if json:
        out.data(id=found.id, state=found.state, waiting_for=found.waiting_for, error=found.error)
    elif found.final:
        for line in ending(found):
            out.line(line)
    else:
        out.line(f"{action(found.kind)} {standing(found, runtime.zone())}")
        if found.waiting_for and found.waiting_for.since:
            out.line(f"That is so since {when(found.waiting_for.since, runtime.zone())}.")


@app.command()
def wait(ctx: typer.Context, task: o.TaskId, json: o.Json = False) -> None:
    """Follow a task to its end. Ends with 0 when it finished, with 1 when it ended otherwise."""
    runtime: Runtime = ctx.obj
    with runtime.client() as client:
        watch(runtime, client, client.task(task), runtime.output(json=json))


@app.command()
def cancel(ctx: typer.Context, task: o.TaskId, json: o.Json = False) -> None:
    """Call a task off. Work that is changing packages already goes on to its end."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.cancel(task)
    if json:
        out.document(answer.raw)
        return
    out.line(f"{task}: {standing(answer.value, runtime.zone())}")
    if not answer.value.final:
        out.note(f"The agent decides whether that is still possible: pulp-admin task wait {task}")


@app.command()
@timed_again
def retry(
    ctx: typer.Context,
    task: o.TaskId,
    timing: Timing = ASAP,
    no_wait: o.NoWait = False,
    json: o.Json = False,
) -> None:
    """Ask for the same once more, as a new task of yours; the first one stays as it ended.

    It keeps the first one's window while that is not over, with all that was said of it; then it needs --window. An override is
    never repeated."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    if (timing.window or "").strip().lower() == o.NO_WINDOW:
        timing = replace(timing, window=None, without_window=True)
    body = timing.body(runtime, out)
    with runtime.client() as client:
        try:
            answer = client.retry(task, body)
        except (LostAnswer, KeyboardInterrupt):
            out.note(
                "It is not known whether the request reached the server. See: pulp-admin task list"
            )
            raise
        tell_opening(runtime, out, answer.value)
        go_on(runtime, client, answer, out, no_wait=no_wait)


def _facts(runtime: Runtime, t: Task) -> Iterator[tuple[str, str]]:
    zone = runtime.zone()
    yield "id", t.id
    yield "action", action(t.kind)
    yield "consumer", t.consumer_id or ""
    yield "state", standing(t, zone)
    yield "asked by", t.requested_by
    yield "asked at", when(t.created_at, zone)
    if t.not_before:
        yield "not before", when(t.not_before, zone)
    if t.window:
        yield from _window(t.window, zone)
    if t.override:
        yield "override", f"{clean(t.override.reason)}, by {clean(t.override.by)}"
        yield "holds until", when(t.override.until, zone)
    if t.started_at:
        yield "started", when(t.started_at, zone)
    if t.finished_at:
        yield "ended", when(t.finished_at, zone)
    if t.retry_of:
        yield "retry of", t.retry_of
    yield "arguments", bytes(t.args).decode()


def _window(window: Window, zone: tzinfo) -> Iterator[tuple[str, str]]:
    named = f"{clean(window.asked)}, " if window.asked else ""
    yield "window", f"{named}{when(window.begin, zone)} to {when(window.end, zone)}"
    if window.cutoff_at:
        yield "last start", f"before {when(window.cutoff_at, zone)}"
    if window.late:
        yield "grace", f"until {when(window.late, zone)}"
    elif window.missed:
        yield "if missed", "carried over" if window.missed == "next" else clean(window.missed)
    if window.expected:
        yield "expected", f"{clean(window.expected)}, where the host does not know better"
    if window.predownload:
        yield "packages", "fetched ahead of the window"


def _log(task: Task) -> list[str]:
    result = read(task.result, PackagesResult)
    if result is None and task.error:
        result = read(task.error.details, PackagesResult)
    lines = clean_lines(result.log) if result else []
    return ["", "Log:", *lines] if lines else []
