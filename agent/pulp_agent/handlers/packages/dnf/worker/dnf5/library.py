"""libdnf5 as the library of a worker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from libdnf5 import base as libdnf5_base
from libdnf5 import transaction as history
from libdnf5.rpm import PackageQuery, PackageSet

from ..chosen import Chosen
from ..library import Item, Library, Package
from ..link import log
from ..refused import Refused
from . import advisories, groups

_ACTIONS = {
    history.TransactionItemAction_INSTALL: "install",
    history.TransactionItemAction_UPGRADE: "upgrade",
    history.TransactionItemAction_DOWNGRADE: "downgrade",
    history.TransactionItemAction_REINSTALL: "reinstall",
    history.TransactionItemAction_REMOVE: "remove",
    history.TransactionItemAction_REPLACED: "remove",
}
_NEEDED = (
    history.TransactionItemReason_DEPENDENCY,
    history.TransactionItemReason_WEAK_DEPENDENCY,
)


class Dnf5(Library):
    """`base`: with its repositories loaded; `excluded`: what the main configuration would hide, which is hidden here instead,
    as libdnf5 lets only that be lifted again."""

    def __init__(self, base: Any, excluded: Sequence[str]) -> None:
        self.base = base
        self.transaction: Any = None
        self._goal = libdnf5_base.Goal(base)
        self._sack = base.get_rpm_package_sack()
        self._everything = self._all()
        self._hide(excluded)
        self._installed = narrowed(self._everything, lambda query: query.filter_installed())

    def _all(self) -> Any:
        """What there is, but for what a repository's own settings exclude."""
        locked = self._sack.get_versionlock_excludes()
        self._sack.clear_versionlock_excludes()
        everything = PackageQuery(self.base)
        self._sack.set_versionlock_excludes(locked)
        return everything

    def _hide(self, patterns: Iterable[str]) -> None:
        settings = libdnf5_base.ResolveSpecSettings()
        settings.set_with_provides(False)
        settings.set_with_filenames(False)
        settings.set_with_binaries(False)
        for pattern in patterns:
            hidden = PackageQuery(self._everything)
            hidden.resolve_pkg_spec(pattern, settings, True)
            self._sack.add_user_excludes(hidden)

    @property
    def conf(self) -> Any:
        return self.base.get_config()

    # --- looking ---

    def installed(self, name: str) -> list[Package]:
        return _packages(narrowed(self._installed, lambda query: query.filter_name(name)))

    def available(self, name: str, *, hidden: bool) -> list[Package]:
        found = narrowed(self._query(hidden=hidden), lambda query: query.filter_available())
        found.filter_name(name)
        return _packages(found)

    def updates(self, *, hidden: bool) -> list[Package]:
        return _packages(self._upgrades(hidden=hidden))

    def _upgrades(self, *, hidden: bool) -> Any:
        return narrowed(self._query(hidden=hidden), lambda query: query.filter_upgrades())

    def _query(self, *, hidden: bool) -> Any:
        return self._everything if hidden else PackageQuery(self.base)

    def advised(self, chosen: Chosen, *, hidden: bool, later: bool) -> list[Package]:
        upgrades = self._upgrades(hidden=hidden)
        advisories.narrow(upgrades, self.base, chosen, later=later)
        return _packages(upgrades)

    def has_advisory(self, name: str) -> bool:
        return advisories.is_known(self.base, name)

    def advisories(self, before: Package, after: Package) -> list[dict[str, Any]]:
        return advisories.between(self.base, self._set([before]), self._set([after]))

    def unneeded(self) -> list[Package]:
        return _packages(narrowed(self._installed, lambda query: query.filter_unneeded()))

    def is_one_of_several(self, package: Package) -> bool:
        several = narrowed(self._installed, lambda query: query.filter_installonly())
        return bool(several.contains(package.raw))

    def restart_suggested(self) -> set[str]:
        """The names of what is installed in a version whose advisory asks for a restart."""
        found = narrowed(self._installed, lambda query: query.filter_reboot_suggested())
        return {package.get_name() for package in found}

    # --- groups ---

    def groups(self) -> list[dict[str, Any]]:
        return groups.listed(self.base)

    def members(self, groups_: Collection[str]) -> set[str]:
        return groups.members(self.base, groups_)

    def install_groups(self, groups_: Sequence[str]) -> bool:
        return groups.mark_installation(self.base, self._goal, groups_)

    def remove_groups(self, groups_: Sequence[str]) -> bool:
        return groups.mark_removal(self.base, self._goal, groups_)

    # --- marking ---

    def reset(self) -> None:
        self._goal.reset()

    def install(self, packages: Sequence[Package]) -> None:
        self._goal.add_rpm_install(self._set(packages))

    def install_anew(self, package: Package) -> None:
        self._goal.add_rpm_reinstall(package.raw)

    def upgrade(self, packages: Sequence[Package]) -> None:
        self._goal.add_rpm_upgrade(self._set(packages))

    def upgrade_all(self) -> None:
        self._goal.add_rpm_upgrade()

    def remove(self, package: Package) -> None:
        self._goal.add_rpm_remove(package.raw)

    def lift(self, names: Collection[str]) -> None:
        held = narrowed(self._everything, lambda query: query.filter_name(list(names)))
        self._sack.remove_user_excludes(held)
        self._sack.remove_versionlock_excludes(held)

    def _set(self, packages: Iterable[Package]) -> Any:
        made = PackageSet(self.base)
        for package in packages:
            made.add(package.raw)
        return made

    # --- the transaction ---

    def solve(self, *, erasing: bool) -> None:
        self._goal.set_allow_erasing(erasing)
        self.transaction = self._goal.resolve()
        said = [" ".join(text.split()) for text in self.transaction.get_resolve_logs_as_strings()]
        if self.transaction.get_problems() != libdnf5_base.GoalProblem_NO_PROBLEM:
            raise Refused("dependency", " ".join(said))
        for text in said:
            log(text)

    def items(self) -> list[Item]:
        found = self.transaction.get_transaction_packages()
        return [_item(item) for item in found if item.get_action() in _ACTIONS]


def narrowed(query: Any, narrow: Callable[[Any], Any]) -> Any:
    """A copy with one filter more."""
    copy = PackageQuery(query)
    narrow(copy)
    return copy


def _packages(found: Iterable[Any]) -> list[Package]:
    return sorted(map(_package, found), key=lambda package: package.age)


def _package(raw: Any) -> Package:
    return Package(raw.get_name(), raw.get_arch(), raw.get_evr(), raw.get_repo_id(), raw)


def _item(item: Any) -> Item:
    action = item.get_action()
    return Item(
        package=_package(item.get_package()),
        action=_ACTIONS[action],
        needed=item.get_reason() in _NEEDED,
        garbage=item.get_reason() == history.TransactionItemReason_CLEAN,
        replaced=action == history.TransactionItemAction_REPLACED,
    )
