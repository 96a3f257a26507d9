"""The commands that the agent may give, as dnf4 does them."""

from __future__ import annotations

import glob
import os
import time
from typing import Any

import dnf.const
import dnf.exceptions
import dnf.lock
import hawkey

from . import advisories, config_files, groups, telling
from .holds import Holds
from .host import Host
from .link import Link, log
from .orders import LOST, Order, Orders, check_unchanged
from .planning import Planning
from .refusals import refusal
from .refused import Refused
from .reports import report_failures
from .transaction import Downloads, Following, check_signatures


class Commands(Orders):
    def __init__(self, host: Host, link: Link) -> None:
        super().__init__(host, link)
        self._host = host
        self.table["groups"] = self._groups

    # --- reading ---

    def _hello(self, _: Order) -> Any:
        return {"arch": self._host.arch, "dnf": dnf.const.VERSION}

    def _has_metadata(self, _: Order) -> bool:
        cache = glob.escape(self._host.conf.cachedir)
        return bool(glob.glob(os.path.join(cache, "*", "repodata", "repomd.xml")))

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
            return {
                "changes": told,
                "kept_back": telling.kept_back(planning, planned),
                "advisories": advisories.told(planning.brought),
                "records": planning.records,
            }

    def _groups(self, _: Order) -> Any:
        with self._host.cached_base() as base:
            return groups.listed(base)

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
            check_unchanged(order["changes"], told)
            if told or planning.records:
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

    def _refusal(self, error: Exception) -> Refused:
        return refusal(error)

    def _install_anew(self, broken: dict[str, str], order: Order) -> None:
        with self._host.cached_base() as base:
            base.conf.best = False
            lost = self._mark_repairs(base, broken)
            told = {name: LOST if name in lost else "" for name in broken.values()}
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
