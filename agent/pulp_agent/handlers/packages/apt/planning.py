"""From a request to apt's plan: what to name to apt-get, its simulations, and which upgrades mend security."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from pulp.rmi.interfaces import Change, PackageSpec, Policy
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.apt import config, dpkg, plan
from pulp_agent.handlers.packages.apt.command import simulation, word
from pulp_agent.handlers.packages.apt.preferences import security_preferences
from pulp_agent.handlers.packages.apt.runner import Runner
from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.base import Key, NotFound, Operation, Plan, Request, State
from pulp_agent.handlers.packages.policy import check_policy, name_list
from pulp_agent.handlers.packages.run import Run

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""Debian policy 5.6.1."""
_EVERY_FIX = Request(
    operation=Operation.UPDATE_ALL, policy=Policy(allow_held=True), security_only=True
)


class Planning:
    """For one call: it remembers what the security suites have, until it is told to forget it."""

    def __init__(
        self,
        settings: AptSettings,
        env: Mapping[str, str],
        known: config.AptConfig,
        runner: Runner,
    ) -> None:
        self._settings = settings
        self._env = env
        self._config = known
        self._runner = runner
        self._fixes: dict[Key, Change] | None = None

    def forget(self) -> None:
        """Metadata or packages are others now."""
        self._fixes = None

    def plan(self, request: Request, state: State, run: Run) -> Plan:
        words = self.words(request, state)
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
            try:
                self._fixes = self._simulate(_EVERY_FIX, {}, (), run, autoremove=False).changes
            except HandlerError as error:
                if error.code in ("canceled", "timeout"):
                    raise
                run.note(f"which updates mend security is not known: {error}")
                self._fixes = {}
        return self._fixes

    def _reaches(self, change: Change, fix: Change) -> bool:
        return dpkg.is_at_least(change.to or "", fix.to or "", self._env)

    def _key(self, spec: PackageSpec) -> Key:
        return dpkg.key(spec.name, spec.arch, self._config)

    def words(self, request: Request, state: State) -> list[str]:
        """What to name to apt-get. An absent package is removed already, and apt-get fails on names it never heard of."""
        if request.operation is Operation.REMOVE:
            present = [spec for spec in request.packages if self._key(spec) in state]
            return [word(msgspec.structs.replace(spec, version=None)) for spec in present]
        return [word(spec) for spec in request.packages]

    def preferences(self, request: Request, run: Run) -> str | None:
        """The file to use in place of the host's own, where the request is for security only."""
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
            request, words, preferences=self.preferences(request, run), autoremove=autoremove
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
        asked = frozenset(map(self._key, request.packages))
        labels = self._settings.security_labels
        return Plan(
            changes=plan.changes(plan.read_messages(told), asked, labels),
            kept_back=plan.kept_back(text, state),
        )


def _with_garbage(plain: Plan, cleaned: Plan) -> Plan:
    """The plan with autoremoval: what it removes beyond the plain one is marked automatic, and needs no leave of the policy."""
    garbage = {
        key: msgspec.structs.replace(change, automatic=True)
        for key, change in cleaned.changes.items()
        if change.action == "remove" and key not in plain.changes
    }
    return replace(cleaned, changes={**cleaned.changes, **garbage})
