"""`consumer install-group|remove-group|groups|repair|refresh`: work on a host's package system beside single packages."""

from __future__ import annotations

from typing import Annotated

import typer

from pulp.client.commands import options as o
from pulp.client.commands.actions import Rules, dry
from pulp.client.commands.asking import act
from pulp.client.commands.timed import timed
from pulp.client.commands.timing import ASAP, Timing

_Groups = Annotated[
    list[str],
    typer.Argument(metavar="GROUP", help="A group's id: see `consumer groups`."),
]


def register(app: typer.Typer) -> None:
    """Adds them to the `consumer` commands."""
    app.command("install-group")(install_group)
    app.command("remove-group")(remove_group)
    app.command("groups")(groups)
    app.command("repair")(repair)
    app.command("refresh")(refresh)


@timed
def install_group(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    groups: _Groups,
    dry_run: o.DryRun = False,
    no_wait: o.NoWait = False,
    allow_remove: o.AllowRemove = False,
    allow_held: o.AllowHeld = False,
    config_files: o.ConfigFilesOption = o.ConfigFiles.KEEP,
    no_recommends: o.NoRecommends = False,
    reboot: o.RebootOption = o.Reboot.NEVER,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Install package groups on a host: what is mandatory in them and what they bring by default. For dnf hosts."""
    rules = Rules(
        allow_remove=allow_remove,
        allow_held=allow_held,
        config_files=config_files,
        no_recommends=no_recommends,
        reboot=reboot,
    )
    body = {"groups": groups} | rules.body() | dry(dry_run)
    act(ctx.obj, consumer, "install-group", body, timing, no_wait=no_wait, json=json)


@timed
def remove_group(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    groups: _Groups,
    dry_run: o.DryRun = False,
    no_wait: o.NoWait = False,
    allow_remove: o.AllowRemove = False,
    allow_held: o.AllowHeld = False,
    autoremove: o.Autoremove = False,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Remove package groups from a host: what they brought and nothing else needs. For dnf hosts."""
    rules = Rules(allow_remove=allow_remove, allow_held=allow_held, autoremove=autoremove)
    body = {"groups": groups} | rules.body() | dry(dry_run)
    act(ctx.obj, consumer, "remove-group", body, timing, no_wait=no_wait, json=json)


def groups(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    refresh: o.Refresh = False,
    no_wait: o.NoWait = False,
    timeout: o.Timeout = None,
    deliver_within: o.DeliverWithin = None,
    json: o.Json = False,
) -> None:
    """Ask a dnf host which package groups there are for it. Nothing is changed there."""
    body = {"refresh": True} if refresh else {}
    timing = Timing(deliver_within=deliver_within, timeout=timeout)
    act(ctx.obj, consumer, "groups", body, timing, no_wait=no_wait, json=json)


@timed
def repair(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    no_wait: o.NoWait = False,
    config_files: o.ConfigFilesOption = o.ConfigFiles.KEEP,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Bring to its end what was cut off on a host, and run again what failed when packages were set up."""
    kept = config_files is o.ConfigFiles.KEEP
    body = {} if kept else {"config_files": config_files.value}
    act(ctx.obj, consumer, "repair", body, timing, no_wait=no_wait, json=json)


def refresh(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    no_wait: o.NoWait = False,
    timeout: o.Timeout = None,
    deliver_within: o.DeliverWithin = None,
    json: o.Json = False,
) -> None:
    """Let a host ask its repositories what they have. No package is changed."""
    timing = Timing(deliver_within=deliver_within, timeout=timeout)
    act(ctx.obj, consumer, "refresh", {}, timing, no_wait=no_wait, json=json)
