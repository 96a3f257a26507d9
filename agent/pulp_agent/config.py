"""The agent's settings: etc/pulp/agent.toml is generated from these types (./dev samples)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pulp.common import config
from pulp.common.config import Effective, duration
from pulp.common.times import DAY, HOUR, MINUTE, SECOND


class Agent(Struct, frozen=True, kw_only=True):
    """What the agent keeps."""

    data: Annotated[
        Path,
        Meta(
            description="Folder of the agent's identity, its journal and its jobs; made by `pulp-agent register`."
        ),
    ] = Path("/var/lib/pulp-agent")
    profile_interval: Annotated[
        int,
        duration(
            "How often the host's packages are looked at, give or take a half, besides after each change by Pulp. The server is"
            " told all of them where they differ, else that nothing has changed.",
            at_least="1m",
            at_most="30d",
        ),
    ] = DAY


class Packages(Struct, frozen=True, kw_only=True):
    """Package work."""

    family: Annotated[
        Literal["auto", "apt", "dnf"],
        Meta(
            description="The host's package system. `auto`: apt where dpkg knows of packages, else dnf if it is there."
        ),
    ] = "auto"
    apt_config: Annotated[
        str | None,
        Meta(
            description="Value of APT_CONFIG for apt, for hosts whose apt has a configuration of its own."
        ),
    ] = None
    dnf_config: Annotated[
        str | None,
        Meta(description="Path of dnf's configuration, for hosts that have it elsewhere."),
    ] = None
    root: Annotated[
        str, Meta(description="Folder that packages are installed into; `/` is the host itself.")
    ] = "/"
    lock_timeout: Annotated[
        int, duration("How long all waits for other package programs may take together.")
    ] = MINUTE
    refresh_timeout: Annotated[int, duration("Time for reading the package lists.")] = 5 * MINUTE
    plan_timeout: Annotated[int, duration("Time for finding out what has to be done.")] = 5 * MINUTE
    download_timeout: Annotated[int, duration("Time for downloads.")] = HOUR
    commit_timeout: Annotated[
        int,
        duration(
            "After this, maintainer scripts that hang are ended; the package change itself never is."
        ),
    ] = 2 * HOUR
    retry_delay: Annotated[
        int, duration("Wait before a failed download is tried again; doubled each time.")
    ] = SECOND
    security_labels: Annotated[
        tuple[str, ...],
        Meta(description="`Label` of the package sources that hold security updates."),
    ] = ("Debian-Security",)


class Reboot(Struct, frozen=True, kw_only=True):
    """Restarts of the host, where they are asked for."""

    command: Annotated[
        tuple[str, ...],
        Meta(
            description="What asks the system for a restart and returns at once; its program with its path. Empty: systemctl, or"
            " shutdown where there is no systemd."
        ),
    ] = ()
    boot_id_file: Annotated[
        Path | None,
        Meta(
            description="File whose content differs after each start of the host, where the kernel's boot id does not."
        ),
    ] = None


class Log(Struct, frozen=True, kw_only=True):
    """What the agent logs, to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    format: Annotated[
        Literal["text", "json"],
        Meta(description="`text` for people, `json` for machines: one object a line."),
    ] = "text"


class AgentSettings(Struct, frozen=True, kw_only=True):
    """Settings of pulp-agent. What is commented out is the default. Each setting may also be given in the environment as
    PULP_AGENT_SECTION_KEY, which beats this file; a flag of the command beats both. `pulp-agent config` prints what is in
    force.
    """

    agent: Agent = Agent()
    packages: Packages = Packages()
    reboot: Reboot = Reboot()
    log: Log = Log()


def read(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Effective[AgentSettings]:
    """The settings in force and their origins. SettingsError tells everything that is wrong."""
    return config.read(
        AgentSettings, file=file, prefix="PULP_AGENT", environ=environ, overrides=overrides
    )
