"""Which methods this host has, and the handler of each: a table, nothing is looked up by a name from the wire.

Handlers are imported only when one is to run, in the job's own process.
"""

from __future__ import annotations

from importlib import import_module

import msgspec
from msgspec import Raw, Struct

from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import (
    INFO,
    INSTALL,
    METHODS,
    PING,
    PROFILE,
    REBOOT,
    REMOVE,
    UPDATE,
    UPDATE_ALL,
    Method,
)
from pulp.rmi.versions import ARGS_VERSIONS, newest
from pulp_agent.handlers.base import Handler, HandlerError

_PACKAGES = "pulp_agent.handlers.packages"
_SYSTEM = "pulp_agent.handlers.system"

_HANDLERS: dict[str, tuple[str, str]] = {
    INSTALL.path: (_PACKAGES, "install"),
    UPDATE.path: (_PACKAGES, "update"),
    REMOVE.path: (_PACKAGES, "remove"),
    UPDATE_ALL.path: (_PACKAGES, "update_all"),
    PROFILE.path: (_PACKAGES, "profile"),
    INFO.path: (_SYSTEM, "info"),
    REBOOT.path: (_SYSTEM, "reboot"),
}
"""Method → module and function. Ping is answered by the core itself."""


def methods() -> dict[tuple[str, int], Method]:
    """What this host offers: every method that has a handler, and ping."""
    return {key: m for key, m in METHODS.items() if m.path in _HANDLERS or m is PING}


def resolve(path: str, version: int, args: Raw) -> tuple[Handler, Struct]:
    """The handler and its typed arguments, lifted where they are of an older version. HandlerError `unsupported`."""
    try:
        method = METHODS.get((path, version)) or newest(path, version)
        return _handler(method), _typed(method, version, args)
    except (Unsupported, msgspec.MsgspecError) as error:
        raise HandlerError("unsupported", f"{path} version {version}: {error}") from error


def _handler(method: Method) -> Handler:
    if method.path not in _HANDLERS:
        raise HandlerError("unsupported", f"This agent has no handler for {method.path}.")
    module, function = _HANDLERS[method.path]
    handler: Handler = getattr(import_module(module), function)
    return handler


def _typed(method: Method, version: int, args: Raw) -> Struct:
    if version == method.version:
        return msgspec.json.decode(args, type=method.args)
    lifted = ARGS_VERSIONS.convert(
        method.path, version, msgspec.json.decode(args), to=method.version
    )
    return msgspec.convert(lifted, method.args)
