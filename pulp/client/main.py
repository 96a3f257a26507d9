"""pulp-admin: puts the commands together and turns every ending into the exit codes of docs/API.md."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

from pulp import __version__
from pulp.client.commands import consumer, login, package, plan, schedule, task, token, user, window
from pulp.client.errors import ClientError, ExitCode, RefusedError
from pulp.client.runtime import Runtime
from pulp.client.text import clean, clean_lines

_OWN_FAULT = 70
_NO_OUTPUT = 74
"""EX_SOFTWARE and EX_IOERR of sysexits.h."""

_EXAMPLES = """\b
First steps:
  pulp-admin login https://pulp.example.com:8443 --ca ca.pem
  pulp-admin token create                 a token with which a host registers
  pulp-admin consumer list
  pulp-admin consumer install web1 nginx  waits, and shows what changed
  pulp-admin consumer history web1
  pulp-admin package find openssl         which hosts have it

\b
Every command has --json and --help. Exit codes: 0 done, 1 the task did not
finish, 2 usage, 3 server not reachable, 4 refused or not found, 130 interrupted.
The login is kept in ~/.config/pulp/admin.toml (or $PULP_ADMIN_CONFIG);
PULP_ADMIN_SERVER, PULP_ADMIN_TOKEN and PULP_ADMIN_CA override it."""


def build() -> typer.Typer:
    """The program with all its commands."""
    app = typer.Typer(
        name="pulp-admin",
        help="Install, update and remove packages on your hosts, and see what really happened.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    login.register(app)
    plan.register(app)
    app.add_typer(consumer.app, name="consumer")
    app.add_typer(task.app, name="task")
    app.add_typer(package.app, name="package")
    app.add_typer(schedule.app, name="schedule")
    app.add_typer(window.window_app, name="window")
    app.add_typer(window.freeze_app, name="freeze")
    app.add_typer(token.app, name="token")
    app.add_typer(user.app, name="user")
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pulp-admin {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Install, update and remove packages on your hosts, and see what really happened."""


def run(arguments: Sequence[str], runtime: Runtime) -> int:
    """One command line; the exit code."""
    try:
        build()(args=list(arguments), obj=runtime, prog_name="pulp-admin")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except ClientError as error:
        _tell(error, runtime.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:  # those of files and of the network are told where they arise
        print(f"pulp-admin: cannot write the output: {error.strerror}.", file=runtime.stderr)
        return _NO_OUTPUT
    return ExitCode.DONE


def main() -> None:
    """The console script. A fault of its own must not pass for a task that failed."""
    try:
        code = run(sys.argv[1:], Runtime.system())
        if code == _NO_OUTPUT:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest is lost too
        sys.exit(code)
    except Exception:
        traceback.print_exc()
        sys.exit(_OWN_FAULT)


def _tell(error: ClientError, stderr: TextIO) -> None:
    lines = clean_lines(str(error)) or ["The server refused."]
    if isinstance(error, RefusedError):
        fields = [f"{clean(e.field)}: {clean(e.message)}" for e in error.errors]
        told = "\n".join(lines)
        lines[-1] += f" [{clean(error.code)}]"
        lines += [f"  {field}" for field in fields if field not in told]
    print("pulp-admin: " + "\n".join(lines), file=stderr)
