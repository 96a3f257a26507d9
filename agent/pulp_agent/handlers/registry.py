"""Which methods this host has, and the handler of each: tables; nothing is looked up by a name from the wire.

Imported in jobs' processes, and once for `methods` in a process that has ended when the agent goes on.
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw, Struct

from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import INFO, METHODS, PING, REBOOT, RESTART, Method
from pulp.rmi.versions import ARGS_VERSIONS, newest
from pulp_agent.handlers import packages, system
from pulp_agent.handlers.base import Handler, HandlerError
from pulp_agent.handlers.packages import Settings
from pulp_agent.handlers.restart import restart

_SYSTEM: dict[Method, Handler] = {INFO: system.info, REBOOT: system.reboot}
"""Ping is answered by the core itself."""


def methods() -> dict[tuple[str, int], Method]:
    """What this host offers."""
    paths = {m.path for m in (PING, RESTART, *_SYSTEM, *packages.handlers())}
    return {key: m for key, m in METHODS.items() if m.path in paths}


def resolve(path: str, version: int, args: Raw, settings: Settings) -> tuple[Handler, Struct]:
    """The handler and its typed arguments, lifted where they are of an older version. HandlerError `unsupported`."""
    try:
        method = METHODS.get((path, version)) or newest(path, version)
        return _handler(method, settings), _typed(method, version, args)
    except (Unsupported, msgspec.MsgspecError) as error:
        raise HandlerError("unsupported", f"{path} version {version}: {error}") from error


def _handler(method: Method, settings: Settings) -> Handler:
    if method is RESTART:
        return partial(restart, settings)
    handler = _SYSTEM.get(method) or packages.handlers(settings).get(method)
    if handler is None:
        raise HandlerError("unsupported", f"This host has nothing that can do {method.path}.")
    return handler


def _typed(method: Method, version: int, args: Raw) -> Struct:
    if version == method.version:
        return msgspec.json.decode(args, type=method.args)
    lifted = ARGS_VERSIONS.convert(
        method.path, version, msgspec.json.decode(args), to=method.version
    )
    return msgspec.convert(lifted, method.args)
