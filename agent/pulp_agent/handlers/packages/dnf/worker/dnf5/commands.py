"""The commands that the agent may give, as libdnf5 does them."""

from __future__ import annotations

from typing import Any, TextIO

import libdnf5
from libdnf5.base import Transaction
from libdnf5.repo import DownloadCallbacksUniquePtr
from libdnf5.rpm import TransactionCallbacksUniquePtr
from libdnf5.transaction import transaction_item_action_is_inbound

from ..link import Link, log
from ..orders import Order, Orders
from ..refused import Refused, code_of_text, wording
from .host import Host, enabled
from .library import Dnf5
from .refusals import refusal
from .transaction import Downloads, Following


class Commands(Orders):
    def __init__(self, host: Host, link: Link) -> None:
        super().__init__(host, link)
        self._host = host

    def _refresh(self, _: Order) -> None:
        with self._host.base() as base:
            downloads = self._follow(base)
            repos = enabled(base)
            for repo in repos:
                repo.expire()
            base.get_repo_sack().load_repos(libdnf5.repo.Repo.Type_AVAILABLE)
            if repos and all(repo.is_expired() for repo in repos):
                raise Refused("fetch", "; ".join(downloads.problems) or "no repository answers")

    def _fetch(self, library: Dnf5) -> set[str]:
        packages = [
            item.get_package()
            for item in library.transaction.get_transaction_packages()
            if transaction_item_action_is_inbound(item.get_action())
        ]
        downloads = self._follow(library.base, sum(p.get_download_size() for p in packages))
        try:
            library.transaction.download()
        except Exception as error:
            text = "; ".join([*downloads.problems, wording(error)])
            raise Refused(code_of_text(text) or "fetch", text) from error
        return {package.get_name() for package in packages}

    def _follow(self, base: Any, total: float = 0.0) -> Downloads:
        """`total`: bytes, where it is known before. What follows is referred to for as long as the base may call it."""
        self._downloads = Downloads(self._link, total)
        base.set_download_callbacks(DownloadCallbacksUniquePtr(self._downloads))
        return self._downloads

    # --- the commit ---

    def _check_signatures(self, library: Dnf5) -> None:
        if not library.transaction.check_gpg_signatures():
            problems = library.transaction.get_gpg_signature_problems()
            raise Refused("untrusted", "; ".join([*problems, *self._host.unprotected_keys]))

    def _run(self, library: Dnf5, report: TextIO, comment: str) -> None:
        transaction = library.transaction
        following = Following(transaction, self._link, report)
        transaction.set_callbacks(TransactionCallbacksUniquePtr(following))
        transaction.set_description(f"pulp-agent {comment}")  # what `dnf history` shows
        result = transaction.run()
        for message in transaction.get_rpm_messages():
            log(message)
        if result == Transaction.TransactionRunResult_SUCCESS:
            return
        if not following.begun:
            self._host.check_lock()
        raise _failure(transaction, result)

    def _restart_suggested(self) -> set[str]:
        """By the advisories of what is installed, as `dnf5 needs-restarting` knows it; as far as the repositories are known."""
        try:
            with self._host.library() as library:
                return library.restart_suggested()
        except Exception as error:
            log(f"whether advisories suggest a restart is not known: {error}")
            return set()

    def _refusal(self, error: Exception) -> Refused:
        return refusal(error)

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
