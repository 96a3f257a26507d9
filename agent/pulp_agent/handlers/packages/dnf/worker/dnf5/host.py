"""libdnf5 on one root: its configuration, its state and ready-made `libdnf5.base.Base`s."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Optional

import libdnf5

from .. import orders, rpmdb
from ..history import cut_off
from ..refused import in_use
from ..root import Nevra
from .holds import Holds
from .library import Dnf5

_HISTORY = "/usr/lib/sysimage/libdnf5/transaction_history.sqlite"
_CUT_OFF = """
    SELECT pkg_name.name, arch.name, epoch, version, release
    FROM trans JOIN trans_item ON trans_id = trans.id JOIN rpm USING (item_id)
        JOIN pkg_name ON pkg_name.id = name_id JOIN arch ON arch.id = arch_id
    WHERE trans.id = (SELECT max(id) FROM trans) AND trans.state_id = 1 AND action_id IN (1, 2, 3, 4)
"""
"""Begun (1) and without an end. The actions are those after which a package is there."""
_TRANSACTION_LOCK = "/run/dnf/rpmtransaction.lock"
_SYSTEM_LOCK = "system-repo.lock"
"""In dnf's folder of lasting data; from libdnf5 5.4 on."""


class Host(orders.Host):
    """`config`: path of a dnf.conf, None for the one in the root."""

    def __init__(self, root: str, config: Optional[str]) -> None:
        super().__init__(root)
        self._config = config
        with self.base() as base:
            conf = base.get_config()
            self.arch = base.get_vars().get_value("arch")
            self.cache = conf.cachedir
            self.several = tuple(conf.installonlypkgs)
            self._persistent: str = conf.persistdir

    @contextlib.contextmanager
    def base(self) -> Iterator[Any]:
        """With plugins and repositories, none of them loaded."""
        base = libdnf5.base.Base()
        conf = base.get_config()
        conf.installroot = self.root
        if self._config:
            conf.config_file_path = self._config
        base.load_config()
        self.excluded = _take_excludes(conf)
        base.setup()
        base.get_repo_sack().create_repos_from_system_configuration()
        self.unprotected_keys = [text for repo in enabled(base) for text in _drop_keys(repo)]
        yield base

    @contextlib.contextmanager
    def library(self) -> Iterator[Dnf5]:
        with self.base() as base:
            for repo in enabled(base):
                repo.set_sync_strategy(libdnf5.repo.Repo.SyncStrategy_ONLY_CACHE)
            base.get_repo_sack().load_repos()
            yield Dnf5(base, self.excluded)

    def check_lock(self) -> None:
        for path in (
            rpmdb.lock_path(self.root),
            self.inside(_TRANSACTION_LOCK),
            os.path.join(self.inside(self._persistent), _SYSTEM_LOCK),
        ):
            holder = rpmdb.lock_holder(path)
            if holder:
                raise in_use(holder)

    def is_held(self) -> Callable[[Nevra], bool]:
        with self.base() as base:
            holds = self.holds(base)
        return lambda nevra: holds.has(*nevra)

    def cut_off(self) -> set[Nevra]:
        return cut_off(self.inside(_HISTORY), _CUT_OFF)

    def holds(self, base: Any) -> Holds:
        return Holds(base, self.excluded)


def enabled(base: Any) -> list[Any]:
    query = libdnf5.repo.RepoQuery(base)
    query.filter_enabled(True)
    query.filter_type(libdnf5.repo.Repo.Type_AVAILABLE)
    return list(query)


def _take_excludes(conf: Any) -> tuple[str, ...]:
    """What the main configuration excludes, taken out of it: only what a user of the library excludes can be lifted again."""
    if {"*", "main"}.intersection(conf.disable_excludes):
        return ()
    excluded = tuple(conf.excludepkgs)
    conf.excludepkgs = ()
    return excluded


def _drop_keys(repo: Any) -> list[str]:
    """libdnf5 imports the keys that a repository names by itself, as `dnf -y` does; those that would come in clear over the
    network it shall not even fetch. Why not, for each."""
    conf = repo.get_config()
    clear = [url for url in conf.gpgkey if not url.startswith(("file:", "/", "https:"))]
    if clear:
        conf.gpgkey = [url for url in conf.gpgkey if url not in clear]
    return [f"a key of {repo.get_id()} would come unprotected from {url}" for url in clear]
