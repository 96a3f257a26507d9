"""apt-get's arguments for a request, and running it with its progress."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.rmi.interfaces import PackageSpec, Policy
from pulp_agent.handlers.packages.base import Operation, Request

_CONFIG_FILES = {
    # confdef would keep the administrator's file whatever comes after it
    "keep": ("--force-confdef", "--force-confold"),
    "new": ("--force-confnew",),
}
_UCF = {"keep": "UCF_FORCE_CONFFOLD", "new": "UCF_FORCE_CONFFNEW"}


def config_file_options(policy: Policy) -> tuple[str, ...]:
    """For dpkg. Without them a changed configuration file ends the transaction: dpkg reads its answer from nowhere."""
    return _CONFIG_FILES[policy.config_files]


def config_file_environment(policy: Policy) -> dict[str, str]:
    """For ucf, which keeps configuration files on behalf of many packages."""
    return {_UCF[policy.config_files]: "1"}


def word(spec: PackageSpec) -> str:
    """`name:arch=version`; `all` is no architecture to apt."""
    arch = f":{spec.arch}" if spec.arch not in (None, "all") else ""
    return f"{spec.name}{arch}" + (f"={spec.version}" if spec.version else "")


def _common(policy: Policy) -> list[str]:
    options = ["-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=0"]
    for option in config_file_options(policy):
        options += ["-o", f"Dpkg::Options::={option}"]
    if policy.recommends == "no":
        options.append("--no-install-recommends")
    return options


def _verb(request: Request, words: Sequence[str], preferences: str | None) -> list[str]:
    if request.operation is Operation.REMOVE:
        return ["remove", "--", *words]
    if request.operation is Operation.INSTALL:
        return ["install", "--", *words]
    if request.operation is Operation.UPDATE:
        return ["--only-upgrade", "install", "--", *words]
    pins = ["-o", f"Dir::Etc::Preferences={preferences}"] if preferences else []
    holds = ["--ignore-hold"] if request.policy.allow_held else []
    return [*pins, *holds, "upgrade", "--with-new-pkgs"]


def simulation(
    request: Request, words: Sequence[str], *, preferences: str | None, autoremove: bool
) -> list[str]:
    """Everything is allowed in a simulation: it shows what would have to be done, and the policy judges it by name."""
    return [
        "-s",
        *_common(request.policy),
        "--allow-downgrades",
        "--allow-change-held-packages",
        "--auto-remove" if autoremove else "--no-auto-remove",
        *_verb(request, words, preferences),
    ]


def reinstallation(policy: Policy, words: Sequence[str]) -> list[str]:
    """Packages whose unpacking was cut off, at the versions they have: only that repairs them."""
    return [
        *_common(policy),
        "--no-remove",
        "--no-auto-remove",
        "--allow-change-held-packages",
        "--reinstall",
        "install",
        "--",
        *words,
    ]


def transaction(
    request: Request, words: Sequence[str], *, preferences: str | None, download_only: bool
) -> list[str]:
    """The real thing: only what the policy allows, should the plan have been overtaken by now."""
    policy = request.policy
    may_remove = policy.allow_remove or policy.autoremove or request.operation is Operation.REMOVE
    return [
        *_common(policy),
        *(["--download-only"] if download_only else []),
        *(["--allow-downgrades"] if policy.allow_downgrade else []),
        *(["--allow-change-held-packages"] if policy.allow_held else []),
        *([] if may_remove else ["--no-remove"]),
        "--auto-remove" if policy.autoremove else "--no-auto-remove",
        *_verb(request, words, preferences),
    ]
