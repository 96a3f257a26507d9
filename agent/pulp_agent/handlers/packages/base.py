"""What every package back end gets and owes: the values of package work and the `Backend` interface.

A back end (apt, dnf; zypper would be one more module) knows its tools. The order of the steps, the policy, the retries
and the judgement of what was done are the same for all and live in `execution`, `policy` and `changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from pulp.rmi.interfaces import (
    DEFAULT_POLICY,
    Change,
    ConfigFile,
    KeptBack,
    PackageSpec,
    Policy,
)
from pulp.rmi.reports import Advisory, Group
from pulp_agent.handlers.base import HandlerError

if TYPE_CHECKING:
    from pulp_agent.handlers.packages.run import Run


class Operation(Enum):
    INSTALL = "install"
    UPDATE = "update"
    REMOVE = "remove"
    UPDATE_ALL = "update_all"
    INSTALL_GROUP = "install_group"
    REMOVE_GROUP = "remove_group"
    REPAIR = "repair"

    @property
    def removes(self) -> bool:
        return self in (Operation.REMOVE, Operation.REMOVE_GROUP)


class Ability(Enum):
    """What not every package system has."""

    GROUPS = "groups"
    ADVISORIES = "advisories"
    MINIMAL = "minimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for. `packages` is for the operations on named packages and `groups` for those on groups; UPDATE_ALL alone
    knows `security_only` and `advisories` (ids of advisories and of CVEs), of which a request has one at most."""

    operation: Operation
    packages: tuple[PackageSpec, ...] = ()
    groups: tuple[str, ...] = ()
    policy: Policy = DEFAULT_POLICY
    dry_run: bool = False
    security_only: bool = False
    advisories: tuple[str, ...] = ()


Key = str
"""`name:slot`. A slot is an architecture; what is of every architecture (`all`, `noarch`) sits in the host's own slot, so that
a package keeps its key when a new version changes between the two."""


class PackageState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One package that is on the host, wholly or in part. `status` is the package system's own word; `broken`: its files may be
    incomplete, and only installing it anew helps."""

    name: str
    arch: str
    version: str
    status: str = "installed"
    held: bool = False
    broken: bool = False

    @property
    def complete(self) -> bool:
        return self.status == "installed"


State = dict[Key, PackageState]
"""Every package on the host; an absent package has no entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    changes: dict[Key, Change] = field(default_factory=dict)
    kept_back: tuple[KeptBack, ...] = ()
    replaced: frozenset[Key] = frozenset()
    """Removals that need no leave: the packages' makers say that a planned one stands in for them (rpm's Obsoletes)."""
    advisories: tuple[Advisory, ...] = ()
    """Those that the changes name."""
    records: bool = False
    """The package system has something to write down even if no package changes: that a group is installed, or no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a tool said while it changed the host: for the wording of errors, never for the verdict.

    `errors` maps a package's name to what went wrong with it; `code` and `message` stand for the tool's failure as a whole.
    """

    errors: dict[str, str] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    timed_out: bool = False


class NotFound(HandlerError):
    """`not-found`, with the names that the repositories (or, for an update, the host) do not have."""

    def __init__(self, names: Sequence[str], message: str) -> None:
        super().__init__("not-found", message)
        self.names = tuple(names)


class Source(Protocol):
    """The part of a package system's back end that changes no package: what is there, and what can be had.

    Every method raises `HandlerError` with a code of `PACKAGE_ERRORS`: `locked` and `fetch` mean that the step may be tried
    again as it is, `interrupted` that `repair` comes first. None of them waits for locks by itself.
    """

    @property
    def name(self) -> str: ...

    def key(self, spec: PackageSpec) -> Key:
        """Where `spec` stands in a State; without an architecture it means the host's own."""

    def state(self) -> State: ...

    def has_metadata(self) -> bool:
        """Whether the host has repository metadata to plan with, be it old."""

    def refresh(self, run: Run) -> None:
        """Fetch the repositories' metadata."""

    def plan(self, request: Request, state: State, run: Run) -> Plan:
        """What would be done. Changes nothing and takes no lock. `not-found` names what the repositories do not have."""

    def download(self, request: Request, run: Run) -> None:
        """Fetch what the plan needs; the last step that may be canceled. A later process's `commit` finds it where it is left,
        whole or in part; this one may be killed at any moment."""


class Backend(Source, Protocol):
    """One package system."""

    @property
    def lacks(self) -> Mapping[Ability, str]:
        """What this package system does not have, each with the sentence that refuses it and says what to do instead."""

    def inventory(self) -> list[PackageState]:
        """Every package, and each version of those that may be there in several (kernels, on rpm's hosts); a State has the
        newest."""

    def groups(self, run: Run) -> list[Group]:
        """The package groups that the repositories have or that are installed, by what is known of the repositories. Not
        called where `lacks` has GROUPS."""

    def settle(self, run: Run) -> None:
        """Wait until nothing runs any more of what an earlier process of this execution started."""

    def needs_repair(self) -> bool:
        """Whether an earlier transaction was cut off."""

    def repair(self, request: Request, run: Run) -> Report:
        """Finish a transaction that was cut off. Not to be canceled."""

    def commit(self, request: Request, run: Run) -> Report:
        """Change the host. It is never stopped; past the time limit the scripts that hang are ended."""

    def hold(self, packages: Sequence[PackageState], run: Run) -> None:
        """Keep these packages at their versions."""

    def history_mark(self) -> int:
        """Where the package system's own history stands, for `config_files`."""

    def config_files(self, mark: int) -> list[ConfigFile]:
        """What was decided about changed configuration files since `mark`."""

    def reboot_reasons(self, changes: Sequence[Change]) -> list[str]:
        """What takes effect only with a restart of the host: packages, or sentences. Empty: it needs none. `changes`: what
        was just done, if anything."""
