"""What all commands of windows and freezes share: which of the two is meant, and the arguments."""

from __future__ import annotations

from typing import Annotated

import typer

from pulp.client.completion import complete_consumer, complete_window
from pulp.client.rest import RestClient
from pulp.client.window_text import only_of
from pulp.client.window_views import NamedWindow

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name.", autocompletion=complete_window)
]
Hosts = typer.Argument(metavar="HOST", help="Hosts' ids.", autocompletion=complete_consumer)


def role(ctx: typer.Context) -> str:
    """The command's own: `window` or `freeze`."""
    return str(ctx.parent.info_name) if ctx.parent else "window"


def found(ctx: typer.Context, client: RestClient, name: str) -> NamedWindow:
    """The window or freeze that the command is about."""
    window = client.window(name).value
    only_of(role(ctx), window)
    return window
