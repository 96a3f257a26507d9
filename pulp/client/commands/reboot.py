"""`consumer reboot`: restart a host, and follow it until it is back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pulp.client.commands import options as o
from pulp.client.commands.asking import act
from pulp.client.commands.timed import timed
from pulp.client.commands.timing import ASAP, Timing, span

_EXAMPLES = """\b
Examples:
  pulp-admin consumer reboot web1
  pulp-admin consumer reboot web1 --if-needed --window 'tuesday 22:00/4:00' --no-wait
  pulp-admin consumer reboot web1 --delay 10m

\b
Until the delay is over, `pulp-admin task cancel` calls it off.
Ends with 0 when the host is back, or needed no restart; 1 when it is not back in time."""


def register(app: typer.Typer) -> None:
    """Adds it to the `consumer` commands."""
    app.command("reboot", epilog=_EXAMPLES)(reboot)


@timed
def reboot(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    if_needed: o.IfNeeded = False,
    delay: Annotated[
        str | None,
        typer.Option(
            "--delay", metavar="SPAN", help="How long the host waits first; default: not."
        ),
    ] = None,
    back_within: Annotated[
        str | None,
        typer.Option(
            "--back-within", metavar="SPAN", help="When it counts as not come back; default 30m."
        ),
    ] = None,
    no_wait: o.NoWait = False,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Restart a host. The task is over when it is back."""
    body: dict[str, Any] = {"if_needed": True} if if_needed else {}
    for name, text in (("delay", delay), ("back_within", back_within)):
        if text is not None:
            body[name] = span(f"--{name.replace('_', '-')}", text)
    act(ctx.obj, consumer, "reboot", body, timing, no_wait=no_wait, json=json)
