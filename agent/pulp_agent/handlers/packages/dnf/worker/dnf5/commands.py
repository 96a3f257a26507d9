"""The commands that the agent may give, as libdnf5 does them."""

from __future__ import annotations

import glob
import os
import time
from typing import Any

import libdnf5
from libdnf5.base import Goal, Transaction
from libdnf5.repo import DownloadCallbacksUniquePtr
from libdnf5.rpm import PackageQuery, TransactionCallbacksUniquePtr
from libdnf5.transaction import transaction_item_action_is_inbound

from .. import config_files
from ..link import Link, log
from ..orders import LOST, Order, Orders, check_unchanged
from ..refused import Refused, code_of_text
from ..reports import report_failures
from . import groups, telling
from .host import Host, enabled
from .planning import Planning, by_age, narrowed
from .refusals import refusal
from .transaction import Downloads, Following


class Commands(Orders):
    def __init__(self, host: Host, link: Link) -> None:
        super().__init__(host, link)
        self._host = host
        self.table["groups"] = self._groups

    # --- reading ---

    def _hello(self, _: Order) -> Any:
        return {"arch": self._host.arch}

    def _has_metadata(self, _: Order) -> bool:
        cache = glob.escape(self._host.cache)
        return bool(glob.glob(os.path.join(cache, "*", "repodata", "repomd.xml")))

    def _groups(self, _: Order) -> Any:
        with self._host.cached_base() as base:
            return groups.listed(base)

    # --- before the commit ---

    def _refresh(self, _: Order) -> None:
        with self._host.base() as base:
            downloads = self._follow(base)
            repos = enabled(base)
            for repo in repos:
                repo.expire()
            base.get_repo_sack().load_repos(libdnf5.repo.Repo.Type_AVAILABLE)
            if repos and all(repo.is_expired() for repo in repos):
                raise Refused("fetch", "; ".join(downloads.problems) or "no repository answers")

    def _plan(self, order: Order) -> Any:
        with self._host.cached_base() as base:
            planning = Planning(self._host, base, order)
            told = telling.changes(planning, planning.resolve())
            planned = {change["key"] for change in told}
            return {
                "changes": told,
                "kept_back": telling.kept_back(planning, planned),
                "records": planning.records,
            }

    def _download(self, order: Order) -> None:
        with self._host.cached_base() as base:
            self._fetch(base, Planning(self._host, base, order).resolve())
        self._host.check_lock()  # to wait for it now can still be canceled

    def _fetch(self, base: Any, transaction: Any) -> set[str]:
        """Have all packages that the transaction installs on this host. Their names."""
        packages = [
            item.get_package()
            for item in transaction.get_transaction_packages()
            if transaction_item_action_is_inbound(item.get_action())
        ]
        downloads = self._follow(base, sum(p.get_download_size() for p in packages))
        try:
            transaction.download()
        except Exception as error:
            raise Refused("fetch", "; ".join([*downloads.problems, str(error)])) from error
        return {package.get_name() for package in packages}

    def _follow(self, base: Any, total: float = 0.0) -> Downloads:
        """`total`: bytes, where it is known before. What follows is referred to for as long as the base may call it."""
        self._downloads = Downloads(self._link, total)
        base.set_download_callbacks(DownloadCallbacksUniquePtr(self._downloads))
        return self._downloads

    # --- the commit ---

    def _commit(self, order: Order) -> None:
        with self._host.cached_base() as base:
            planning = Planning(self._host, base, order)
            transaction = planning.resolve()
            told = telling.changes(planning, transaction)
            check_unchanged(order["changes"], told)
            if told or planning.records:
                self._transact(base, transaction, order)
        if order["policy"]["allow_held"]:
            self._hold({"names": [change["name"] for change in told]})

    def _transact(self, base: Any, transaction: Any, order: Order) -> None:
        names = self._fetch(base, transaction)
        if not transaction.check_gpg_signatures():
            problems = [*transaction.get_gpg_signature_problems(), *self._host.unprotected_keys]
            raise Refused("untrusted", "; ".join(problems))
        self._host.check_lock()
        begin = int(time.time())
        transaction.set_description(f"pulp-agent {order['comment']}")  # what `dnf history` shows
        with open(order["report"], "a", encoding="utf-8") as report:
            self._run_transaction(transaction, Following(transaction, self._link, report))
        if order["policy"]["config_files"] == "new":
            config_files.take_new(self._host, names, begin)

    def _run_transaction(self, transaction: Any, following: Following) -> None:
        """`following` is referred to until the end: without that the library calls what is no more."""
        transaction.set_callbacks(TransactionCallbacksUniquePtr(following))
        result = transaction.run()
        for message in transaction.get_rpm_messages():
            log(message)
        if result == Transaction.TransactionRunResult_SUCCESS:
            return
        if not following.begun:
            self._host.check_lock()
        raise _failure(transaction, result)

    def _refusal(self, error: Exception) -> Refused:
        return refusal(error)

    # --- repair ---

    def _install_anew(self, broken: dict[str, str], order: Order) -> None:
        with self._host.cached_base() as base:
            base.get_config().best = False
            goal = Goal(base)
            lost = self._mark_repairs(base, goal, broken)
            told = {name: LOST if name in lost else "" for name in broken.values()}
            report_failures(order["report"], told)
            goal.set_allow_erasing(True)
            transaction = goal.resolve()
            if not transaction.empty():
                self._transact(base, transaction, order)

    def _mark_repairs(self, base: Any, goal: Any, broken: dict[str, str]) -> set[str]:
        """The names of those that cannot be had any more."""
        lost = set()
        everything = PackageQuery(base)
        installed = narrowed(everything, lambda query: query.filter_installed())
        several = {
            p.get_nevra() for p in narrowed(installed, lambda query: query.filter_installonly())
        }
        available = narrowed(everything, lambda query: query.filter_available())
        for key, name in broken.items():
            same = narrowed(installed, lambda query, name=name: query.filter_name(name))
            *older, newest = [p for p in by_age(same) if self._host.key(p) == key]
            anew = narrowed(
                available, lambda query, newest=newest: query.filter_nevra(newest.get_nevra())
            )
            if anew.empty():
                lost.add(name)
            else:
                goal.add_rpm_reinstall(next(iter(anew)))
            for package in older:
                if package.get_nevra() not in several:
                    goal.add_rpm_remove(package)
        return lost

    def _hold(self, order: Order) -> None:
        with self._host.base() as base:
            self._host.holds(base).renew(order["names"], self._host.headers())


def _failure(transaction: Any, result: int) -> Refused:
    problems = list(transaction.get_transaction_problems())
    text = "; ".join(problems) or str(Transaction.transaction_result_to_string(result))
    if result == Transaction.TransactionRunResult_ERROR_LOCK:
        return Refused("locked", text)
    if result == Transaction.TransactionRunResult_ERROR_GPG_CHECK:
        return Refused("untrusted", text)
    if result == Transaction.TransactionRunResult_ERROR_CHECK:
        return Refused("dependency", text)
    return Refused(code_of_text(text) or "internal", text)
