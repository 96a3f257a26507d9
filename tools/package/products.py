"""What each package holds and says of itself. Everything that differs between the agent's and the server's stands here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""The Pythons that a package runs under, each with compiled parts of its own; the first is the oldest the code allows."""
MAINTAINER = "The Pulp authors <pulp@example.org>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """`extras`: of the distribution pulp-fleet; `sources`: folders of the checkout, each with the name it is imported by;
    `commands`: a program's name and the module whose `main` it is."""

    name: str
    summary: str
    description: str
    extras: frozenset[str]
    sources: Sequence[tuple[str, str]]
    commands: Mapping[str, str]
    settings: str
    units: Sequence[str]
    depends: str
    """Beside Python, for Debian."""


_SHARED = ("common", "crypto", "rmi", "messaging")

AGENT = Product(
    name="pulp-agent",
    summary="Pulp's agent: package work on this host, inside its maintenance windows",
    description="Connects to its Pulp server, installs, updates and removes packages when it is asked to, and keeps"
    " maintenance windows by itself. It listens on no port.",
    extras=frozenset(),
    sources=[
        *((f"pulp/{room}", f"pulp/{room}") for room in _SHARED),
        ("agent/pulp_agent", "pulp_agent"),
    ],
    commands={"pulp-agent": "pulp_agent.main"},
    settings="etc/pulp/agent.toml",
    units=["pulp-agent.service", "pulp-agent.path"],
    depends="libc6 (>= 2.34), systemd, util-linux",
)

SERVER = Product(
    name="pulp-server",
    summary="Pulp: a fleet package server, with pulp-admin",
    description="Turns each request into a durable task, calls the host's agent, and writes what really happened into the"
    " host's history. Holds the command line pulp-admin too.",
    extras=frozenset({"server", "cli"}),
    sources=[("pulp", "pulp")],
    commands={"pulp-server": "pulp.server.main", "pulp-admin": "pulp.client.main"},
    settings="etc/pulp/server.toml",
    units=["pulp-server.service"],
    depends="libc6 (>= 2.34), systemd",
)
