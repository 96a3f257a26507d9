"""What one dnf can do with what is known of the host and its repositories; each dnf has its own way to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from . import rpmdb
from .chosen import Chosen


class Package(NamedTuple):
    """`version`: epoch:version-release, the epoch only where it is not 0; `raw`: the library's own."""

    name: str
    arch: str
    version: str
    repo: str
    raw: Any

    @property
    def age(self) -> Any:
        """To sort by: older versions before newer."""
        return rpmdb.age(*rpmdb.split_version(self.version))


class Item(NamedTuple):
    """One package of a transaction. `needed`: it came for another's sake; `garbage`: nothing needs it any more; `replaced`:
    another stands in for it, or another version of it."""

    package: Package
    action: str
    needed: bool
    garbage: bool
    replaced: bool


class Library(ABC):
    """Lists of packages have older versions before newer. `hidden`: with what excludes and version locks hide."""

    @property
    @abstractmethod
    def conf(self) -> Any:
        """dnf's main configuration, whose options have the same names in every dnf."""

    # --- looking ---

    @abstractmethod
    def installed(self, name: str) -> list[Package]: ...

    @abstractmethod
    def available(self, name: str, *, hidden: bool) -> list[Package]: ...

    @abstractmethod
    def updates(self, *, hidden: bool) -> list[Package]:
        """Newer versions of what is installed."""

    @abstractmethod
    def advised(self, chosen: Chosen, *, hidden: bool, later: bool) -> list[Package]:
        """Those updates that the chosen advisories name; `later`: and all newer ones."""

    @abstractmethod
    def has_advisory(self, name: str) -> bool:
        """By its id, or as one about this CVE."""

    @abstractmethod
    def advisories(self, before: Package, after: Package) -> list[dict[str, Any]]:
        """Those about what lies between two versions of a package, as they are told: id, kind, severity, title, cves."""

    @abstractmethod
    def unneeded(self) -> list[Package]: ...

    @abstractmethod
    def is_one_of_several(self, package: Package) -> bool:
        """Whether it may be there in several versions, as kernels."""

    # --- groups ---

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """Every group of the repositories, and those that are installed and in no repository any more."""

    @abstractmethod
    def members(self, groups: Collection[str]) -> set[str]:
        """The names of the packages of these groups, by the repositories and by what dnf has down."""

    # --- marking, for the next solution ---

    @abstractmethod
    def reset(self) -> None:
        """Take all marks back."""

    @abstractmethod
    def install(self, packages: Sequence[Package]) -> None:
        """One of these."""

    @abstractmethod
    def install_anew(self, package: Package) -> None:
        """What is installed in the same version."""

    @abstractmethod
    def upgrade(self, packages: Sequence[Package]) -> None:
        """To one of these."""

    @abstractmethod
    def upgrade_all(self) -> None: ...

    @abstractmethod
    def remove(self, package: Package) -> None: ...

    @abstractmethod
    def install_groups(self, groups: Sequence[str]) -> bool:
        """Whether dnf has anything to write down. Raises `not-found` with the groups that no repository has."""

    @abstractmethod
    def remove_groups(self, groups: Sequence[str]) -> bool:
        """Whether dnf has anything to write down. A group that is not installed is removed already."""

    @abstractmethod
    def lift(self, names: Collection[str]) -> None:
        """Make what hides these packages hide them no more, but for what a repository's own settings hide."""

    # --- the transaction ---

    @abstractmethod
    def solve(self, *, erasing: bool) -> None:
        """Raises `dependency`. `erasing`: others may be removed for it."""

    @abstractmethod
    def items(self) -> list[Item]: ...
