"""From an order to dnf's transaction: marks what is asked for, and has it solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from .chosen import Chosen
from .library import Library, Package
from .refused import Refused
from .root import Root
from .wants import missing, missing_version, spelled

_SOURCES = ("src", "nosrc")


class Planning:
    """`order`: the request as the agent tells it; `held`: the names of what is on hold. dnf's own reading of names is not used:
    it takes patterns, provides, files and groups. Packages are looked up by their exact names."""

    def __init__(self, root: Root, library: Library, order: dict[str, Any], held: set[str]) -> None:
        self.library = library
        self.order = order
        self.held = held
        self.policy: dict[str, Any] = order["policy"]
        self.removal = order["operation"] in ("remove", "remove_group")
        self.chosen = Chosen(order)
        self.members = library.members(order["groups"]) if order["groups"] else set()
        """Names of the packages of the groups that are asked for."""
        self.garbage: set[str] = set()
        """Keys of the packages that nothing needs any more and that are removed for it."""
        self.records = False
        """Whether dnf has something to write down about groups, be there packages to change or not."""
        self._root = root

    def key(self, package: Package) -> str:
        return self._root.key_of(package.name, package.arch)

    def before(self, package: Package) -> Optional[Package]:
        """The newest version that is installed in the place of this one."""
        same = self.library.installed(package.name)
        return next((p for p in reversed(same) if self.key(p) == self.key(package)), None)

    # --- solving ---

    def resolve(self) -> None:
        """Raises `dependency`, or `not-found` with names."""
        conf = self.library.conf
        # an update of everything keeps back what cannot be updated; what is named is to be had at its best, or not
        conf.best = self.order["operation"] != "update_all"
        conf.clean_requirements_on_remove = self.policy["autoremove"]
        if self.policy["recommends"] == "no":
            conf.install_weak_deps = False
        if self.policy["allow_held"]:
            self._attempt_lifted()
            return
        try:
            self._attempt()
        except Refused as error:
            if error.code != "dependency" or not self.held:
                raise
            self._attempt_lifted()
        else:
            if self.held.intersection(self._named()):
                self._attempt_lifted()

    def _named(self) -> set[str]:
        """What is to be changed by its name, or goes with its group. A group's installation leaves alone what is held."""
        names = {spec["name"] for spec in self.order["packages"]}
        return names | self.members if self.removal else names

    def _attempt_lifted(self) -> None:
        """Plan without the holds; if they must stay, the policy refuses by name what is on hold and would have to change."""
        self.library.lift(self.held)
        self._attempt()

    def _attempt(self) -> None:
        try:
            self._solve(erasing=self.removal)
        except Refused as error:
            if error.code != "dependency" or self.removal or not self.order["allow_erasing"]:
                raise
            self._solve(erasing=True)

    def _solve(self, *, erasing: bool) -> None:
        self.library.reset()
        self._mark()
        self.library.solve(erasing=erasing)

    # --- marking ---

    def _mark(self) -> None:
        operation, groups = self.order["operation"], self.order["groups"]
        if operation == "remove":
            self._mark_removals()
        elif operation == "update_all":
            self._mark_updates()
        elif operation == "install_group":
            self.records = self.library.install_groups(groups)
        elif operation == "remove_group":
            self.records = self.library.remove_groups(groups)
        else:
            self._mark_named()
        if self.policy["autoremove"]:
            self._mark_garbage()

    def _mark_removals(self) -> None:
        for spec in self.order["packages"]:
            for package in self._meant(spec, self.library.installed(spec["name"])):
                self.library.remove(package)

    def _mark_garbage(self) -> None:
        unneeded = self.library.unneeded()
        self.garbage = set(map(self.key, unneeded))
        for package in unneeded:
            self.library.remove(package)

    def _mark_updates(self) -> None:
        unknown = [one for one in self.chosen.asked if not self.library.has_advisory(one)]
        if unknown:
            message = f"this host's repositories have no advisory on {', '.join(unknown)}"
            raise Refused("not-found", message, unknown)
        if not self.chosen:
            self.library.upgrade_all()
            return
        for package in self.fixes(hidden=False):
            self.library.upgrade([package])

    def fixes(self, *, hidden: bool) -> list[Package]:
        """The newest version of each package that one of the chosen advisories names, or, where the repositories have that no
        more, the oldest after it."""
        exact = self.library.advised(self.chosen, hidden=hidden, later=False)
        found = {self.key(package): package for package in exact}
        for package in self.library.advised(self.chosen, hidden=hidden, later=True):
            if self.key(package) not in found and self._is_fix(package):
                found[self.key(package)] = package
        return list(found.values())

    def _is_fix(self, package: Package) -> bool:
        """Whether what is installed lacks one of the chosen advisories that this version has."""
        before = self.before(package)
        return before is not None and any(
            map(self.chosen.has, self.library.advisories(before, package))
        )

    def _mark_named(self) -> None:
        problems = {spelled(spec): self._mark_one(spec) for spec in self.order["packages"]}
        wrong = {name: problem for name, problem in problems.items() if problem}
        if wrong:
            raise Refused("not-found", "; ".join(wrong.values()), wrong)

    def _mark_one(self, spec: dict[str, Any]) -> str:
        """What is wrong with it; empty for nothing."""
        present = self._meant(spec, self.library.installed(spec["name"]))
        available = self._meant(spec, self.library.available(spec["name"], hidden=False))
        if spec["version"]:
            return self._mark_version(spec, present, available)
        if not available:
            return "" if present else self._missing(spec)
        if present and self.chosen:
            for package in self._meant(spec, self.fixes(hidden=False)):
                self.library.upgrade([package])
        elif present:
            # with the installed version beside the others, libsolv does not put the same one in once more
            self.library.upgrade([*available, present[-1]])
        else:
            self.library.install(available)
        return ""

    def _mark_version(
        self, spec: dict[str, Any], present: Sequence[Package], available: Sequence[Package]
    ) -> str:
        version = spec["version"]
        if any(package.version == version for package in present):
            return ""
        target = [package for package in available if package.version == version]
        if not target:
            return self._missing_version(spec, available)
        if present and present[-1].age < target[-1].age:
            self.library.upgrade(target)
        else:
            self.library.install(target)
        return ""

    def _meant(self, spec: dict[str, Any], packages: Sequence[Package]) -> list[Package]:
        """Without an architecture the host's own ones, if there are any."""
        found = [p for p in packages if p.name == spec["name"] and p.arch not in _SOURCES]
        if spec["arch"]:
            return [package for package in found if package.arch == spec["arch"]]
        native = [package for package in found if package.arch in (self._root.arch, "noarch")]
        return native or found

    def _missing(self, spec: dict[str, Any]) -> str:
        hidden = self._meant(spec, self.library.available(spec["name"], hidden=True))
        return missing(spec, excluded=bool(hidden))

    def _missing_version(self, spec: dict[str, Any], available: Sequence[Package]) -> str:
        there = [package.version for package in available]
        return missing_version(spec, there) if there else self._missing(spec)
