"""Package work: `handlers()` gives the methods that this host's package system can do, each as a handler."""

from __future__ import annotations

import hashlib
import shutil
from functools import partial

import msgspec
from msgspec.structs import astuple

from pulp.rmi import interfaces
from pulp.rmi.interfaces import (
    Method,
    NoArgs,
    PackagesArgs,
    PackagesResult,
    ProfileResult,
    UpdateAllArgs,
)
from pulp.rmi.messages import InstalledPackage
from pulp_agent.handlers.base import Handler, Job
from pulp_agent.handlers.packages.apt.backend import AptBackend
from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.base import Backend, Operation, Request
from pulp_agent.handlers.packages.execution import execute
from pulp_agent.handlers.packages.run import Run

__all__ = ["AptSettings", "handlers"]

_DEFAULTS = AptSettings()
_APT_TOOLS = ("apt-get", "apt-cache", "apt-mark", "apt-config", "dpkg", "dpkg-query")
_NAMED = {
    interfaces.INSTALL: Operation.INSTALL,
    interfaces.UPDATE: Operation.UPDATE,
    interfaces.REMOVE: Operation.REMOVE,
}


def handlers(settings: AptSettings = _DEFAULTS) -> dict[Method, Handler]:
    """A host with no package system that we know gets none, so its agent does not offer the methods."""
    if not all(shutil.which(tool) for tool in _APT_TOOLS):
        return {}
    table: dict[Method, Handler] = {
        method: partial(_change_named, settings, operation) for method, operation in _NAMED.items()
    }
    table[interfaces.UPDATE_ALL] = partial(_update_all, settings)
    table[interfaces.PROFILE] = partial(_profile, settings)
    return table


def _change_named(
    settings: AptSettings, operation: Operation, args: PackagesArgs, job: Job
) -> PackagesResult:
    request = Request(
        operation=operation,
        packages=tuple(args.packages),
        policy=args.policy,
        dry_run=args.dry_run,
    )
    return _execute(settings, request, job)


def _update_all(settings: AptSettings, args: UpdateAllArgs, job: Job) -> PackagesResult:
    request = Request(
        operation=Operation.UPDATE_ALL,
        policy=args.policy,
        dry_run=args.dry_run,
        security_only=args.security_only,
    )
    return _execute(settings, request, job)


def _execute(settings: AptSettings, request: Request, job: Job) -> PackagesResult:
    run = Run(job, lock_timeout=settings.lock_timeout, retry_delay=settings.retry_delay)
    return execute(AptBackend(settings), request, run)


def _profile(settings: AptSettings, _args: NoArgs, _job: Job) -> ProfileResult:
    return profile(AptBackend(settings))


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
            for package in backend.state().values()
        ),
        key=lambda package: (package.name, package.arch),
    )
    return ProfileResult(
        hash=hashlib.sha256(msgspec.json.encode(list(map(astuple, packages)))).hexdigest(),
        packages=msgspec.to_builtins(packages),
    )
