"""The remote interfaces as the server calls them: typed, one method for each of `interfaces`; no magic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeVar

from msgspec import UNSET, Struct

from pulp.rmi.interfaces import (
    DEFAULT_POLICY,
    GROUPS,
    INFO,
    INSTALL,
    INSTALL_GROUP,
    PING,
    PROFILE,
    REBOOT,
    REFRESH,
    REMOVE,
    REMOVE_GROUP,
    REPAIR,
    RESTART,
    UPDATE,
    UPDATE_ALL,
    UPDATES,
    GroupArgs,
    Method,
    NoArgs,
    PackagesArgs,
    PackageSpec,
    Policy,
    RebootArgs,
    RepairArgs,
    UpdateAllArgs,
)
from pulp.rmi.reports import GroupsArgs, UpdatesArgs
from pulp.rmi.restarts import RestartArgs

R = TypeVar("R")

Invoke = Callable[[Method, Struct], R]


class Packages(Generic[R]):
    """The typed remote `Packages`. R is None where the call is fired (AsyncAgent), the result where it is awaited (Agent)."""

    def __init__(self, invoke: Invoke[R]) -> None:
        self._invoke = invoke

    def install(
        self,
        packages: Sequence[PackageSpec],
        *,
        policy: Policy = DEFAULT_POLICY,
        dry_run: bool = False,
    ) -> R:
        args = PackagesArgs(packages=list(packages), policy=policy, dry_run=dry_run)
        return self._invoke(INSTALL, args)

    def update(
        self,
        packages: Sequence[PackageSpec],
        *,
        policy: Policy = DEFAULT_POLICY,
        dry_run: bool = False,
    ) -> R:
        args = PackagesArgs(packages=list(packages), policy=policy, dry_run=dry_run)
        return self._invoke(UPDATE, args)

    def remove(
        self,
        packages: Sequence[PackageSpec],
        *,
        policy: Policy = DEFAULT_POLICY,
        dry_run: bool = False,
    ) -> R:
        args = PackagesArgs(packages=list(packages), policy=policy, dry_run=dry_run)
        return self._invoke(REMOVE, args)

    def update_all(
        self,
        *,
        security_only: bool = False,
        advisories: Sequence[str] = (),
        policy: Policy = DEFAULT_POLICY,
        dry_run: bool = False,
    ) -> R:
        args = UpdateAllArgs(
            security_only=security_only,
            advisories=list(advisories) or UNSET,
            policy=policy,
            dry_run=dry_run,
        )
        return self._invoke(UPDATE_ALL, args)

    def install_group(
        self, groups: Sequence[str], *, policy: Policy = DEFAULT_POLICY, dry_run: bool = False
    ) -> R:
        args = GroupArgs(groups=list(groups), policy=policy, dry_run=dry_run)
        return self._invoke(INSTALL_GROUP, args)

    def remove_group(
        self, groups: Sequence[str], *, policy: Policy = DEFAULT_POLICY, dry_run: bool = False
    ) -> R:
        args = GroupArgs(groups=list(groups), policy=policy, dry_run=dry_run)
        return self._invoke(REMOVE_GROUP, args)

    def profile(self) -> R:
        return self._invoke(PROFILE, NoArgs())

    def updates(self, *, refresh: bool = False) -> R:
        return self._invoke(UPDATES, UpdatesArgs(refresh=refresh))

    def repair(self, *, config_files: Literal["keep", "new"] = "keep") -> R:
        return self._invoke(REPAIR, RepairArgs(config_files=config_files))

    def refresh(self) -> R:
        return self._invoke(REFRESH, NoArgs())

    def groups(self, *, refresh: bool = False) -> R:
        return self._invoke(GROUPS, GroupsArgs(refresh=refresh))


class System(Generic[R]):
    """The typed remote `System`."""

    def __init__(self, invoke: Invoke[R]) -> None:
        self._invoke = invoke

    def ping(self) -> R:
        return self._invoke(PING, NoArgs())

    def info(self) -> R:
        return self._invoke(INFO, NoArgs())

    def reboot(self, *, delay: int = 0, if_needed: bool = False) -> R:
        return self._invoke(REBOOT, RebootArgs(delay=delay, if_needed=if_needed))

    def restart(self, *, delay: int = 0, if_needed: bool = False) -> R:
        return self._invoke(RESTART, RestartArgs(delay=delay, if_needed=if_needed))
