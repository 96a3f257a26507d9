"""python3-dnf as the library of a worker."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import dnf.exceptions
import dnf.selector
import dnf.subject
import hawkey
import libdnf.transaction as history

from ..chosen import Chosen
from ..library import Item, Library, Package
from . import advisories, groups
from .refusals import refusal

_ACTIONS = {
    history.TransactionItemAction_INSTALL: "install",
    history.TransactionItemAction_UPGRADE: "upgrade",
    history.TransactionItemAction_DOWNGRADE: "downgrade",
    history.TransactionItemAction_REINSTALL: "reinstall",
    history.TransactionItemAction_REMOVE: "remove",
    history.TransactionItemAction_OBSOLETED: "remove",
}
"""The other halves of changes (upgraded, reinstalled...) are left out."""
_NEEDED = (
    history.TransactionItemReason_DEPENDENCY,
    history.TransactionItemReason_WEAK_DEPENDENCY,
)


class Dnf4(Library):
    """`base`: a dnf.Base with its sack."""

    def __init__(self, base: Any) -> None:
        self.base = base
        self._everything = base.sack.query(flags=hawkey.IGNORE_EXCLUDES)
        self._installed = self._everything.installed().apply()

    @property
    def conf(self) -> Any:
        return self.base.conf

    # --- looking ---

    def installed(self, name: str) -> list[Package]:
        return _packages(self._installed.filter(name=name))

    def available(self, name: str, *, hidden: bool) -> list[Package]:
        return _packages(self._query(hidden=hidden).available().filter(name=name))

    def updates(self, *, hidden: bool) -> list[Package]:
        return _packages(self._query(hidden=hidden).upgrades())

    def _query(self, *, hidden: bool) -> Any:
        return self._everything if hidden else self.base.sack.query()

    def advised(self, chosen: Chosen, *, hidden: bool, later: bool) -> list[Package]:
        upgrades = self._query(hidden=hidden).upgrades().apply()
        return _packages(advisories.named(upgrades, chosen, later=later))

    def has_advisory(self, name: str) -> bool:
        return advisories.is_known(self._everything, name)

    def advisories(self, before: Package, after: Package) -> list[dict[str, Any]]:
        return advisories.between(before.raw, after.raw)

    def unneeded(self) -> list[Package]:
        query = self.base.sack.query()
        return _packages(query._unneeded(self.base.history.swdb, debug_solver=False))

    def is_one_of_several(self, package: Package) -> bool:
        return package.raw in self.base._get_installonly_query(self._installed)

    # --- groups ---

    def groups(self) -> list[dict[str, Any]]:
        return groups.listed(self.base)

    def members(self, groups_: Collection[str]) -> set[str]:
        return groups.members(self.base, groups_)

    def install_groups(self, groups_: Sequence[str]) -> bool:
        return groups.mark_installation(self.base, groups_)

    def remove_groups(self, groups_: Sequence[str]) -> bool:
        return groups.mark_removal(self.base, groups_)

    # --- marking ---

    def reset(self) -> None:
        self.base.reset(goal=True)

    def install(self, packages: Sequence[Package]) -> None:
        self.base.goal.install(select=self._select(packages), optional=False)

    def install_anew(self, package: Package) -> None:
        self.base.goal.install(package.raw)

    def upgrade(self, packages: Sequence[Package]) -> None:
        self.base.goal.upgrade(select=self._select(packages))

    def _select(self, packages: Sequence[Package]) -> Any:
        selector = dnf.selector.Selector(self.base.sack)
        selector.set(pkg=[package.raw for package in packages])
        return selector

    def upgrade_all(self) -> None:
        self.base.upgrade_all()

    def remove(self, package: Package) -> None:
        clean = self.conf.clean_requirements_on_remove
        self.base.goal.erase(package.raw, clean_deps=clean)

    def lift(self, names: Collection[str]) -> None:
        sack = self.base.sack
        sack.remove_excludes(self._everything.filter(name=list(names)))
        for repo in self.base.repos.iter_enabled():
            for pattern in set(repo.excludepkgs):
                subject = dnf.subject.Subject(pattern)
                hidden = subject.get_best_query(sack, with_provides=False, with_filenames=False)
                sack.add_excludes(hidden.filterm(reponame=repo.id))

    # --- the transaction ---

    def solve(self, *, erasing: bool) -> None:
        try:
            self.base.resolve(allow_erasing=erasing)
        except dnf.exceptions.Error as error:
            raise refusal(error) from error

    def items(self) -> list[Item]:
        found = self.base.transaction or ()
        return [_item(item) for item in found if item.action in _ACTIONS]


def _packages(found: Iterable[Any]) -> list[Package]:
    return [_package(raw) for raw in sorted(found)]


def _package(raw: Any) -> Package:
    return Package(raw.name, raw.arch, raw.evr, raw.reponame, raw)


def _item(item: Any) -> Item:
    return Item(
        package=_package(item.pkg),
        action=_ACTIONS[item.action],
        needed=item.reason in _NEEDED,
        garbage=item.reason == history.TransactionItemReason_CLEAN,
        replaced=item.action == history.TransactionItemAction_OBSOLETED,
    )
