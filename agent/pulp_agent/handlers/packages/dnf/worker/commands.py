"""The commands that the agent may give."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable
from typing import Any

import dnf.const
import dnf.exceptions
import dnf.lock
import hawkey

from . import config_files, rpmdb, telling
from .holds import Holds
from .host import INSTALLED, Host
from .link import Link, log
from .planning import Planning
from .refusals import Refused, refusal
from .transaction import Downloads, Following, check_signatures, report_failures

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
_LOST = "its installation was cut off, and no repository has it to install it anew"
_NEED_RESTART_MORE = "/etc/dnf/plugins/needs-restarting.d/*.conf"


class Commands:
    def __init__(self, host: Host, link: Link) -> None:
        self._host = host
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

    # --- reading ---

    def _hello(self, _: Order) -> Any:
        return {"arch": self._host.arch, "dnf": dnf.const.VERSION}

    def _has_metadata(self, _: Order) -> bool:
        cache = glob.escape(self._host.conf.cachedir)
        return bool(glob.glob(os.path.join(cache, "*", "repodata", "repomd.xml")))

    def _reboot(self, _: Order) -> list[str]:
        """The packages that came since the host was started and take effect with its next start."""
        names = set(_NEED_RESTART)
        for path in glob.glob(self._host.inside(_NEED_RESTART_MORE)):
            with open(path, encoding="utf-8") as file:
                names.update(line.strip() for line in file)
        boot, headers = _boot_time(), self._host.headers()
        fresh = {rpmdb.name_of(h) for h in headers if rpmdb.installed_at(h) > boot}
        return sorted(fresh & names)

    # --- before the commit ---

    def _refresh(self, _: Order) -> None:
        with self._host.base() as base:
            repos = list(base.repos.iter_enabled())
            with dnf.lock.build_metadata_lock(base.conf.cachedir, True):
                failed = {repo.id: error for repo in repos if (error := self._load(repo))}
            for repo in repos:
                if repo.id in failed and not repo.skip_if_unavailable:
                    raise failed[repo.id]
            if failed and len(failed) == len(repos):
                raise next(iter(failed.values()))
            for repo_id in failed:
                base.repos[repo_id].disable()
            base.fill_sack(load_system_repo=False)  # writes the cache that the other steps read

    def _load(self, repo: Any) -> Any:
        """The error, if it cannot be had."""
        repo._repo.expire()
        repo.set_progress_bar(Downloads(self._link))
        try:
            repo.load()
        except dnf.exceptions.RepoError as error:
            log(f"{repo.id}: {error}")
            return error
        return None

    def _plan(self, order: Order) -> Any:
        with self._host.cached_base() as base:
            planning = Planning(self._host, base, order)
            planning.resolve()
            told = telling.changes(planning)
            planned = {change["key"] for change in told}
            return {"changes": told, "kept_back": telling.kept_back(planning, planned)}

    def _download(self, order: Order) -> None:
        with self._host.cached_base() as base:
            Planning(self._host, base, order).resolve()
            self._fetch(base)
        self._host.check_lock()  # to wait for it now can still be canceled

    def _fetch(self, base: Any) -> list[Any]:
        """The packages that the transaction installs, all of them on this host."""
        packages = list(base.transaction.install_set) if base.transaction else []
        wrong = [str(p) for p in packages if p._is_local_pkg() and not _is_whole(p)]
        if wrong:
            raise Refused("fetch", f"{', '.join(wrong)}: not in the repository, or damaged there")
        base.download_packages(packages, Downloads(self._link))
        return packages

    # --- the commit ---

    def _commit(self, order: Order) -> None:
        with self._host.cached_base() as base:
            planning = Planning(self._host, base, order)
            planning.resolve()
            told = telling.changes(planning)
            if telling.essence(told) != telling.essence(order["changes"]):
                raise Refused("interrupted", "the host's packages have changed since the plan")
            if told:
                self._transact(base, order)
        if order["policy"]["allow_held"]:
            self._hold({"names": [change["name"] for change in told]})

    def _transact(self, base: Any, order: Order) -> None:
        packages = self._fetch(base)
        check_signatures(base, packages)
        self._host.check_lock()
        begin = int(time.time())
        base.args = ["pulp-agent", order["comment"]]  # what `dnf history` shows
        with open(order["report"], "a", encoding="utf-8") as report:
            self._run_transaction(base, Following(self._link, report))
        if order["policy"]["config_files"] == "new":
            config_files.take_new(self._host, {package.name for package in packages}, begin)

    def _run_transaction(self, base: Any, following: Following) -> None:
        try:
            base.do_transaction(following)
        except dnf.exceptions.Error as error:
            if not following.begun:
                self._host.check_lock()
            raise refusal(error) from error

    def _needs_repair(self, _: Order) -> bool:
        """Raises `locked` while it cannot be known: a transaction at work looks cut off too, until its locks are gone."""
        if not self._broken():
            return False
        self._host.check_lock()
        return bool(self._broken())

    def _broken(self) -> dict[str, str]:
        """Key → name."""
        state = self._host.state()["packages"]
        return {key: p["name"] for key, p in state.items() if p["status"] != INSTALLED}

    def _repair(self, order: Order) -> None:
        """Install anew what was cut off in its installation, and remove what is left over of older versions."""
        self._host.check_lock()
        broken = self._broken()
        if not broken:
            return
        try:
            self._install_anew(broken, order)
        except (dnf.exceptions.Error, Refused) as error:
            if refusal(error).code != "fetch":
                raise
            log(f"refreshing the metadata after: {error}")
            self._refresh(order)
            self._install_anew(broken, order)

    def _install_anew(self, broken: dict[str, str], order: Order) -> None:
        with self._host.cached_base() as base:
            base.conf.best = False
            lost = self._mark_repairs(base, broken)
            told = {name: _LOST if name in lost else "" for name in broken.values()}
            report_failures(order["report"], told)
            if base.resolve(allow_erasing=True):
                self._transact(base, order)

    def _mark_repairs(self, base: Any, broken: dict[str, str]) -> set[str]:
        """The names of those that cannot be had any more."""
        lost = set()
        query = base.sack.query(flags=hawkey.IGNORE_EXCLUDES)
        several = base._get_installonly_query(query.installed())
        for key, name in broken.items():
            same = query.installed().filter(name=name)
            *older, newest = sorted(p for p in same if self._host.key(p) == key)
            anew = query.available().filter(name=name, evr=newest.evr, arch=newest.arch)
            if anew:
                base.goal.install(next(iter(anew)))
            else:
                lost.add(name)
            for package in older:
                if package not in several:
                    base.goal.erase(package)
        return lost

    def _hold(self, order: Order) -> None:
        Holds(self._host.conf).renew(order["names"], self._host.headers())


def _is_whole(package: Any) -> bool:
    """libdnf raises a RuntimeError, or something else, for a file that is not there."""
    try:
        return bool(package.verifyLocalPkg())
    except Exception as error:
        log(str(error))
        return False


def _boot_time() -> int:
    with open("/proc/stat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("btime "))
