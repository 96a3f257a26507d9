"""From an order to libdnf5's transaction: marks what is asked for in a Goal, and resolves it."""

from __future__ import annotations

from typing import Any

from libdnf5 import base as libdnf5_base
from libdnf5.advisory import AdvisoryQuery
from libdnf5.common import QueryCmp_EQ, QueryCmp_GTE, QueryCmp_NEQ
from libdnf5.rpm import PackageQuery

from .. import rpmdb
from ..link import log
from ..refused import Refused
from ..wants import missing, missing_version, spelled
from . import groups
from .host import Host


class Planning:
    """`order`: the request as the agent tells it. libdnf5's own reading of names is not used: it takes patterns, provides,
    files and groups. Packages are looked up by their exact names."""

    def __init__(self, host: Host, base: Any, order: dict[str, Any]) -> None:
        self.host = host
        self.base = base
        self.order = order
        self.policy: dict[str, Any] = order["policy"]
        self.held = {p["name"] for p in host.state()["packages"].values() if p["held"]}
        self.everything = _hide(base, host.excluded)
        self.installed = narrowed(self.everything, lambda query: query.filter_installed())
        self.garbage: set[str] = set()
        """Keys of the packages that nothing needs any more and that are removed for it."""
        self.records = False
        """Whether dnf has something to write down about groups, be there packages to change or not."""
        self.members = groups.members(base, order["groups"])
        """Names of the packages of the groups that are asked for."""
        self.removal = order["operation"] in ("remove", "remove_group")
        self.goal = libdnf5_base.Goal(base)

    def resolve(self) -> Any:
        """The transaction. Raises `dependency`, or `not-found` with names."""
        conf = self.base.get_config()
        # an update of everything keeps back what cannot be updated; what is named is to be had at its best, or not
        conf.best = self.order["operation"] != "update_all"
        conf.clean_requirements_on_remove = self.policy["autoremove"]
        if self.policy["recommends"] == "no":
            conf.install_weak_deps = False
        if self.policy["allow_held"]:
            return self._lifted()
        try:
            transaction = self._attempt()
        except Refused as error:
            if error.code != "dependency" or not self.held:
                raise
            return self._lifted()
        if any(spec["name"] in self.held for spec in self.order["packages"]):
            return self._lifted()
        return transaction

    def _lifted(self) -> Any:
        """Plan without the holds: if they must stay, the policy refuses by name what is on hold and would have to change."""
        sack = self.base.get_rpm_package_sack()
        held = narrowed(self.everything, lambda query: query.filter_name(list(self.held)))
        sack.remove_user_excludes(held)
        sack.remove_versionlock_excludes(held)
        return self._attempt()

    def _attempt(self) -> Any:
        transaction = self._solved(allow_erasing=self.removal)
        if not _solved(transaction) and not self.removal and self.order["allow_erasing"]:
            transaction = self._solved(allow_erasing=True)
        said = list(transaction.get_resolve_logs_as_strings())
        if not _solved(transaction):
            raise Refused("dependency", " ".join(" ".join(said).split()))
        for text in said:
            log(text)
        return transaction

    def _solved(self, *, allow_erasing: bool) -> Any:
        self.goal.reset()
        self.goal.set_allow_erasing(allow_erasing)
        self._mark()
        return self.goal.resolve()

    # --- marking ---

    def _mark(self) -> None:
        operation = self.order["operation"]
        if operation == "remove":
            self._mark_removals()
        elif operation == "update_all":
            self._mark_updates()
        elif operation == "install_group":
            self.records = groups.mark_installation(self.base, self.goal, self.order["groups"])
        elif operation == "remove_group":
            self.records = groups.mark_removal(self.base, self.goal, self.order["groups"])
        else:
            self._mark_named()
        if self.policy["autoremove"]:
            self._mark_garbage()

    def _mark_removals(self) -> None:
        for spec in self.order["packages"]:
            for package in self._of(spec, self.installed):
                self.goal.add_rpm_remove(package)

    def _mark_garbage(self) -> None:
        unneeded = narrowed(self.installed, lambda query: query.filter_unneeded())
        self.garbage = {self.host.key(package) for package in unneeded}
        for package in unneeded:
            self.goal.add_rpm_remove(package)

    def _mark_updates(self) -> None:
        if not self.order["security_only"]:
            self.goal.add_rpm_upgrade()
            return
        for package in self.fixes(self.visible()):
            self.goal.add_rpm_upgrade(package)

    def visible(self) -> Any:
        """What nothing excludes."""
        return PackageQuery(self.base)

    def fixes(self, query: Any) -> list[Any]:
        """The newest version of each package that a security advisory names, or, where the repositories have that no more,
        the oldest after it."""
        found = {self.host.key(p): p for p in by_age(self.advised(query, QueryCmp_EQ))}
        for package in by_age(self.advised(query, QueryCmp_GTE)):
            found.setdefault(self.host.key(package), package)
        return list(found.values())

    def advised(self, query: Any, comparison: Any) -> Any:
        """The updates that are (EQ) the version that a security advisory names, or are that or later (GTE)."""
        advisories = AdvisoryQuery(self.base)
        advisories.filter_type("security")
        upgrades = narrowed(query, lambda query: query.filter_upgrades())
        upgrades.filter_advisories(advisories, comparison)
        return upgrades

    def _mark_named(self) -> None:
        problems = {spelled(spec): self._mark_one(spec) for spec in self.order["packages"]}
        wrong = {name: problem for name, problem in problems.items() if problem}
        if wrong:
            raise Refused("not-found", "; ".join(wrong.values()), wrong)

    def _mark_one(self, spec: dict[str, Any]) -> str:
        """What is wrong with it; empty for nothing."""
        present = self._of(spec, self.installed)
        available = self._of(spec, narrowed(self.visible(), lambda query: query.filter_available()))
        if spec["version"]:
            return self._mark_version(spec, present, available)
        if available.empty():
            return "" if not present.empty() else self._missing(spec)
        if present.empty():
            self.goal.add_rpm_install(available)
        else:
            self.goal.add_rpm_upgrade(available)
        return ""

    def _mark_version(self, spec: dict[str, Any], present: Any, available: Any) -> str:
        version = spec["version"]
        if any(package.get_evr() == version for package in present):
            return ""
        target = [package for package in by_age(available) if package.get_evr() == version]
        if not target:
            return self._missing_version(spec, available)
        if not present.empty() and age(by_age(present)[-1]) < age(target[-1]):
            self.goal.add_rpm_upgrade(target[-1])
        else:
            self.goal.add_rpm_install(target[-1])
        return ""

    def _of(self, spec: dict[str, Any], query: Any) -> Any:
        """The packages that are meant; without an architecture the host's own ones, if there are any."""
        found = narrowed(query, lambda query: query.filter_name(spec["name"]))
        found.filter_arch(["src", "nosrc"], QueryCmp_NEQ)
        if spec["arch"]:
            found.filter_arch(spec["arch"])
            return found
        native = narrowed(found, lambda query: query.filter_arch([self.host.arch, "noarch"]))
        return found if native.empty() else native

    def _missing(self, spec: dict[str, Any]) -> str:
        hidden = narrowed(self.everything, lambda query: query.filter_available())
        return missing(spec, excluded=not self._of(spec, hidden).empty())

    def _missing_version(self, spec: dict[str, Any], available: Any) -> str:
        there = [package.get_evr() for package in by_age(available)]
        return missing_version(spec, there) if there else self._missing(spec)


def narrowed(query: Any, narrow: Any) -> Any:
    """A copy with one filter more."""
    copy = PackageQuery(query)
    narrow(copy)
    return copy


def by_age(packages: Any) -> list[Any]:
    """Older versions before newer."""
    return sorted(packages, key=age)


def age(package: Any) -> Any:
    return rpmdb.age(package.get_epoch(), package.get_version(), package.get_release())


def _solved(transaction: Any) -> bool:
    return bool(transaction.get_problems() == libdnf5_base.GoalProblem_NO_PROBLEM)


def _hide(base: Any, excluded: tuple[str, ...]) -> Any:
    """Hide what the main configuration excludes, and return all that there is, hidden or not (but for what a repository's own
    settings exclude)."""
    sack = base.get_rpm_package_sack()
    locked = sack.get_versionlock_excludes()
    sack.clear_versionlock_excludes()
    everything = PackageQuery(base)
    sack.set_versionlock_excludes(locked)
    settings = libdnf5_base.ResolveSpecSettings()
    settings.set_with_provides(False)
    settings.set_with_filenames(False)
    settings.set_with_binaries(False)
    for pattern in excluded:
        hidden = PackageQuery(everything)
        hidden.resolve_pkg_spec(pattern, settings, True)
        sack.add_user_excludes(hidden)
    return everything
