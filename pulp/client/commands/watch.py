"""Follows a task for a command: narrates, reports the end, and turns it into the exit code."""

from __future__ import annotations

import typer

from pulp.client.errors import ClientError, ExitCode
from pulp.client.follow import Seen, follow
from pulp.client.narrate import narrator
from pulp.client.output import Output
from pulp.client.report import ending
from pulp.client.rest import RestClient
from pulp.client.runtime import Runtime
from pulp.client.views import Answer, Task


def watch(runtime: Runtime, client: RestClient, task: Answer[Task], out: Output) -> None:
    """Until the task is final. Ends the command with 1 when it did not finish, with 130 on Ctrl-C; the task goes on."""
    try:
        last = _followed(runtime, client, task, out)
    except KeyboardInterrupt:
        out.note(f"Interrupted. {_goes_on(task.value.id)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except ClientError:
        out.note(_goes_on(task.value.id))
        raise
    _report(last, out)
    if not last.value.finished:
        raise typer.Exit(ExitCode.NOT_FINISHED)


def go_on(
    runtime: Runtime, client: RestClient, task: Answer[Task], out: Output, *, no_wait: bool
) -> None:
    """What follows a new task: its end, or with `no_wait` its id alone on stdout."""
    if not no_wait:
        watch(runtime, client, task, out)
    elif out.json:
        out.document(task.raw)
    else:
        out.line(task.value.id)
        out.note(f"Follow it with: pulp-admin task wait {task.value.id}")


def _followed(
    runtime: Runtime, client: RestClient, task: Answer[Task], out: Output
) -> Answer[Task]:
    last = task
    with narrator(out, clock=runtime.clock, zone=runtime.zone()) as voice:
        for event in follow(client, task, pause=runtime.pause):
            voice.tell(event)
            if isinstance(event, Seen):
                last = event.task
    return last


def _report(last: Answer[Task], out: Output) -> None:
    if out.json:
        out.document(last.raw)
        return
    for line in ending(last.value):
        out.line(line)


def _goes_on(task_id: str) -> str:
    return (
        f"The task goes on: {task_id}\n"
        f"  follow it:  pulp-admin task wait {task_id}\n"
        f"  cancel it:  pulp-admin task cancel {task_id}"
    )
