"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from pulp.client.completion import (
    complete_consumer,
    complete_login,
    complete_opening,
    complete_task,
)

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON: one document, or one line per item of a list.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; default: all.")]
ConsumerId = Annotated[
    str,
    typer.Argument(metavar="CONSUMER", help="The host's id.", autocompletion=complete_consumer),
]
TaskId = Annotated[
    str, typer.Argument(metavar="TASK", help="The task's id.", autocompletion=complete_task)
]
LoginName = Annotated[
    str, typer.Argument(metavar="LOGIN", help="The user's login.", autocompletion=complete_login)
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the new password from the first line of stdin."),
]


class Role(Enum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


# --- what is asked of the agent ---


class ConfigFiles(Enum):
    KEEP = "keep"
    NEW = "new"


class Reboot(Enum):
    NEVER = "never"
    IF_NEEDED = "if-needed"
    ALWAYS = "always"


IfNeeded = Annotated[
    bool,
    typer.Option("--if-needed", help="Restart only if something takes effect with a restart only."),
]
RebootOption = Annotated[
    Reboot,
    typer.Option(
        "--reboot",
        help="Restart the host after the work, if that succeeded; waits until it is back.",
    ),
]
Packages = Annotated[
    list[str],
    typer.Argument(metavar="PACKAGE", help="NAME, NAME=VERSION, NAME:ARCH or NAME:ARCH=VERSION."),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="Do not begin before: 'tuesday 12:00', 'tomorrow 3:30', '12:00', 'in 10m', RFC 3339.",
    ),
]
WindowSpec = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="WINDOW",
        help="Begin only within: a window by its NAME, 'next' for the next opening of any of the host's "
        "windows, or times such as 'tuesday 12:00/2h', '22:00/4:00', 'now/30m'. The host itself keeps to it.",
        autocompletion=complete_opening,
    ),
]
NO_WINDOW = "none"
RetryWindow = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="WINDOW",
        help="Begin only within, as of the first; 'none': outside any window. Default: the first one's, if it is not over.",
        autocompletion=complete_opening,
    ),
]


class Missed(Enum):
    NEXT = "next"
    MISS = "miss"
    GRACE = "grace"


MissedOption = Annotated[
    Missed | None,
    typer.Option(
        "--missed",
        help="When it could not begin in its opening, as the host was off or busy, or too little was left: next "
        "carries it over to the next opening (default with NAME and next), miss ends it as missed (default with "
        "times), grace lets it begin late.",
    ),
]
Grace = Annotated[
    str | None,
    typer.Option(
        "--grace",
        metavar="SPAN",
        help="With --missed grace: so long after its opening it may still begin: 2h.",
    ),
]
ScheduleGrace = Annotated[
    str | None,
    typer.Option(
        "--grace",
        metavar="SPAN",
        help="With --window-missed grace: so long after its opening it may still begin: 2h.",
    ),
]
Expected = Annotated[
    str | None,
    typer.Option(
        "--expected",
        metavar="SPAN",
        help="How long the work takes: the host begins only if that much of its opening is left. What it has "
        "measured itself counts more. 0: never mind; default 10m.",
    ),
]
Predownload = Annotated[
    bool,
    typer.Option("--predownload", help="Let the host fetch the packages before its window opens."),
]
Override = Annotated[
    str | None,
    typer.Option(
        "--override",
        metavar="REASON",
        help="An emergency, for admins: begin outside the host's enforced windows and in its freezes. "
        "The reason and your name stand in the history.",
    ),
]
OverrideFor = Annotated[
    str | None,
    typer.Option(
        "--override-for",
        metavar="SPAN",
        help="With --override: it may begin until then; default 4h, at most 24h.",
    ),
]
SomePackages = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PACKAGE]...", help="NAME, NAME=VERSION, NAME:ARCH or NAME:ARCH=VERSION."
    ),
]
Security = Annotated[
    bool,
    typer.Option("--security", help="In place of packages: everything that mends security."),
]
Advisory = Annotated[
    list[str] | None,
    typer.Option(
        "--advisory",
        metavar="ID",
        help="Only what this advisory or CVE mends (RHSA-2026:1234, CVE-2026-1234); may be given again. For dnf hosts.",
    ),
]
Minimal = Annotated[
    bool,
    typer.Option(
        "--minimal",
        help="No further than to the newest version that an advisory names. For dnf hosts.",
    ),
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Let the host ask its repositories first.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only find out what would change.")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Print the task's id and end; do not follow it.")
]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="SPAN", help="How long the work may take; default 2h."),
]
RetryTimeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="SPAN", help="How long the work may take; default: as the first time."
    ),
]
DeliverWithin = Annotated[
    str | None,
    typer.Option(
        "--deliver-within",
        metavar="SPAN",
        help="How long the host may stay out of reach; default 7d.",
    ),
]
AllowRemove = Annotated[
    bool, typer.Option("--allow-remove", help="Let other packages be removed where needed.")
]
AllowDowngrade = Annotated[
    bool, typer.Option("--allow-downgrade", help="Let versions go down where needed.")
]
AllowHeld = Annotated[
    bool, typer.Option("--allow-held", help="Let packages on hold be changed; they stay on hold.")
]
ConfigFilesOption = Annotated[
    ConfigFiles,
    typer.Option("--config-files", help="Keep changed configuration files, or take the new ones."),
]
Autoremove = Annotated[
    bool, typer.Option("--autoremove", help="Also remove dependencies that nothing needs any more.")
]
NoRecommends = Annotated[
    bool, typer.Option("--no-recommends", help="Leave out what is only recommended.")
]
SecurityOnly = Annotated[
    bool, typer.Option("--security-only", help="Only updates that mend security.")
]
