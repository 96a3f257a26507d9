"""Shell completion from the server: quick, and silent whenever the server cannot be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from pulp.client.runtime import Runtime

if TYPE_CHECKING:
    from pulp.client.rest import RestClient

_SHOWN = 100
_SECONDS = 2.0


def complete_consumer(ctx: typer.Context, incomplete: str) -> list[str]:
    return _complete(
        ctx,
        incomplete,
        lambda c: (a.value.id for a in c.consumers({"q": incomplete or None}, limit=_SHOWN)),
    )


def complete_task(ctx: typer.Context, incomplete: str) -> list[str]:
    return _complete(ctx, incomplete, lambda c: (a.value.id for a in c.tasks(limit=_SHOWN)))


def complete_login(ctx: typer.Context, incomplete: str) -> list[str]:
    return _complete(ctx, incomplete, lambda c: (a.value.login for a in c.users()))


def complete_schedule(ctx: typer.Context, incomplete: str) -> list[str]:
    return _complete(ctx, incomplete, lambda c: (a.value.name for a in c.schedules(limit=_SHOWN)))


def complete_window(ctx: typer.Context, incomplete: str) -> list[str]:
    """Those of the command's own sort: windows or freezes."""
    role = ctx.parent.info_name if ctx.parent else None
    return _complete(
        ctx, incomplete, lambda c: (a.value.name for a in c.windows(role=role, limit=_SHOWN))
    )


def complete_opening(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of an action: a window by its name, or the host's next opening."""
    return _complete(
        ctx,
        incomplete,
        lambda c: ("next", *(a.value.name for a in c.windows(role="window", limit=_SHOWN))),
    )


def _complete(
    ctx: typer.Context, incomplete: str, names: Callable[[RestClient], Iterable[str]]
) -> list[str]:
    """Whatever goes wrong, the answer is no suggestion: a shell in mid-line is no place for an error."""
    runtime = ctx.obj if isinstance(ctx.obj, Runtime) else Runtime.system()
    try:
        with replace(runtime, pause=_no_second_try).client(seconds=_SECONDS) as client:
            return [name for name in names(client) if name.startswith(incomplete)]
    except Exception:
        return []


def _no_second_try(seconds: float) -> None:
    raise TimeoutError
