"""dnf on one root: its configuration, its state and ready-made `dnf.Base`s."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import Any, Optional

import dnf
import dnf.exceptions
import dnf.lock
import dnf.repo
import dnf.rpm

from . import rpmdb
from .holds import Holds
from .refusals import in_use

INSTALLED, UNFINISHED, DUPLICATE = "installed", "unfinished", "duplicate"

_CUT_OFF = """
    SELECT name, arch, epoch, version, release
    FROM trans JOIN trans_item ON trans_id = trans.id JOIN rpm USING (item_id)
    WHERE trans.id = (SELECT max(id) FROM trans) AND trans.state = 0 AND action IN (1, 2, 4, 6, 9)
"""
"""The actions (libdnf's TransactionItemAction) are those after which a package is there."""


class Host:
    """`config`: path of a dnf.conf, None for the host's own."""

    def __init__(self, root: str, config: Optional[str]) -> None:
        self.root = root
        self._config = config
        self._plugins: Optional[list[Any]] = None
        self.conf = self._configuration()
        self.arch: str = self.conf.substitutions["arch"]

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

    def slot(self, arch: str) -> str:
        """What is of every architecture sits in the host's own slot."""
        return self.arch if arch in ("noarch", "") else arch

    def key(self, package: Any) -> str:
        return f"{package.name}:{self.slot(package.arch)}"

    def headers(self) -> list[Any]:
        return rpmdb.headers(self.root)

    def inside(self, path: str) -> str:
        return self.root.rstrip("/") + path

    def check_lock(self) -> None:
        """Raises `locked` while rpm or dnf is at work."""
        holder = rpmdb.lock_holder(self.root)
        if holder:
            raise in_use(holder)
        with _locks(), dnf.lock.build_rpmdb_lock(self.conf.persistdir, True):
            return

    # --- state ---

    def state(self) -> dict[str, Any]:
        """`packages`: the newest version of each name and architecture. `others`: the further versions of those that may be
        there in several, such as kernels."""
        newest: dict[str, Any] = {}
        others = []
        cut_off, holds = self._cut_off(), Holds(self.conf)
        for header in self.headers():
            package = _told(header, cut_off, holds)
            key = f"{package['name']}:{self.slot(package['arch'])}"
            older = newest.get(key)
            if older and self._may_be_several(header):
                others.append(older)
            elif older:
                package["status"] = DUPLICATE
            newest[key] = package
        return {"packages": newest, "others": others}

    def _may_be_several(self, header: Any) -> bool:
        return bool(rpmdb.provided_by(header).intersection(self.conf.installonlypkgs))

    def _cut_off(self) -> set[tuple[str, str, str]]:
        """What the last transaction in dnf's history was to install, if it never came to its end: dnf writes down the end of
        single packages only there, so which of them had all their scripts run is not known."""
        path = os.path.join(self.conf.persistdir, "history.sqlite")
        if not os.path.exists(path):
            return set()
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            try:
                rows = database.execute(_CUT_OFF).fetchall()
            except sqlite3.OperationalError:  # it is being made
                return set()
        return {(name, arch, rpmdb.spelled_version(*version)) for name, arch, *version in rows}


def _told(header: Any, cut_off: set[tuple[str, str, str]], holds: Holds) -> dict[str, Any]:
    package = rpmdb.name_of(header), rpmdb.arch_of(header), rpmdb.version_of(header)
    name, arch, version = package
    status = UNFINISHED if package in cut_off else INSTALLED
    held = holds.has(*package)
    return {"name": name, "arch": arch, "version": version, "status": status, "held": held}


@contextlib.contextmanager
def _locks() -> Iterator[None]:
    """dnf's locks raise this, with the pid of whoever has them."""
    try:
        yield
    except dnf.exceptions.LockError as error:
        raise in_use(getattr(error, "pid", 0)) from error
