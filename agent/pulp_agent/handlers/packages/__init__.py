"""Package work: `handlers()` gives the methods that this host's package system can do, each as a handler."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

import msgspec
from msgspec.structs import astuple, replace

from pulp.rmi import interfaces
from pulp.rmi.interfaces import (
    GroupArgs,
    Method,
    NoArgs,
    PackagesArgs,
    PackagesResult,
    Policy,
    ProfileResult,
    RepairArgs,
    UpdateAllArgs,
)
from pulp.rmi.messages import InstalledPackage
from pulp.rmi.reports import (
    GroupsArgs,
    GroupsResult,
    RefreshResult,
    UpdatesArgs,
    UpdatesResult,
)
from pulp_agent.handlers.base import Handler, Job
from pulp_agent.handlers.packages.apt.backend import AptBackend
from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.base import Ability, Backend, Operation, Request
from pulp_agent.handlers.packages.detection import Settings, detect, usable
from pulp_agent.handlers.packages.dnf.backend import DnfBackend
from pulp_agent.handlers.packages.dnf.settings import Dnf5Settings, DnfSettings
from pulp_agent.handlers.packages.execution import execute
from pulp_agent.handlers.packages.policy import check_abilities
from pulp_agent.handlers.packages.repairing import repair
from pulp_agent.handlers.packages.run import Run
from pulp_agent.handlers.packages.updates import available, provide_metadata, refresh

__all__ = [
    "AptSettings",
    "Dnf5Settings",
    "DnfSettings",
    "Settings",
    "detect",
    "handlers",
    "reboot_reasons",
]

_NAMED = {
    interfaces.INSTALL: Operation.INSTALL,
    interfaces.UPDATE: Operation.UPDATE,
    interfaces.REMOVE: Operation.REMOVE,
}
_GROUPED = {
    interfaces.INSTALL_GROUP: Operation.INSTALL_GROUP,
    interfaces.REMOVE_GROUP: Operation.REMOVE_GROUP,
}


def handlers(settings: Settings | None = None) -> dict[Method, Handler]:
    """A host without the package system gets none, so its agent does not offer the methods. Without settings it is the one
    that `detect` finds, with the defaults."""
    if settings is None:
        found = detect()
        return handlers(found()) if found else {}
    if not usable(settings):
        return {}
    table: dict[Method, Handler] = {
        method: partial(_change_named, settings, operation) for method, operation in _NAMED.items()
    }
    for method, operation in _GROUPED.items():
        table[method] = partial(_change_groups, settings, operation)
    table[interfaces.UPDATE_ALL] = partial(_update_all, settings)
    table[interfaces.PROFILE] = partial(_profile, settings)
    table[interfaces.UPDATES] = partial(_updates, settings)
    table[interfaces.GROUPS] = partial(_groups, settings)
    table[interfaces.REFRESH] = partial(_refresh, settings)
    table[interfaces.REPAIR] = partial(_repair, settings)
    return table


@contextmanager
def _backend(settings: Settings) -> Iterator[Backend]:
    if isinstance(settings, AptSettings):
        yield AptBackend(settings)
        return
    with closing(DnfBackend(settings)) as backend:
        yield backend


def _change_named(
    settings: Settings, operation: Operation, args: PackagesArgs, job: Job
) -> PackagesResult:
    request = Request(
        operation=operation,
        packages=tuple(args.packages),
        policy=args.policy,
        dry_run=args.dry_run,
    )
    return _execute(settings, request, job)


def _change_groups(
    settings: Settings, operation: Operation, args: GroupArgs, job: Job
) -> PackagesResult:
    request = Request(
        operation=operation,
        groups=tuple(args.groups),
        policy=args.policy,
        dry_run=args.dry_run,
    )
    return _execute(settings, request, job)


def _update_all(settings: Settings, args: UpdateAllArgs, job: Job) -> PackagesResult:
    request = Request(
        operation=Operation.UPDATE_ALL,
        policy=args.policy,
        dry_run=args.dry_run,
        security_only=args.security_only,
        advisories=tuple(args.advisories or ()),
    )
    return _execute(settings, request, job)


def _execute(settings: Settings, request: Request, job: Job) -> PackagesResult:
    with _backend(settings) as backend:
        done = execute(backend, request, _run(settings, job))
    return replace(done, rebooting=not job.fetch_only and _restarts(request, done))


def _restarts(request: Request, done: PackagesResult) -> bool:
    """Whether the work that has succeeded is followed by a restart of the host."""
    if request.dry_run:
        return False
    wish = request.policy.reboot
    return wish == "always" or (wish == "if_needed" and done.reboot_needed)


def reboot_reasons(settings: Settings) -> list[str]:
    """What takes effect only with a restart of the host, as its package system knows it now."""
    if not handlers(settings):
        return []
    with _backend(settings) as backend:
        return backend.reboot_reasons(())


def _run(settings: Settings, job: Job) -> Run:
    return Run(job, lock_timeout=settings.lock_timeout, retry_delay=settings.retry_delay)


def _updates(settings: Settings, args: UpdatesArgs, job: Job) -> UpdatesResult:
    with _backend(settings) as backend:
        return available(backend, _run(settings, job), refresh=args.refresh)


def _refresh(settings: Settings, _args: NoArgs, job: Job) -> RefreshResult:
    with _backend(settings) as backend:
        return refresh(backend, _run(settings, job))


def _repair(settings: Settings, args: RepairArgs, job: Job) -> PackagesResult:
    with _backend(settings) as backend:
        return repair(backend, Policy(config_files=args.config_files), _run(settings, job))


def _groups(settings: Settings, args: GroupsArgs, job: Job) -> GroupsResult:
    with _backend(settings) as backend:
        check_abilities(backend.lacks, Ability.GROUPS)
        run = _run(settings, job)
        provide_metadata(backend, run, refresh=args.refresh)
        return GroupsResult(backend=backend.name, groups=backend.groups(run))


def _profile(settings: Settings, _args: NoArgs, _job: Job) -> ProfileResult:
    with _backend(settings) as backend:
        return profile(backend)


def profile(backend: Backend) -> ProfileResult:
    """Every package on the host, sorted; equal lists have equal hashes (SHA-256)."""
    packages = sorted(
        (
            InstalledPackage(
                name=package.name,
                version=package.version,
                arch=package.arch,
                held=package.held,
                state=package.status,
            )
            for package in backend.inventory()
        ),
        key=lambda package: (package.name, package.arch, package.version),
    )
    return ProfileResult(
        hash=hashlib.sha256(msgspec.json.encode(list(map(astuple, packages)))).hexdigest(),
        packages=packages,
    )
