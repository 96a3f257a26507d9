"""A job for package handlers, in this process or in one of its own: `python package_job.py SPEC.json`.

It stands for the agent's job runner: it keeps the rule that a cancel counts until the commit begins.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from threading import Event, Lock
from typing import Any

import msgspec
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import AptSettings, Dnf5Settings, DnfSettings, Settings, handlers

from pulp.rmi.interfaces import METHODS, Method

_SETTINGS: dict[str, type[Settings]] = {
    "apt": AptSettings,
    "dnf": DnfSettings,
    "dnf5": Dnf5Settings,
}


class PackageJob:
    def __init__(
        self,
        spool: Path,
        *,
        resumed: bool = False,
        timeout: float = 60.0,
        fetch_only: bool = False,
    ) -> None:
        spool.mkdir(parents=True, exist_ok=True)
        self.id = spool.name
        self.spool = str(spool)
        self.resumed = resumed
        self.fetch_only = fetch_only
        self.reports: list[tuple[str, float, str]] = []
        self.reported = Event()
        self._end = time.monotonic() + timeout
        self._decision = Lock()
        self._canceled = False
        self._committed = resumed

    def progress(self, phase: str, percent: float, message: str = "") -> None:
        self.reports.append((phase, percent, message))
        self.reported.set()

    def canceled(self) -> bool:
        return self._canceled

    def cancel(self) -> bool:
        """Whether the cancel still counts."""
        with self._decision:
            self._canceled = not self._committed
            return self._canceled

    def begin_commit(self) -> bool:
        with self._decision:
            self._committed = not (self._canceled or self.fetch_only)
            return self._committed

    def remaining(self) -> float:
        return self._end - time.monotonic()


def call(settings: Settings, method: Method, args: msgspec.Struct, job: PackageJob) -> Any:
    """Decode the arguments as the agent does, so that what the wire refuses is refused here too, and run the handler."""
    decoded = msgspec.convert(msgspec.to_builtins(args), method.args)
    return handlers(settings)[method](decoded, job)


def main(path: Path) -> None:
    spec = json.loads(path.read_text())
    method = METHODS[spec["method"], 1]
    timeout = spec.get("timeout", 60.0)
    job = PackageJob(Path(spec["spool"]), resumed=spec["resumed"], timeout=timeout)
    args = msgspec.convert(spec["args"], method.args)
    try:
        settings = _SETTINGS[spec.get("backend", "apt")](**spec["settings"])
        value = handlers(settings)[method](args, job)
        outcome = {"value": msgspec.to_builtins(value)}
    except HandlerError as error:
        outcome = {"code": error.code, "message": str(error)}
    path.with_suffix(".outcome").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
