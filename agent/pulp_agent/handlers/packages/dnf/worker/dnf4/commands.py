"""The commands that the agent may give, as dnf4 does them."""

from __future__ import annotations

from typing import Any, TextIO

import dnf.exceptions
import dnf.lock

from ..link import Link, log
from ..orders import Order, Orders
from ..refused import Refused
from .holds import Holds
from .host import Host
from .library import Dnf4
from .refusals import refusal
from .transaction import Downloads, Following, check_signatures


class Commands(Orders):
    def __init__(self, host: Host, link: Link) -> None:
        super().__init__(host, link)
        self._host = host

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

    def _fetch(self, library: Dnf4) -> set[str]:
        base = library.base
        packages = list(base.transaction.install_set) if base.transaction else []
        wrong = [str(p) for p in packages if p._is_local_pkg() and not _is_whole(p)]
        if wrong:
            raise Refused("fetch", f"{', '.join(wrong)}: not in the repository, or damaged there")
        base.download_packages(packages, Downloads(self._link))
        return {package.name for package in packages}

    def _check_signatures(self, library: Dnf4) -> None:
        check_signatures(library.base)

    def _run(self, library: Dnf4, report: TextIO, comment: str) -> None:
        library.base.args = ["pulp-agent", comment]  # what `dnf history` shows
        following = Following(self._link, report)
        try:
            library.base.do_transaction(following)
        except dnf.exceptions.Error as error:
            if not following.begun:
                self._host.check_lock()
            raise refusal(error) from error

    def _refusal(self, error: Exception) -> Refused:
        return refusal(error)

    def _hold(self, order: Order) -> None:
        Holds(self._host.conf).renew(order["names"], self._host.headers())


def _is_whole(package: Any) -> bool:
    """libdnf raises a RuntimeError, or something else, for a file that is not there."""
    try:
        return bool(package.verifyLocalPkg())
    except Exception as error:
        log(str(error))
        return False
