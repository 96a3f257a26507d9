"""dnf on one root: its configuration, its state and ready-made `dnf.Base`s."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Optional

import dnf
import dnf.exceptions
import dnf.lock
import dnf.repo
import dnf.rpm

from . import rpmdb
from .history import cut_off
from .holds import Holds
from .orders import LockedRoot
from .refused import in_use

_CUT_OFF = """
    SELECT name, arch, epoch, version, release
    FROM trans JOIN trans_item ON trans_id = trans.id JOIN rpm USING (item_id)
    WHERE trans.id = (SELECT max(id) FROM trans) AND trans.state = 0 AND action IN (1, 2, 4, 6, 9)
"""
"""The actions (libdnf's TransactionItemAction) are those after which a package is there."""


class Host(LockedRoot):
    """`config`: path of a dnf.conf, None for the host's own."""

    def __init__(self, root: str, config: Optional[str]) -> None:
        super().__init__(root)
        self._config = config
        self._plugins: Optional[list[Any]] = None
        self.conf = self._configuration()
        self.arch = self.conf.substitutions["arch"]

    def _configuration(self) -> Any:
        conf = dnf.conf.Conf()
        conf.installroot = self.root
        if self._config:
            conf.config_file_path = self._config
        conf.read(priority=dnf.conf.PRIO_MAINCONFIG)
        if self.root != "/":
            for option in ("cachedir", "logdir", "persistdir"):
                conf.prepend_installroot(option)
        # a Base that is given no configuration looks for the release in the database of `/`
        release = dnf.rpm.detect_releasever(self.root)
        if release:
            conf.substitutions["releasever"] = release
        conf.substitutions.update_from_etc(self.root)
        conf.exit_on_lock = True
        conf.assumeyes = False
        return conf

    @contextlib.contextmanager
    def base(self) -> Iterator[Any]:
        """With plugins (versionlock, subscription-manager) and repositories, without a sack."""
        base = dnf.Base(self._configuration())
        try:
            with _locks():
                self._init_plugins(base)
                base.pre_configure_plugins()
                base.read_all_repos()
                base.configure_plugins()
                yield base
        finally:
            base.close()

    def _init_plugins(self, base: Any) -> None:
        """dnf loads them once in a process; a further Base is given what was loaded."""
        if self._plugins is not None:
            base.conf.plugins = False
            base._plugins.plugin_cls = self._plugins
        base.init_plugins()
        self._plugins = base._plugins.plugin_cls

    @contextlib.contextmanager
    def cached_base(self) -> Iterator[Any]:
        """With what is known of the repositories, and without dnf's lock on that: it is only read, and what is new comes by a
        rename."""
        lock = dnf.lock.build_metadata_lock
        with self.base() as base:
            for repo in base.repos.iter_enabled():
                repo._repo.setSyncStrategy(dnf.repo.SYNC_ONLY_CACHE)
            dnf.lock.build_metadata_lock = lambda *_: contextlib.nullcontext()
            try:
                base.fill_sack()
            finally:
                dnf.lock.build_metadata_lock = lock
            yield base

    def key(self, package: Any) -> str:
        return self.key_of(package.name, package.arch)

    def check_lock(self) -> None:
        holder = rpmdb.lock_holder(rpmdb.lock_path(self.root))
        if holder:
            raise in_use(holder)
        with _locks(), dnf.lock.build_rpmdb_lock(self.conf.persistdir, True):
            return

    # --- state ---

    def state(self) -> dict[str, Any]:
        holds = Holds(self.conf)
        return self.packages(
            cut_off=cut_off(os.path.join(self.conf.persistdir, "history.sqlite"), _CUT_OFF),
            held=lambda nevra: holds.has(*nevra),
            several=self.conf.installonlypkgs,
        )


@contextlib.contextmanager
def _locks() -> Iterator[None]:
    """dnf's locks raise this, with the pid of whoever has them."""
    try:
        yield
    except dnf.exceptions.LockError as error:
        raise in_use(getattr(error, "pid", 0)) from error
