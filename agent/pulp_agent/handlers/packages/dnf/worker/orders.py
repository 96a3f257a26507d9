"""The commands that the agent may give, as far as they are the same for every dnf."""

from __future__ import annotations

import glob
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from . import config_files, rpmdb
from .link import Link, log
from .refused import Refused
from .root import INSTALLED, Root

Order = dict[str, Any]

_NEED_RESTART = {
    "kernel",
    "kernel-core",
    "kernel-rt",
    "kernel-rt-core",
    "glibc",
    "linux-firmware",
    "microcode_ctl",
    "systemd",
    "dbus",
    "dbus-broker",
    "dbus-daemon",
}
"""The list of dnf's needs-restarting, and the kernels' newer names."""
_NEED_RESTART_MORE = "/etc/dnf/plugins/needs-restarting.d/*.conf"
LOST = "its installation was cut off, and no repository has it to install it anew"


class LockedRoot(Root, ABC):
    """A root as one dnf sees it."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """See `Root.packages`."""

    @abstractmethod
    def check_lock(self) -> None:
        """Raises `locked` while rpm or dnf is at work."""


class Orders(ABC):
    def __init__(self, host: LockedRoot, link: Link) -> None:
        self._root = host
        self._link = link
        self.table: dict[str, Callable[[Order], Any]] = {
            "hello": self._hello,
            "state": lambda _: host.state(),
            "has_metadata": self._has_metadata,
            "refresh": self._refresh,
            "plan": self._plan,
            "download": self._download,
            "commit": self._commit,
            "needs_repair": self._needs_repair,
            "repair": self._repair,
            "hold": self._hold,
            "config_files": lambda order: config_files.decisions(host, order["since"]),
            "reboot": self._reboot,
        }

    @abstractmethod
    def _hello(self, order: Order) -> Any: ...

    @abstractmethod
    def _has_metadata(self, order: Order) -> bool: ...

    @abstractmethod
    def _refresh(self, order: Order) -> None: ...

    @abstractmethod
    def _plan(self, order: Order) -> Any: ...

    @abstractmethod
    def _download(self, order: Order) -> None: ...

    @abstractmethod
    def _commit(self, order: Order) -> None: ...

    @abstractmethod
    def _hold(self, order: Order) -> None: ...

    @abstractmethod
    def _install_anew(self, broken: dict[str, str], order: Order) -> None:
        """`broken`: key → name. What is left of older versions goes."""

    @abstractmethod
    def _refusal(self, error: Exception) -> Refused: ...

    def _reboot(self, _: Order) -> list[str]:
        """The packages that came since the host was started and take effect with its next start."""
        names = set(_NEED_RESTART)
        for path in glob.glob(self._root.inside(_NEED_RESTART_MORE)):
            with open(path, encoding="utf-8") as file:
                names.update(line.strip() for line in file)
        boot, headers = _boot_time(), self._root.headers()
        fresh = {rpmdb.name_of(h) for h in headers if rpmdb.installed_at(h) > boot}
        return sorted(fresh & names)

    # --- repair ---

    def _needs_repair(self, _: Order) -> bool:
        """Raises `locked` while it cannot be known: a transaction at work looks cut off too, until its locks are gone."""
        if not self._broken():
            return False
        self._root.check_lock()
        return bool(self._broken())

    def _broken(self) -> dict[str, str]:
        """Key → name."""
        state = self._root.state()["packages"]
        return {key: p["name"] for key, p in state.items() if p["status"] != INSTALLED}

    def _repair(self, order: Order) -> None:
        """Install anew what was cut off in its installation, and remove what is left over of older versions."""
        self._root.check_lock()
        broken = self._broken()
        if not broken:
            return
        try:
            self._install_anew(broken, order)
        except Exception as error:
            if self._refusal(error).code != "fetch":
                raise
            log(f"refreshing the metadata after: {error}")
            self._refresh(order)
            self._install_anew(broken, order)


def check_unchanged(planned: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    """Raises `interrupted` when a new plan, `told`, has other changes than the one that the agent has judged."""
    if _essence(planned) != _essence(told):
        raise Refused("interrupted", "the host's packages have changed since the plan")


def _essence(told: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(change["key"], change["action"], change["to"]) for change in told}


def _boot_time() -> int:
    with open("/proc/stat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("btime "))
