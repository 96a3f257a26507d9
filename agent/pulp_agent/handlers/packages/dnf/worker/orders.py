"""The commands that the agent may give, as far as they are the same for every dnf."""

from __future__ import annotations

import glob
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TextIO

from . import config_files, rpmdb, telling
from .library import Library
from .link import Link, log
from .planning import Planning
from .refused import Refused
from .reports import report_failures
from .root import INSTALLED, Nevra, Root

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
_LOST = "its installation was cut off, and no repository has it to install it anew"


class Host(Root, ABC):
    """A root as one dnf sees it. `cache`: the folder of what it knows of the repositories; `several`: what may be there in
    several versions provides one of these."""

    cache = ""
    several: Collection[str] = ()

    @abstractmethod
    def library(self) -> AbstractContextManager[Library]:
        """With what is known of the repositories."""

    @abstractmethod
    def is_held(self) -> Callable[[Nevra], bool]:
        """By dnf's configuration as it is now."""

    @abstractmethod
    def cut_off(self) -> set[Nevra]:
        """What the last transaction was to install, if it never came to its end."""

    @abstractmethod
    def check_lock(self) -> None:
        """Raises `locked` while rpm or dnf is at work."""

    def state(self) -> dict[str, Any]:
        """See `Root.packages`."""
        return self.packages(cut_off=self.cut_off(), held=self.is_held(), several=self.several)


class Orders(ABC):
    def __init__(self, host: Host, link: Link) -> None:
        self._root = host
        self._link = link
        self.table: dict[str, Callable[[Order], Any]] = {
            "hello": lambda _: {"arch": host.arch},
            "state": lambda _: host.state(),
            "has_metadata": self._has_metadata,
            "groups": self._groups,
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

    # --- what each dnf does its own way ---

    @abstractmethod
    def _refresh(self, order: Order) -> None: ...

    @abstractmethod
    def _fetch(self, library: Any) -> set[str]:
        """Have all packages that the transaction installs on this host. Their names."""

    @abstractmethod
    def _check_signatures(self, library: Any) -> None:
        """Raises `untrusted`."""

    @abstractmethod
    def _run(self, library: Any, report: TextIO, comment: str) -> None:
        """Change the host. `report` gets the failures of single packages, `comment` goes into dnf's history."""

    @abstractmethod
    def _hold(self, order: Order) -> None:
        """Those of the packages in `names` that are locked are locked at the versions that they have now."""

    @abstractmethod
    def _refusal(self, error: Exception) -> Refused: ...

    # --- reading ---

    def _has_metadata(self, _: Order) -> bool:
        cache = glob.escape(self._root.cache)
        return bool(glob.glob(os.path.join(cache, "*", "repodata", "repomd.xml")))

    def _groups(self, _: Order) -> Any:
        with self._root.library() as library:
            return library.groups()

    def _reboot(self, _: Order) -> list[str]:
        """The packages that came since the host was started and take effect with its next start."""
        names = set(_NEED_RESTART)
        for path in glob.glob(self._root.inside(_NEED_RESTART_MORE)):
            with open(path, encoding="utf-8") as file:
                names.update(line.strip() for line in file)
        names |= self._restart_suggested()
        boot, headers = _boot_time(), self._root.headers()
        fresh = {rpmdb.name_of(h) for h in headers if rpmdb.installed_at(h) > boot}
        return sorted(fresh & names)

    def _restart_suggested(self) -> set[str]:
        """The names of further packages that take effect with a restart."""
        return set()

    # --- the order ---

    def _plan(self, order: Order) -> Any:
        with self._resolved(order) as planning:
            return telling.plan(planning)

    def _download(self, order: Order) -> None:
        with self._resolved(order) as planning:
            self._fetch(planning.library)
        self._root.check_lock()  # to wait for it now can still be canceled

    def _commit(self, order: Order) -> None:
        with self._resolved(order) as planning:
            told = telling.changes(planning)
            _check_unchanged(order["changes"], told)
            if told or planning.records:
                self._transact(planning.library, order)
        if order["policy"]["allow_held"]:
            self._hold({"names": [change["name"] for change in told]})

    @contextmanager
    def _resolved(self, order: Order) -> Iterator[Planning]:
        held = {p["name"] for p in self._root.state()["packages"].values() if p["held"]}
        with self._root.library() as library:
            planning = Planning(self._root, library, order, held)
            planning.resolve()
            yield planning

    def _transact(self, library: Library, order: Order) -> None:
        names = self._fetch(library)
        self._check_signatures(library)
        self._root.check_lock()
        begin = int(time.time())
        with open(order["report"], "a", encoding="utf-8") as report:
            self._run(library, report, order["comment"])
        if order["policy"]["config_files"] == "new":
            config_files.take_new(self._root, names, begin)

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

    def _install_anew(self, broken: dict[str, str], order: Order) -> None:
        """`broken`: key → name. What is left of older versions goes."""
        with self._root.library() as library:
            library.conf.best = library.conf.clean_requirements_on_remove = False
            library.reset()
            lost = self._mark_repairs(library, broken)
            told = {name: _LOST if name in lost else "" for name in broken.values()}
            report_failures(order["report"], told)
            library.solve(erasing=True)
            if library.items():
                self._transact(library, order)

    def _mark_repairs(self, library: Library, broken: dict[str, str]) -> set[str]:
        """The names of those that cannot be had any more."""
        lost = set()
        for key, name in broken.items():
            same = [p for p in library.installed(name) if self._root.key_of(name, p.arch) == key]
            *older, newest = same
            anew = [p for p in library.available(name, hidden=True) if p[:3] == newest[:3]]
            if anew:
                library.install_anew(anew[0])
            else:
                lost.add(name)
            for package in older:
                if not library.is_one_of_several(package):
                    library.remove(package)
        return lost


def _check_unchanged(planned: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    """Raises `interrupted` when a new plan, `told`, has other changes than the one that the agent has judged."""
    if _essence(planned) != _essence(told):
        raise Refused("interrupted", "the host's packages have changed since the plan")


def _essence(told: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(change["key"], change["action"], change["to"]) for change in told}


def _boot_time() -> int:
    with open("/proc/stat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("btime "))
