"""`consumer enforce`: whether a host keeps to its windows whoever asks."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from pulp.client.commands import options as o
from pulp.client.runtime import Runtime


class Switch(Enum):
    ON = "on"
    OFF = "off"


def register(app: typer.Typer) -> None:
    app.command()(enforce)


def enforce(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    switch: Annotated[Switch, typer.Argument(metavar="on|off", help="Whether to enforce them.")],
    json: o.Json = False,
) -> None:
    """Enforce a host's windows: from then on nothing changes it outside of them, by whatever way it is asked for. The host itself
    keeps to it, cut off from the server too. Needs a window that opens: see `window bind`."""
    runtime: Runtime = ctx.obj
    out = runtime.output(json=json)
    with runtime.client() as client:
        answer = client.edit_consumer(consumer, {"enforced": switch is Switch.ON})
    if json:
        out.document(answer.raw)
        return
    theirs = ", ".join(answer.value.windows)
    bound = f" Bound to it: {theirs}." if theirs else ""
    if answer.value.enforced:
        out.line(f"The windows of {consumer} are enforced.{bound}")
    else:
        out.line(f"The windows of {consumer} are not enforced.{bound}")
