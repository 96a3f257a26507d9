"""The server's settings: etc/pulp/server.toml is generated from these types (./dev samples)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pulp.common import config
from pulp.common.config import Effective, duration
from pulp.common.times import HOUR, MINUTE, parse_duration

Port = Annotated[int, Meta(ge=0, le=65535)]


class Server(Struct, frozen=True, kw_only=True):
    """What the server keeps."""

    data: Annotated[
        Path,
        Meta(description="Folder of the store, the CA and the keys; made by `pulp-server init`."),
    ] = Path("/var/lib/pulp")


class Rest(Struct, frozen=True, kw_only=True):
    """The REST interface, HTTPS."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "0.0.0.0"  # noqa: S104  # served to hosts
    port: Annotated[Port, Meta(description="TCP port; 0 takes a free one.")] = 8443
    names: Annotated[
        list[str],
        Meta(
            description="Names and addresses by which users and agents reach this server. They stand in the certificate that"
            " `init` makes, and the first one in the addresses that agents are told. Empty: those that `init` was given, or this"
            " host's own name."
        ),
    ] = []
    certificate: Annotated[
        Path | None,
        Meta(description="A PEM certificate chain of your own, in place of the one `init` made."),
    ] = None
    key: Annotated[Path | None, Meta(description="The PEM key of that certificate.")] = None
    threads: Annotated[
        int,
        Meta(
            description="Threads that answer requests. More of them do not make a busy server faster.",
            ge=1,
            le=200,
        ),
    ] = 10
    waiters: Annotated[
        int,
        Meta(
            description="Clients that may wait for a task's change (`?wait=`) at the same time; further ones are answered at"
            " once.",
            ge=0,
            le=100_000,
        ),
    ] = 2000


class Messaging(Struct, frozen=True, kw_only=True):
    """The listener to which agents connect: AMQP 1.0 over TLS."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "0.0.0.0"  # noqa: S104  # served to hosts
    port: Annotated[Port, Meta(description="TCP port; 0 takes a free one.")] = 5671
    urls: Annotated[
        list[str],
        Meta(
            description="Addresses that agents are told at registration and at every connection, such as"
            " `amqps://pulp.example.com:5671`. Empty: made of the first of `rest.names` and the port."
        ),
    ] = []
    idle_timeout: Annotated[
        int,
        duration("Silence after which an agent counts as gone.", at_least="2s", at_most="1h"),
    ] = MINUTE
    credit: Annotated[
        int,
        Meta(
            description="Messages one agent may have under way to the server, received and not yet stored.",
            ge=1,
            le=10_000,
        ),
    ] = 64
    max_connections: Annotated[
        int, Meta(description="Agents that may be connected at once.", ge=1, le=1_000_000)
    ] = 20_000


class Tasks(Struct, frozen=True, kw_only=True):
    """How tasks are driven."""

    sweep: Annotated[
        int,
        duration(
            "Calls that got no answer from a connected agent are looked for this often.",
            at_least="1s",
            at_most="1d",
        ),
    ] = MINUTE


Age = Annotated[
    str,
    Meta(
        pattern=r"^(forever|0|([0-9]+[smhdw])+)$",
        extra={"wanted": "`forever` (or 0), or a duration such as 90d or 52w"},
    ),
]


class Retention(Struct, frozen=True, kw_only=True):
    """How long what has ended is kept."""

    tasks: Annotated[Age, Meta(description="Tasks, from their end on.")] = "90d"
    history: Annotated[Age, Meta(description="What happened on the hosts.")] = "forever"

    @staticmethod
    def age(text: str) -> int | None:
        """ms; None: for ever."""
        return None if text in ("forever", "0") else parse_duration(text)


class Users(Struct, frozen=True, kw_only=True):
    """People and their logins."""

    session: Annotated[int, duration("How long a login lasts.", at_least="1m", at_most="366d")] = (
        12 * HOUR
    )


class Log(Struct, frozen=True, kw_only=True):
    """The log, on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    format: Annotated[
        Literal["text", "json"],
        Meta(description="`text` for people, `json` for machines: one object a line."),
    ] = "text"


class ServerSettings(Struct, frozen=True, kw_only=True):
    """Settings of pulp-server. What is commented out is the default. Each setting may also be given in the environment as
    PULP_SECTION_KEY, which beats this file; a flag of the command beats both. `pulp-server config` prints what is in force.
    """

    server: Server = Server()
    rest: Rest = Rest()
    messaging: Messaging = Messaging()
    tasks: Tasks = Tasks()
    retention: Retention = Retention()
    users: Users = Users()
    log: Log = Log()


def read(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Effective[ServerSettings]:
    """The settings in force and their origins. SettingsError tells everything that is wrong."""
    effective = config.read(
        ServerSettings, file=file, prefix="PULP", environ=environ, overrides=overrides
    )
    rest = effective.settings.rest
    if (rest.certificate is None) != (rest.key is None):
        raise config.SettingsError(
            ["[rest] certificate and key belong together: set both, or neither"]
        )
    _check_ages(effective.settings.retention)
    return effective


def _check_ages(retention: Retention) -> None:
    for key, text in (("tasks", retention.tasks), ("history", retention.history)):
        try:
            retention.age(text)
        except ValueError as error:
            raise config.SettingsError([f"[retention] {key}: {error}"]) from None
