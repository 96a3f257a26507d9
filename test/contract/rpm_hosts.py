"""Hosts of the package contract that rpm manages: dnf4 on this host, and dnf5 in a tree that has it."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import dnf5_tree
import msgspec
import rpmrepo
from package_host import PATIENCE, Host, spec
from pulp_agent.handlers.packages import Dnf5Settings, DnfSettings
from pulp_agent.handlers.packages.processes import Process, Session

from pulp.rmi.interfaces import PackageSpec, ProfileResult
from pulp.rmi.reports import GroupsResult, RefreshResult, Update, UpdatesResult


class DnfHost(Host):
    """A private installroot on Debian's dnf4 and rpm. Needs root."""

    backend = "dnf"
    setting_up = "Installing: {}"
    remembers_failed_scripts = False  # a package whose %post failed is installed to rpm, for good
    settings: DnfSettings

    def __init__(self, folder: Path, *, uri: str | None = None, check: bool = False) -> None:
        super().__init__(folder)
        self.repository = rpmrepo.build_repository(folder / "repository")
        self._home = self.root / "home"
        self._config = self._make_root(self.root, self.repository, uri=uri, check=check)
        self.settings = self._make_settings()

    _make_root = staticmethod(rpmrepo.make_root)

    def _make_settings(self) -> DnfSettings:
        return DnfSettings(
            config=str(self._config), home=str(self._home), root=str(self.root), **PATIENCE
        )

    def plain(self, value: Any) -> Any:
        """Without the release, which is 1 throughout, and without the shell that every root has."""
        if value is None:
            return None
        if isinstance(value, ProfileResult):
            packages = [
                msgspec.structs.replace(p, version=_without_release(p.version))
                for p in value.packages
                if p.name != rpmrepo.SHELL
            ]
            return msgspec.structs.replace(value, packages=packages)
        if isinstance(value, GroupsResult | RefreshResult):
            return value
        if isinstance(value, UpdatesResult):
            return msgspec.structs.replace(value, updates=list(map(_plain_update, value.updates)))
        changes = [
            msgspec.structs.replace(c, from_=_without_release(c.from_), to=_without_release(c.to))
            for c in value.changes
        ]
        return msgspec.structs.replace(value, changes=changes)

    def spec(self, text: str) -> PackageSpec:
        return spec(f"{text}-1" if "=" in text else text)

    def tool(self, *command: str) -> str:
        return rpmrepo.run(*self._command(*command), home=self._home)

    def _command(self, *command: str) -> Sequence[str]:
        return command

    def dnf(self, *words: str) -> str:
        root = f"--installroot={self.root}"
        return self.tool("dnf-3", f"--config={self._config}", root, "-q", "-y", *words)

    def rpm(self, *words: str) -> str:
        return self.tool("rpm", "--root", str(self.root), *words)

    def give(self, *packages: str) -> None:
        self.dnf("--refresh", "install", *(name.replace("=", "-") for name in packages))

    def installed(self) -> dict[str, str]:
        lines = self.rpm("-qa", "--qf", "%{NAME} %{VERSION}\\n").splitlines()
        names = dict(line.split() for line in lines)
        return {n: v for n, v in names.items() if n not in (rpmrepo.SHELL, "gpg-pubkey")}

    def held(self) -> set[str]:
        return set(self.locked_versions())

    def locked_versions(self) -> dict[str, str]:
        """Name → version-release, as versionlock has them."""
        entries = re.findall(r"^(\w+)-0:(.+)\.\*$", self.locks_path.read_text(), re.MULTILINE)
        return dict(entries)

    def hold(self, name: str) -> None:
        version = self.rpm("-q", "--qf", "%{VERSION}-%{RELEASE}", name)
        with self.locks_path.open("a") as file:
            file.write(f"\n# Added lock on a day\n{name}-0:{version}.*\n")

    @property
    def locks_path(self) -> Path:
        return self.root / "etc/dnf/plugins/versionlock.list"

    def audit(self) -> str:
        command = ["rpm", "--root", str(self.root), "-Va"]
        env = {**os.environ, "HOME": str(self._home)}
        found = subprocess.run(
            self._command(*command), env=env, check=False, capture_output=True, text=True
        )
        names = self.rpm("-qa", "--qf", "%{NAME}\\n").split()
        return found.stdout + found.stderr + "".join(n for n in names if names.count(n) > 1)

    def cut_off_unpacking(self, name: str, status: str) -> None:
        """rpm has no such states; what tells is that dnf's history has the begin of a transaction and no end."""
        with self.history() as history:
            history.execute(
                "INSERT INTO trans SELECT max(id) + 1, dt_begin, 0, rpmdb_version_begin, '', '', -1, '', 0, ''"
                " FROM trans"
            )
            history.execute(
                "INSERT INTO trans_item (trans_id, item_id, repo_id, action, reason, state)"
                " SELECT (SELECT max(id) FROM trans), item_id, repo_id, action, reason, 0"
                " FROM trans_item JOIN rpm USING (item_id) WHERE name = ?",
                (name,),
            )

    def interrupted(self) -> bool:
        with self.history() as history:
            last = history.execute("SELECT state FROM trans ORDER BY id DESC LIMIT 1").fetchone()
        return bool(last[0] == 0)

    @contextmanager
    def history(self) -> Iterator[sqlite3.Connection]:
        """dnf's own, to read and to change."""
        with closing(sqlite3.connect(self._history_path)) as history:
            yield history
            history.commit()

    @property
    def _history_path(self) -> Path:
        return self.root / "var/lib/dnf/history.sqlite"

    def fingerprint(self) -> dict[str, tuple[int, int]]:
        """dnf's history counts by its transactions: to read it is to tidy up its file."""
        paths = [
            p for place in ("var/lib/rpm", "usr", "etc") for p in (self.root / place).rglob("*")
        ]
        paths += (self.root / "var/cache").rglob("*.rpm")
        passing = ("-shm", "-wal", self._history_path.name)
        lasting = [path for path in paths if not path.name.endswith(passing)]
        files = {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in lasting if p.is_file()}
        with self.history() as history:
            count = history.execute("SELECT count(*), max(id) FROM trans").fetchone()
        return {**files, "history": (count[0], count[1])}

    def publish(self, name: str, version: str, **fields: Any) -> None:
        needs = [word for word in fields.pop("depends", "").split(", ") if word]
        scripts = {_SCRIPTS[kind]: body for kind, body in fields.pop("scripts", {}).items()}
        tags = [f"Requires: {re.sub('[()]', '', word)}" for word in needs]
        package = rpmrepo.Package(name=name, version=version, tags=tags, scripts=scripts, **fields)
        self.repository.publish(package)

    def scripts_run(self, name: str) -> int:
        return len((self.root / f"run/{name}.runs").read_text().splitlines())

    def is_tool(self, process: Process, session: Session) -> bool:
        return process.pid == session.pid

    def lock(self, *, metadata: bool) -> tuple[Path, bool]:
        """rpm's lock, which dnf takes too, and dnf's own on the metadata."""
        place = "var/cache/dnf/metadata_lock.pid" if metadata else "var/lib/rpm/.rpm.lock"
        return self.root / place, metadata

    def own_lock(self) -> AbstractContextManager[None]:
        """Hold the lock that is dnf's alone."""
        return self.holding(self.root / "var/lib/dnf/rpmdb_lock.pid", by_pid=True)

    def trust(self, key: Path | str) -> None:
        """Name a key for the repository."""
        repo = self.root / "etc/yum.repos.d/stable.repo"
        url = key if isinstance(key, str) else key.as_uri()
        repo.write_text(f"{repo.read_text()}gpgkey = {url}\n")


class Dnf5Host(DnfHost):
    """The same on dnf5 and the rpm that comes with it, in a view of a tree that has them."""

    backend = "dnf5"
    setting_up = "Install: {}"
    locks_metadata = False

    _make_root = staticmethod(rpmrepo.make_dnf5_root)

    def _make_settings(self) -> Dnf5Settings:
        return Dnf5Settings(
            config=str(self._config),
            home=str(self._home),
            root=str(self.root),
            python=str(dnf5_tree.python(self.folder)),
            **PATIENCE,
        )

    def _command(self, *command: str) -> Sequence[str]:
        return dnf5_tree.inside(self.folder, *command)

    def dnf(self, *words: str) -> str:
        return self.tool("dnf5", f"--installroot={self.root}", "-q", "-y", *words)

    def hold(self, name: str) -> None:
        self.dnf("versionlock", "add", name)

    def locked_versions(self) -> dict[str, str]:
        entries = tomllib.loads(self.locks_path.read_text())["packages"]
        return {entry["name"]: entry["conditions"][0]["value"] for entry in entries}

    @property
    def locks_path(self) -> Path:
        return self.root / "etc/dnf/versionlock.toml"

    def cut_off_unpacking(self, name: str, status: str) -> None:
        with self.history() as history:
            history.execute(
                "INSERT INTO trans (id, dt_begin, user_id, rpmdb_version_begin, releasever, state_id)"
                " SELECT max(id) + 1, dt_begin, 0, rpmdb_version_begin, '', 1 FROM trans"
            )
            history.execute(
                "INSERT INTO trans_item (trans_id, item_id, repo_id, action_id, reason_id, state_id)"
                " SELECT (SELECT max(id) FROM trans), item_id, repo_id, action_id, reason_id, 1"
                " FROM trans_item JOIN rpm USING (item_id) JOIN pkg_name ON pkg_name.id = name_id"
                " WHERE pkg_name.name = ?",
                (name,),
            )

    def interrupted(self) -> bool:
        with self.history() as history:
            last = history.execute("SELECT state_id FROM trans ORDER BY id DESC LIMIT 1").fetchone()
        return bool(last[0] == 1)

    @property
    def _history_path(self) -> Path:
        return self.root / "usr/lib/sysimage/libdnf5/transaction_history.sqlite"

    def lock(self, *, metadata: bool) -> tuple[Path, bool]:
        """rpm's lock; libdnf5 has none on the metadata."""
        return self.root / "var/lib/rpm/.rpm.lock", False

    def own_lock(self) -> AbstractContextManager[None]:
        return self.holding(self.root / "run/dnf/rpmtransaction.lock", by_pid=False)

    def system_lock(self) -> AbstractContextManager[None]:
        """Hold what the dnf5 program holds from its plan to its end."""
        return self.holding(self.root / "var/lib/dnf/system-repo.lock", by_pid=False)


_SCRIPTS = {"preinst": "pre", "postinst": "post", "prerm": "preun", "postrm": "postun"}


def _without_release(version: str | None) -> str | None:
    return version.rpartition("-")[0] if version else version


def _plain_update(update: Update) -> Update:
    versions = {name: _without_release(getattr(update, name)) for name in ("from_", "to", "fix")}
    return msgspec.structs.replace(update, **versions)
