"""From an order to dnf's transaction: marks what is asked for in a Base, and resolves it."""

from __future__ import annotations

from typing import Any, Optional

import dnf.exceptions
import dnf.selector
import dnf.subject
import hawkey

from . import advisories, groups
from .host import Host
from .refused import Refused
from .wants import missing, missing_version, spelled


class Planning:
    """`order`: the request as the agent tells it. dnf's own reading of names is not used: it takes patterns, provides, files
    and groups. Packages are looked up by their exact names."""

    def __init__(self, host: Host, base: Any, order: dict[str, Any]) -> None:
        self.host = host
        self.base = base
        self.order = order
        self.policy: dict[str, Any] = order["policy"]
        self.everything = base.sack.query(flags=hawkey.IGNORE_EXCLUDES)
        self.installed = self.everything.installed().apply()
        self.held = {p["name"] for p in host.state()["packages"].values() if p["held"]}
        self.garbage: set[str] = set()
        """Keys of the packages that nothing needs any more and that are removed for it."""
        self.records = False
        """Whether dnf has something to write down about groups, be there packages to change or not."""
        self.members = groups.members(base, order["groups"]) if order["groups"] else set()
        """Names of the packages of the groups that are asked for."""
        self.chosen = advisories.Chosen(order)
        self.brought: list[Any] = []
        """The advisories that the told changes bring."""
        self.removal = order["operation"] in ("remove", "remove_group")

    def resolve(self) -> None:
        """Raises `dependency`, or `not-found` with names."""
        conf = self.base.conf
        # an update of everything keeps back what cannot be updated; what is named is to be had at its best, or not
        conf.best = self.order["operation"] != "update_all"
        conf.clean_requirements_on_remove = self.policy["autoremove"]
        if self.policy["recommends"] == "no":
            conf.install_weak_deps = False
        if self.policy["allow_held"]:
            self._attempt(lift=True)
            return
        try:
            self._attempt(lift=False)
        except dnf.exceptions.DepsolveError:
            if not self.held:
                raise
            self._tell_holds()
        else:
            if self.held.intersection(self._named()):
                self._tell_holds()

    def _named(self) -> set[str]:
        """What is to be changed by its name, or goes with its group. A group's installation leaves alone what is held."""
        names = {spec["name"] for spec in self.order["packages"]}
        return names | self.members if self.removal else names

    def _tell_holds(self) -> None:
        """Plan without the holds, so that the policy refuses by name what is on hold and would have to change."""
        self.base.reset(goal=True)
        self._attempt(lift=True)

    def _attempt(self, *, lift: bool) -> None:
        if lift:
            self._lift()
        self._mark()
        try:
            self.base.resolve(allow_erasing=self.removal)
        except dnf.exceptions.DepsolveError:
            if self.removal or not self.order["allow_erasing"]:
                raise
            self.base.reset(goal=True)
            self._mark()
            self.base.resolve(allow_erasing=True)

    def _lift(self) -> None:
        """Make all versions of held packages visible again, but for what a repository's own excludes hide."""
        sack = self.base.sack
        sack.remove_excludes(self.everything.filter(name=list(self.held)))
        for repo in self.base.repos.iter_enabled():
            for pattern in set(repo.excludepkgs):
                subject = dnf.subject.Subject(pattern)
                hidden = subject.get_best_query(sack, with_provides=False, with_filenames=False)
                sack.add_excludes(hidden.filterm(reponame=repo.id))

    # --- marking ---

    def _mark(self) -> None:
        operation = self.order["operation"]
        if operation == "remove":
            self._mark_removals()
        elif operation == "update_all":
            self._mark_updates()
        elif operation == "install_group":
            self.records = groups.mark_installation(self.base, self.order["groups"])
        elif operation == "remove_group":
            self.records = groups.mark_removal(self.base, self.order["groups"])
        else:
            self._mark_named()
        if self.policy["autoremove"]:
            self._mark_garbage()

    def _mark_removals(self) -> None:
        for spec in self.order["packages"]:
            for package in self._of(spec, self.installed):
                self.base.goal.erase(package, clean_deps=self.policy["autoremove"])

    def _mark_garbage(self) -> None:
        unneeded = self.base.sack.query()._unneeded(self.base.history.swdb, debug_solver=False)
        self.garbage = {self.host.key(package) for package in unneeded}
        for package in unneeded:
            self.base.goal.erase(package)

    def _mark_updates(self) -> None:
        unknown = self.chosen.unknown(self.everything)
        if unknown:
            message = f"this host's repositories have no advisory on {', '.join(unknown)}"
            raise Refused("not-found", message, unknown)
        if not self.chosen:
            self.base.upgrade_all()
            return
        for package in self.fixes(self.base.sack.query()):
            self.base.package_upgrade(package)

    def fixes(self, query: Any) -> list[Any]:
        """The newest version of each package that one of the chosen advisories names, or, where the repositories have that no
        more, the oldest after it."""
        upgrades = query.upgrades().apply()
        found = {self.host.key(package): package for package in sorted(self.chosen.named(upgrades))}
        for package in sorted(self.chosen.named(upgrades, "__eqg")):
            if self.host.key(package) not in found and self._is_fix(package):
                found[self.host.key(package)] = package
        return list(found.values())

    def _is_fix(self, package: Any) -> bool:
        """Whether what is installed lacks one of the chosen advisories that this version has."""
        before = self.before(package)
        return before is not None and any(map(self.chosen.has, advisories.brought(before, package)))

    def before(self, package: Any) -> Optional[Any]:
        """The newest version that is installed in the place of this one."""
        key = self.host.key(package)
        same = self.installed.filter(name=package.name)
        return max((p for p in same if self.host.key(p) == key), default=None)

    def _mark_named(self) -> None:
        problems = {spelled(spec): self._mark_one(spec) for spec in self.order["packages"]}
        wrong = {name: problem for name, problem in problems.items() if problem}
        if wrong:
            raise Refused("not-found", "; ".join(wrong.values()), wrong)

    def _mark_one(self, spec: dict[str, Any]) -> str:
        """What is wrong with it; empty for nothing."""
        present = self._of(spec, self.installed)
        available = self._of(spec, self.base.sack.query().available())
        version: Optional[str] = spec["version"]
        if version:
            return self._mark_version(spec, version, present, available)
        if not available:
            return "" if present else self._missing(spec)
        if present and self.chosen:
            for package in self.fixes(available.union(present)):
                self.base.package_upgrade(package)
        elif present:
            # with the installed version beside the others, libsolv does not put the same one in once more
            self.base.goal.upgrade(select=self._select(available.union(present.latest())))
        else:
            self.base.goal.install(select=self._select(available), optional=False)
        return ""

    def _mark_version(
        self, spec: dict[str, Any], version: str, present: Any, available: Any
    ) -> str:
        if present.filter(evr=version):
            return ""
        target = available.filter(evr=version)
        if not target:
            return self._missing_version(spec, available)
        if present and sorted(present)[-1] < sorted(target)[-1]:
            self.base.goal.upgrade(select=self._select(target))
        else:
            self.base.goal.install(select=self._select(target), optional=False)
        return ""

    def _of(self, spec: dict[str, Any], query: Any) -> Any:
        """The packages that are meant; without an architecture the host's own ones, if there are any."""
        found = query.filter(name=spec["name"], arch__neq=["src", "nosrc"])
        if spec["arch"]:
            return found.filter(arch=spec["arch"])
        native = found.filter(arch=[self.host.arch, "noarch"])
        return native if native else found

    def _select(self, query: Any) -> Any:
        selector = dnf.selector.Selector(self.base.sack)
        selector.set(pkg=query)
        return selector

    def _missing(self, spec: dict[str, Any]) -> str:
        return missing(spec, excluded=bool(self._of(spec, self.everything.available())))

    def _missing_version(self, spec: dict[str, Any], available: Any) -> str:
        there = [package.evr for package in sorted(available)]
        return missing_version(spec, there) if there else self._missing(spec)
