"""AsyncAgent: the typed remote interfaces of a task's consumer. Calling one decides the task's call and returns at once; the
gateway sends it after the task is stored."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import Method
from pulp.rmi.remotes import Packages, System
from pulp.rmi.versions import ENFORCED_WINDOWS, TODAY, Repertoire, choose, missing, needs_of_args
from pulp.server.async_.sessions import Session
from pulp.server.domain.task import Call, TaskRecord
from pulp.server.tasking.wire import needs


class AsyncAgent:
    """Unsupported when the connected agent cannot take the call; nothing is sent then."""

    def __init__(
        self,
        record: TaskRecord,
        session: Session,
        repertoire: Repertoire = TODAY,
        *,
        enforced: bool = False,
    ) -> None:
        """enforced: nothing changes the host outside of its own windows."""
        self._record = record
        self._enforced = enforced
        self._session = session
        self._repertoire = repertoire
        self.decided: Call | None = None
        self.packages: Packages[None] = Packages(self._invoke)
        self.system: System[None] = System(self._invoke)

    def _invoke(self, method: Method, args: Struct) -> None:
        self._check_needs(method, args)
        chosen = choose(method.path, self._session.methods, self._repertoire.methods)
        if chosen is None:
            raise Unsupported(
                "unsupported-version",
                "method",
                expected=f"{method.path} version {method.version}",
                found=f"an agent with versions {self._session.methods.get(method.path, [])}",
            )
        self.decided = Call(
            class_=chosen.interface,
            method=chosen.name,
            version=chosen.version,
            args=self._arguments(method, chosen, args),
        )

    def _check_needs(self, method: Method, args: Struct) -> None:
        record = self._record
        wanted = needs(record.window, record.rule, record.override) + needs_of_args(args)
        if self._enforced and method.changes_host(args):
            wanted.append(ENFORCED_WINDOWS)
        lacking = missing(wanted, self._session.features)
        if lacking:
            raise Unsupported(
                "unsupported-feature",
                "features",
                expected=f"an agent with {', '.join(lacking)}",
                found=f"features {sorted(self._session.features)}",
            )

    def _arguments(self, method: Method, chosen: Method, args: Struct) -> bytes:
        if chosen.version == method.version:
            return msgspec.json.encode(args)
        data: dict[str, Any] = msgspec.to_builtins(args)
        carried = self._repertoire.args.convert(
            method.path, method.version, data, to=chosen.version
        )
        return msgspec.json.encode(carried)
