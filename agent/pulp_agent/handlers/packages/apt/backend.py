"""The apt back end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import msgspec

from pulp.rmi.interfaces import Change, ConfigFile, PackageSpec, Policy
from pulp.rmi.reports import Group
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.apt import config, dpkg, plan, reboot
from pulp_agent.handlers.packages.apt.command import (
    config_file_environment,
    config_file_options,
    reinstallation,
    simulation,
    transaction,
    word,
)
from pulp_agent.handlers.packages.apt.lacks import LACKS
from pulp_agent.handlers.packages.apt.preferences import security_preferences
from pulp_agent.handlers.packages.apt.runner import Runner
from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.apt.text import problem
from pulp_agent.handlers.packages.base import (
    Ability,
    Key,
    NotFound,
    Operation,
    PackageState,
    Plan,
    Report,
    Request,
    State,
)
from pulp_agent.handlers.packages.policy import check_policy, name_list
from pulp_agent.handlers.packages.run import Run

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""Debian policy 5.6.1."""
_HOLD_TIMEOUT = 60.0  # s


class AptBackend:
    """`base.Backend` for Debian and its like. Make a new one for each call: it remembers apt's configuration."""

    name = "apt"
    lacks = LACKS

    def __init__(self, settings: AptSettings) -> None:
        self._settings = settings
        self._env = config.environment(settings.apt_config)
        self._runner = Runner(settings, self._env)
        self._fixes: dict[Key, Change] | None = None

    @cached_property
    def _config(self) -> config.AptConfig:
        return config.load(self._env, self._settings.root)

    # --- reading ---

    def key(self, spec: PackageSpec) -> Key:
        return dpkg.key(spec.name, spec.arch, self._config)

    def state(self) -> State:
        return dpkg.state(self._config, self._env)

    def inventory(self) -> list[PackageState]:
        return list(self.state().values())

    def groups(self, run: Run) -> list[Group]:
        raise HandlerError("unsupported", LACKS[Ability.GROUPS])

    def has_metadata(self) -> bool:
        lists = self._config.lists
        return lists.is_dir() and any("_Packages" in entry.name for entry in lists.iterdir())

    def needs_repair(self) -> bool:
        return dpkg.journal_dirty(self._config)

    def history_mark(self) -> int:
        return dpkg.log_size(self._config)

    def config_files(self, mark: int) -> list[ConfigFile]:
        return dpkg.config_files(self._config, mark)

    def reboot_reasons(self, changes: Sequence[Change]) -> list[str]:
        return reboot.reboot_reasons(changes, self._settings.root, self._env)

    # --- before the commit ---

    def refresh(self, run: Run) -> None:
        self._fixes = None
        # without Error-Mode apt-get ends with 0 when every server is down
        arguments = ["-q", "-o", "APT::Update::Error-Mode=any", "update"]
        limit = self._settings.refresh_timeout
        try:
            self._runner.stoppable(arguments, run, phase="refresh", limit=limit, env={})
        except HandlerError as error:
            if error.code == "timeout" and run.job.remaining() > 0:
                raise HandlerError(
                    "fetch", f"the repositories took longer than {limit:g} s"
                ) from error
            raise

    def plan(self, request: Request, state: State, run: Run) -> Plan:
        words = self._words(request, state)
        if request.operation is Operation.REMOVE and not words:
            return Plan()
        if request.operation in (Operation.INSTALL, Operation.UPDATE):
            self._check_names(request.packages)
        result = self._simulate(request, state, words, run, autoremove=False)
        if request.policy.autoremove:
            check_policy(result, request, state)
            cleaned = self._simulate(request, state, words, run, autoremove=True)
            result = _with_garbage(result, cleaned)
        return replace(result, changes=self._with_security(result.changes, run))

    def _with_security(self, changes: Mapping[Key, Change], run: Run) -> dict[Key, Change]:
        """A newer version from elsewhere mends what the security suites' version mends; apt tells of neither."""
        unmarked = {k for k, c in changes.items() if c.action == "upgrade" and not c.security}
        fixes = self._known_fixes(run) if unmarked else {}
        mended = {k for k in unmarked & fixes.keys() if self._reaches(changes[k], fixes[k])}
        return {
            key: msgspec.structs.replace(change, security=True) if key in mended else change
            for key, change in changes.items()
        }

    def _known_fixes(self, run: Run) -> dict[Key, Change]:
        """What the security suites have for this host, asked once for each state of its metadata and packages."""
        if self._fixes is None:
            every = Request(
                operation=Operation.UPDATE_ALL, policy=Policy(allow_held=True), security_only=True
            )
            self._fixes = self._simulate(every, {}, (), run, autoremove=False).changes
        return self._fixes

    def _reaches(self, change: Change, fix: Change) -> bool:
        return dpkg.is_at_least(change.to or "", fix.to or "", self._env)

    def download(self, request: Request, run: Run) -> None:
        self._runner.stoppable(
            self._transaction(request, run, download_only=True),
            run,
            phase="download",
            limit=self._settings.download_timeout,
            env={},
        )

    # --- the commit ---

    def commit(self, request: Request, run: Run) -> Report:
        self._fixes = None
        return self._runner.transaction(
            self._transaction(request, run, download_only=False),
            run,
            limit=self._commit_limit(run),
            env=config_file_environment(request.policy),
        )

    def repair(self, request: Request, run: Run) -> Report:
        options = [*self._config.dpkg_options, *config_file_options(request.policy)]
        limit = max(self._commit_limit(run), self._settings.leftover_timeout)
        report = self._runner.configure(options, run, limit=limit)
        broken = [package for package in self.state().values() if package.broken]
        if broken:
            words = [_word(package, version=package.version) for package in broken]
            arguments = reinstallation(request.policy, words)
            env = config_file_environment(request.policy)
            again = self._runner.transaction(arguments, run, limit=limit, env=env)
            report = replace(again, errors=report.errors | again.errors)
        incomplete = {p.name for p in self.state().values() if not p.complete}
        errors = {name: why for name, why in report.errors.items() if name in incomplete}
        return replace(report, errors=errors)

    def settle(self, run: Run) -> None:
        self._runner.settle(run)

    def hold(self, packages: Sequence[PackageState], run: Run) -> None:
        names = list(map(_word, packages))
        try:
            done = subprocess.run(
                ["apt-mark", "hold", *names],
                check=False,
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_HOLD_TIMEOUT,
            )
        except subprocess.TimeoutExpired as error:
            raise HandlerError(
                "internal", f"apt-mark took longer than {_HOLD_TIMEOUT:g} s"
            ) from error
        if done.returncode != 0:
            raise problem(done.stderr)

    # --- inside ---

    def _commit_limit(self, run: Run) -> float:
        return max(0.0, min(self._settings.commit_timeout, run.job.remaining()))

    def _words(self, request: Request, state: State) -> list[str]:
        """What to name to apt-get. An absent package is removed already, and apt-get fails on names it never heard of."""
        if request.operation is Operation.REMOVE:
            present = [spec for spec in request.packages if self.key(spec) in state]
            return [word(msgspec.structs.replace(spec, version=None)) for spec in present]
        return [word(spec) for spec in request.packages]

    def _check_names(self, packages: Sequence[PackageSpec]) -> None:
        """apt-get takes what is no package's name for a pattern, a suffix (`name-` removes), a file or an option; so nothing
        reaches it that is not a package's name, exactly."""
        known = set(config.read(["apt-cache", "pkgnames"], self._env).split())
        wrong = [s.name for s in packages if not _NAME.fullmatch(s.name) or s.name not in known]
        if wrong:
            raise NotFound(wrong, f"this host's repositories have no {name_list(wrong)}")
        archs = {self._config.architecture, *self._config.foreign, "all", None}
        foreign = [f"{s.name}:{s.arch}" for s in packages if s.arch not in archs]
        if foreign:
            raise NotFound(foreign, f"{name_list(foreign)}: not an architecture of this host")

    def _simulate(
        self, request: Request, state: State, words: Sequence[str], run: Run, *, autoremove: bool
    ) -> Plan:
        told = run.spool / "plan.jsonl"
        told.unlink(missing_ok=True)
        arguments = simulation(
            request, words, preferences=self._preferences(request, run), autoremove=autoremove
        )
        try:
            text = self._runner.stoppable(
                [*plan.hook_options(), *arguments],
                run,
                phase="plan",
                limit=self._settings.plan_timeout,
                env={"PULP_PLAN": str(told)},
            )
        except HandlerError as error:
            unknown = plan.unknown(plan.read_messages(told))
            if unknown and error.code == "not-found":
                names = name_list(unknown)
                raise NotFound(unknown, f"this host's repositories have no {names}") from error
            raise
        asked = frozenset(map(self.key, request.packages))
        labels = self._settings.security_labels
        return Plan(
            changes=plan.changes(plan.read_messages(told), asked, labels),
            kept_back=plan.kept_back(text, state),
        )

    def _transaction(self, request: Request, run: Run, *, download_only: bool) -> list[str]:
        words = self._words(request, self.state())
        preferences = self._preferences(request, run)
        return transaction(request, words, preferences=preferences, download_only=download_only)

    def _preferences(self, request: Request, run: Run) -> str | None:
        if not request.security_only:
            return None
        path = run.spool / "security.pref"
        path.write_text(
            security_preferences(
                self._settings.security_labels,
                self._config.preferences,
                self._config.preferences_parts,
            )
        )
        return str(path)


def _word(package: PackageState, version: str | None = None) -> str:
    return word(PackageSpec(name=package.name, arch=package.arch, version=version))


def _with_garbage(plain: Plan, cleaned: Plan) -> Plan:
    """The plan with autoremoval: what it removes beyond the plain one is marked automatic, and needs no leave of the policy."""
    garbage = {
        key: msgspec.structs.replace(change, automatic=True)
        for key, change in cleaned.changes.items()
        if change.action == "remove" and key not in plain.changes
    }
    return replace(cleaned, changes={**cleaned.changes, **garbage})
