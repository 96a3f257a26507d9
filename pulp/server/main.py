"""pulp-server: makes a data directory, runs the server, shows its settings."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pulp import __version__
from pulp.common import config as settings_text
from pulp.common import failpoints, logs
from pulp.common.config import Effective
from pulp.common.errors import PulpError
from pulp.server import bootstrap, config
from pulp.server.config import ServerSettings
from pulp.server.home import Home

log = logging.getLogger(__name__)

DEFAULT_FILE = Path("/etc/pulp/server.toml")
PASSWORD_VARIABLE = "PULP_ADMIN_PASSWORD"  # noqa: S105  # the variable's name

DESCRIPTION = """\
The server of a Pulp fleet: takes requests by REST, keeps them as durable tasks and calls the agents of the hosts.

  pulp-server init --data /var/lib/pulp --name pulp.example.com
  pulp-server run  --data /var/lib/pulp
"""


def main(argv: list[str] | None = None) -> None:
    failpoints.arm(os.environ)
    args = _parser().parse_args(argv)
    try:
        sys.exit(args.command(args))
    except PulpError as e:
        sys.stderr.write(f"pulp-server: {e}\n")
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pulp-server",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pulp-server {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    init = _command(
        commands, "init", _init, "make the data directory: CA, keys, store, first admin"
    )
    init.add_argument(
        "--name",
        action="append",
        dest="names",
        metavar="NAME",
        help="a DNS name or address by which hosts and people reach this server; may be repeated,"
        " the first one is told to agents (default: this host's name)",
    )
    init.add_argument(
        "--admin",
        default="admin",
        metavar="LOGIN",
        help="login of the first admin (default: admin)",
    )
    init.epilog = (
        f"The first admin's password is taken from {PASSWORD_VARIABLE}, or made and printed once."
    )
    _command(commands, "run", _run, "run the server until SIGTERM or Ctrl-C")
    _command(
        commands,
        "check",
        _check,
        "name everything in the store that breaks a rule; exit code 1 if anything does",
    )
    backup_ = _command(
        commands,
        "backup",
        _backup,
        "write store, CA and keys into one file; the server may be running",
    )
    backup_.add_argument("file", type=Path, metavar="FILE")
    restore_ = _command(commands, "restore", _restore, "make a data directory from a backup")
    restore_.add_argument("file", type=Path, metavar="FILE")
    _command(
        commands,
        "migrate",
        _migrate,
        "bring the store to this release's schema, as `run` does; a copy is kept",
    )
    _command(commands, "config", _config, "print the settings in force, and where each comes from")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[argparse.Namespace], int],
    help_: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"settings (default: {DEFAULT_FILE})"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data directory")
    parser.set_defaults(command=function)
    return parser


def _settings(args: argparse.Namespace) -> Effective[ServerSettings]:
    file = args.config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    overrides = {"server.data": args.data, "rest.names": getattr(args, "names", None)}
    return config.read(file, os.environ, overrides)


# --- init ---


def _init(args: argparse.Namespace) -> int:
    settings = _settings(args).settings
    password, made = _first_password()
    bootstrap.first_admin(args.admin, password)  # nothing is made for an admin that cannot be
    home = Home(settings.server.data)
    with home.making():
        home.create(bootstrap.names_for_init(settings))
        bootstrap.create_first_admin(settings, args.admin, password)
        _tell_of(home, args.admin, password if made else None)
    return 0


def _tell_of(home: Home, admin: str, password: str | None) -> None:
    """Inside the making: a password that nobody has seen is never the one of a finished server."""
    shown = f"  password: {password}  (shown only now)" if password else ""
    _say(f"Made a new Pulp server in {home.directory}.")
    _say(f"First admin: {admin}{shown}")
    _say(f"CA fingerprint (SHA-256): {home.ca_fingerprint()}")
    _say(f"Run it:  pulp-server run --data {home.directory}")


def _first_password() -> tuple[str, bool]:
    given = os.environ.get(PASSWORD_VARIABLE)
    return (given, False) if given else (secrets.token_urlsafe(12), True)


# --- run ---


def _run(args: argparse.Namespace) -> int:
    settings = _settings(args).settings
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = bootstrap.build(settings)
    server.start()
    log.info(
        "pulp-server is ready",
        extra={
            "version": __version__,
            "rest": f"{settings.rest.host}:{server.rest.port}",
            "messaging": f"{settings.messaging.host}:{server.core.bus.port}",
        },
    )
    stopping.wait()
    log.info("pulp-server is stopping")
    server.stop()
    return 0


# --- the store ---


def _check(args: argparse.Namespace) -> int:
    violations = bootstrap.check_store(_settings(args).settings)
    for violation in violations:
        _say(str(violation))
    _say(f"{len(violations)} violations" if violations else "The store keeps every rule.")
    return 1 if violations else 0


def _backup(args: argparse.Namespace) -> int:
    bootstrap.back_up(_settings(args).settings, args.file)
    _say(f"Written: {args.file}. It holds the CA's key and the password hashes: keep it safe.")
    return 0


def _restore(args: argparse.Namespace) -> int:
    settings = _settings(args).settings
    bootstrap.restore(settings, args.file)
    data = settings.server.data
    _say(f"Restored into {data}. Run it:  pulp-server run --data {data}")
    return 0


def _migrate(args: argparse.Namespace) -> int:
    settings = _settings(args).settings
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    bootstrap.migrate(settings)
    _say("The store has this release's schema.")
    return 0


# --- config ---


def _config(args: argparse.Namespace) -> int:
    _say(settings_text.show(_settings(args)))
    return 0


class _Unheard(PulpError):
    """Standard output takes no more."""

    code = "output"


def _say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as e:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # nothing is left to fail at the end
        raise _Unheard(f"cannot write to standard output: {e.strerror}") from e


if __name__ == "__main__":
    main()
