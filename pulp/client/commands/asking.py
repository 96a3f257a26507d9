"""Asking a host for work: what every action's command does once it knows what is wanted."""

from __future__ import annotations

from typing import Any

from pulp.client.commands.timing import Timing
from pulp.client.commands.watch import go_on
from pulp.client.errors import LostAnswer
from pulp.client.output import Output
from pulp.client.rest import RestClient
from pulp.client.runtime import Runtime
from pulp.client.spans import describe_window
from pulp.client.text import clean
from pulp.client.views import Answer, Task
from pulp.common.times import to_ms
from pulp.common.windows import Window


def act(
    runtime: Runtime,
    consumer: str,
    action: str,
    body: dict[str, Any],
    timing: Timing,
    *,
    no_wait: bool,
    json: bool,
) -> None:
    """Say when it will begin, ask for it, and follow it unless `no_wait`."""
    out = runtime.output(json=json)
    body = body | timing.body(runtime, out)
    with runtime.client() as client:
        task = _ask(client, out, consumer, action, body)
        tell_opening(runtime, out, task.value)
        go_on(runtime, client, task, out, no_wait=no_wait)


def tell_opening(runtime: Runtime, out: Output, task: Task) -> None:
    """Of a window that was asked for by its name: when that is."""
    if task.window is not None and task.window.asked:
        begin, end = to_ms(task.window.begin), to_ms(task.window.end)
        told = describe_window(Window(begin, end), runtime.zone())
        out.note(f"Window {clean(task.window.asked)}: {told}")


def _ask(
    client: RestClient, out: Output, consumer: str, action: str, body: dict[str, Any]
) -> Answer[Task]:
    try:
        return client.act(consumer, action, body)
    except (LostAnswer, KeyboardInterrupt):
        out.note(
            "It is not known whether the request reached the server. "
            f"See: pulp-admin task list --consumer {consumer}"
        )
        raise
