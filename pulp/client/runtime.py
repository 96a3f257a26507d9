"""What a command has of the outside: environment, streams, clock, zone and the network. Tests hand in their own."""

from __future__ import annotations

import getpass
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from pulp.client import session as sessions
from pulp.client.errors import BadUsage, ClientError, ExitCode, LoginNeeded
from pulp.client.output import Output
from pulp.client.rest import RestClient
from pulp.client.session import Session
from pulp.client.tls import presented
from pulp.client.transport import ANSWER_SECONDS, Pause

if TYPE_CHECKING:
    import httpx


class Declined(ClientError):
    """The user said no."""

    code = "declined"
    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    env: Mapping[str, str]
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    clock: Callable[[], datetime]
    zone: Callable[[], tzinfo]
    pause: Pause
    read_secret: Callable[[str], str] = getpass.getpass
    presented: Callable[[str, int], list[str]] = presented
    carrier: httpx.BaseTransport | None = None

    @classmethod
    def system(cls) -> Runtime:
        """The real ones. What a terminal's encoding lacks is shown as `?`."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        return cls(
            env=os.environ,
            stdin=sys.stdin,
            stdout=sys.stdout,
            stderr=sys.stderr,
            clock=lambda: datetime.now(UTC),
            zone=_local_zone,
            pause=threading.Event().wait,
        )

    def output(self, *, json: bool) -> Output:
        return Output(self.stdout, self.stderr, json=json)

    def stored(self) -> Session | None:
        return sessions.load(self.env)

    def session(self) -> Session:
        """The login to use. LoginNeeded says how to get one."""
        found = self.stored()
        if found is None:
            raise LoginNeeded("You are not logged in. Run: pulp-admin login URL")
        if not found.token:
            raise LoginNeeded(
                f"You are not logged in at {found.server}. Run: pulp-admin login {found.server}"
            )
        if found.expired(self.clock()):
            raise LoginNeeded(
                f"Your login at {found.server} has expired. Run: pulp-admin login {found.server}"
            )
        return found

    def client(self, *, seconds: float = ANSWER_SECONDS) -> RestClient:
        """The server of the login, with its token."""
        found = self.session()
        return self.client_of(found, token=found.token, seconds=seconds)

    def client_of(
        self, server: Session, *, token: str = "", seconds: float = ANSWER_SECONDS
    ) -> RestClient:
        """`server` as it is trusted, with this token or with none."""
        return RestClient(
            server.server,
            token=token,
            ca=server.ca,
            pause=self.pause,
            carrier=self.carrier,
            seconds=seconds,
        )

    def secret(self, prompt: str, *, variable: str = "") -> str:
        """A password: from the environment variable, or asked for without echo. BadUsage when nobody can be asked."""
        if variable and self.env.get(variable):
            return self.env[variable]
        if not self.stdin.isatty():
            fix = f"set {variable}" if variable else "give --password-stdin"
            raise BadUsage(f"{prompt}: there is no terminal to ask on; {fix}")
        return self.read_secret(f"{prompt}: ")

    def new_password(self, *, from_stdin: bool) -> str:
        """A password to be set: the first line of stdin, or asked for twice."""
        if from_stdin:
            password = self.stdin.readline().rstrip("\r\n")
            if not password:
                raise BadUsage("--password-stdin: stdin holds no password")
            return password
        password = self.secret("New password")
        if self.read_secret("The same again: ") != password:
            raise BadUsage("the two passwords differ; nothing was done")
        return password

    def confirm(self, question: str, *, yes: bool) -> None:
        """Declined unless the user agrees; BadUsage when nobody can be asked and --yes was not given."""
        if yes:
            return
        if not self.stdin.isatty():
            raise BadUsage(f"{question} There is no terminal to ask on: give --yes to go ahead")
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        if self.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Declined("Nothing was done.")


def _local_zone() -> tzinfo:
    from dateutil import tz  # here: most commands show no time

    return tz.gettz() or UTC
