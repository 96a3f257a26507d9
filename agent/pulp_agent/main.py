"""pulp-agent: registers this host, runs its agent, shows how it stands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pulp.common import config as settings_text
from pulp.common import failpoints
from pulp.common.config import Effective
from pulp.common.errors import PulpError
from pulp_agent import __version__, config
from pulp_agent.config import AgentSettings
from pulp_agent.home import Home

DEFAULT_FILE = Path("/etc/pulp/agent.toml")

DESCRIPTION = """\
The agent of a managed host: it connects to its Pulp server, installs, updates and removes packages when it is asked to,
and keeps maintenance windows by itself, also while the server is away. It listens on no port.

  pulp-agent register --server https://pulp.example.com:8443 --token TOKEN --fingerprint SHA256
  pulp-agent run
  pulp-agent status
"""
TOKEN_VARIABLE = "PULP_AGENT_TOKEN"  # noqa: S105  # the variable's name


def main(argv: list[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    try:
        sys.exit(args.command(args))
    except PulpError as error:
        sys.stderr.write(f"pulp-agent: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pulp-agent",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pulp-agent {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _register_command(commands)
    _command(
        commands,
        "run",
        _run,
        "run the agent until SIGTERM or Ctrl-C; running jobs go on without it",
    )
    status = _command(
        commands,
        "status",
        _status,
        "show the connection and the open calls; exit code 1 unless it is connected",
    )
    status.add_argument("--json", action="store_true", help="for programs")
    _command(commands, "config", _config, "print the settings in force, and where each comes from")
    commands.add_parser("version", help="print the version").set_defaults(command=_version)
    return parser


def _register_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "register", _register, "make this host known to a server")
    parser.add_argument(
        "--server", required=True, metavar="URL", help="such as https://pulp.example.com:8443"
    )
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help=f"from `pulp-admin token create`; else taken from the environment's {TOKEN_VARIABLE}",
    )
    parser.add_argument(
        "--id", metavar="ID", help="this host's name in Pulp (default: its hostname)"
    )
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument(
        "--ca", type=Path, metavar="FILE", help="the CA that signed the server's certificate"
    )
    trust.add_argument(
        "--fingerprint",
        metavar="SHA256",
        help="of the server's certificate or of its CA, as `pulp-server init` prints it",
    )
    parser.epilog = (
        "Without --ca and --fingerprint the server must be trusted by this system's own CAs."
    )


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


def _settings(args: argparse.Namespace) -> Effective[AgentSettings]:
    file = args.config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    environ = {k: v for k, v in os.environ.items() if k != TOKEN_VARIABLE}
    return config.read(file, environ, {"agent.data": args.data})


def _register(args: argparse.Namespace) -> int:
    from pulp_agent.https import Https, Trust
    from pulp_agent.register import RegistrationError, Wish, register

    failpoints.arm(os.environ)
    home = Home(_settings(args).settings.agent.data)
    token = args.token or os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise RegistrationError(f"no token: give --token or set {TOKEN_VARIABLE}")
    consumer_id = args.id or os.uname().nodename
    wish = Wish(server=args.server, token=token, consumer_id=consumer_id)
    made = register(home, wish, Https(Trust(ca=args.ca, fingerprint=args.fingerprint)))
    _say(f"Registered as {made.consumer_id} with {made.server}.")
    _say(f"Run the agent:  pulp-agent run --data {home.path}")
    return 0


def _run(args: argparse.Namespace) -> int:
    import asyncio

    from pulp.common import logs
    from pulp_agent import bootstrap

    failpoints.arm(os.environ)
    settings = _settings(args).settings
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    asyncio.run(bootstrap.run(settings))
    return 0


def _status(args: argparse.Namespace) -> int:
    from pulp_agent.report import report

    text, healthy = report(Home(_settings(args).settings.agent.data), as_json=args.json)
    _say(text)
    return 0 if healthy else 1


def _config(args: argparse.Namespace) -> int:
    _say(settings_text.show(_settings(args)))
    return 0


def _version(args: argparse.Namespace) -> int:
    _say(f"pulp-agent {__version__}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
