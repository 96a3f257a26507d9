"""`consumer install|update|remove|update-all|updates|refresh-profile`: ask an agent for work, and by default follow it to the
end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from pulp.client.commands import options as o
from pulp.client.commands.asking import act
from pulp.client.commands.timed import timed
from pulp.client.commands.timing import ASAP, Timing
from pulp.client.errors import BadUsage
from pulp.client.packages import parse_package

_INSTALL_EXAMPLES = """\b
Examples:
  pulp-admin consumer install web1 nginx
  pulp-admin consumer install web1 nginx zlib1g=1:1.2.13.dfsg-1 libc6:amd64
  pulp-admin consumer install web1 nginx --dry-run
  pulp-admin consumer install web1 nginx --at 'tuesday 12:00'
  pulp-admin consumer install web1 nginx --window 'tuesday 22:00/4:00' --no-wait
  pulp-admin consumer install web1 nginx --window patch-nights --no-wait
  pulp-admin consumer install web1 nginx --window next --missed grace --grace 2h
  pulp-admin consumer install web1 openssl --override 'CVE-2026-1234, ticket 77'
  pulp-admin consumer install web1 nginx --json | jq .state

\b
Ends with 0 when the task finished, 1 when it ended otherwise.
Ctrl-C stops following; the task goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the handler may do beyond the plain request."""

    allow_remove: bool = False
    allow_downgrade: bool = False
    allow_held: bool = False
    config_files: o.ConfigFiles = o.ConfigFiles.KEEP
    autoremove: bool = False
    no_recommends: bool = False
    minimal: bool = False
    reboot: o.Reboot = o.Reboot.NEVER

    def body(self) -> dict[str, Any]:
        """Only what differs from the server's defaults."""
        flags = {
            "allow_remove": self.allow_remove,
            "allow_downgrade": self.allow_downgrade,
            "allow_held": self.allow_held,
            "autoremove": self.autoremove,
            "minimal": self.minimal,
        }
        policy: dict[str, Any] = {name: True for name, on in flags.items() if on}
        if self.config_files is not o.ConfigFiles.KEEP:
            policy["config_files"] = self.config_files.value
        if self.no_recommends:
            policy["recommends"] = "no"
        if self.reboot is not o.Reboot.NEVER:
            policy["reboot"] = self.reboot.value.replace("-", "_")
        return {"policy": policy} if policy else {}


def register(app: typer.Typer) -> None:
    """Adds the actions to the `consumer` commands."""
    app.command("install", epilog=_INSTALL_EXAMPLES)(install)
    app.command("update")(update)
    app.command("remove")(remove)
    app.command("update-all")(update_all)
    app.command("updates")(updates)
    app.command("refresh-profile")(refresh_profile)


@timed
def install(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    packages: o.Packages,
    dry_run: o.DryRun = False,
    no_wait: o.NoWait = False,
    allow_remove: o.AllowRemove = False,
    allow_downgrade: o.AllowDowngrade = False,
    allow_held: o.AllowHeld = False,
    config_files: o.ConfigFilesOption = o.ConfigFiles.KEEP,
    no_recommends: o.NoRecommends = False,
    reboot: o.RebootOption = o.Reboot.NEVER,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Install packages on a host. Without a version it is the newest that the host can get."""
    rules = Rules(
        allow_remove=allow_remove,
        allow_downgrade=allow_downgrade,
        allow_held=allow_held,
        config_files=config_files,
        no_recommends=no_recommends,
        reboot=reboot,
    )
    body = _packages(packages) | rules.body() | dry(dry_run)
    act(ctx.obj, consumer, "install", body, timing, no_wait=no_wait, json=json)


@timed
def update(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    packages: o.SomePackages = None,
    security: o.Security = False,
    advisory: o.Advisory = None,
    minimal: o.Minimal = False,
    dry_run: o.DryRun = False,
    no_wait: o.NoWait = False,
    allow_remove: o.AllowRemove = False,
    allow_held: o.AllowHeld = False,
    config_files: o.ConfigFilesOption = o.ConfigFiles.KEEP,
    reboot: o.RebootOption = o.Reboot.NEVER,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Update installed packages of a host, or with --security or --advisory all that these mend.

    Packages that it does not have are not installed.
    """
    if [bool(packages), security, bool(advisory)].count(True) != 1:
        raise BadUsage("name the packages to update, or give --security or --advisory: one of them")
    rules = Rules(
        allow_remove=allow_remove,
        allow_held=allow_held,
        config_files=config_files,
        minimal=minimal,
        reboot=reboot,
    )
    what = _packages(packages) if packages else _all_that(security, advisory)
    body = what | rules.body() | dry(dry_run)
    action = "update" if packages else "update-all"
    act(ctx.obj, consumer, action, body, timing, no_wait=no_wait, json=json)


@timed
def remove(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    packages: o.Packages,
    dry_run: o.DryRun = False,
    no_wait: o.NoWait = False,
    allow_remove: o.AllowRemove = False,
    allow_held: o.AllowHeld = False,
    autoremove: o.Autoremove = False,
    reboot: o.RebootOption = o.Reboot.NEVER,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Remove packages from a host. What depends on them goes only with --allow-remove."""
    rules = Rules(
        allow_remove=allow_remove, allow_held=allow_held, autoremove=autoremove, reboot=reboot
    )
    body = _packages(packages) | rules.body() | dry(dry_run)
    act(ctx.obj, consumer, "remove", body, timing, no_wait=no_wait, json=json)


@timed
def update_all(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    dry_run: o.DryRun = False,
    no_wait: o.NoWait = False,
    security_only: o.SecurityOnly = False,
    advisory: o.Advisory = None,
    minimal: o.Minimal = False,
    allow_remove: o.AllowRemove = False,
    allow_held: o.AllowHeld = False,
    config_files: o.ConfigFilesOption = o.ConfigFiles.KEEP,
    autoremove: o.Autoremove = False,
    reboot: o.RebootOption = o.Reboot.NEVER,
    timing: Timing = ASAP,
    json: o.Json = False,
) -> None:
    """Update everything that is installed on a host."""
    rules = Rules(
        allow_remove=allow_remove,
        allow_held=allow_held,
        config_files=config_files,
        autoremove=autoremove,
        minimal=minimal,
        reboot=reboot,
    )
    body = _all_that(security_only, advisory) | rules.body() | dry(dry_run)
    act(ctx.obj, consumer, "update-all", body, timing, no_wait=no_wait, json=json)


def updates(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    refresh: o.Refresh = False,
    no_wait: o.NoWait = False,
    timeout: o.Timeout = None,
    deliver_within: o.DeliverWithin = None,
    json: o.Json = False,
) -> None:
    """Ask a host which updates there are for it. Nothing is changed there."""
    body = {"refresh": True} if refresh else {}
    timing = Timing(deliver_within=deliver_within, timeout=timeout)
    act(ctx.obj, consumer, "updates", body, timing, no_wait=no_wait, json=json)


def refresh_profile(
    ctx: typer.Context,
    consumer: o.ConsumerId,
    no_wait: o.NoWait = False,
    timeout: o.Timeout = None,
    deliver_within: o.DeliverWithin = None,
    json: o.Json = False,
) -> None:
    """Ask a host for its installed packages anew."""
    timing = Timing(deliver_within=deliver_within, timeout=timeout)
    act(ctx.obj, consumer, "refresh-profile", {}, timing, no_wait=no_wait, json=json)


def _packages(texts: list[str]) -> dict[str, Any]:
    return {"packages": [parse_package(text) for text in texts]}


def _all_that(security_only: bool, advisories: list[str] | None) -> dict[str, Any]:
    """What an update of everything is limited to."""
    limits: dict[str, Any] = {"security_only": True} if security_only else {}
    return limits | ({"advisories": advisories} if advisories else {})


def dry(dry_run: bool) -> dict[str, Any]:
    return {"dry_run": True} if dry_run else {}
