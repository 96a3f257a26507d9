"""The apt back end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from pulp.rmi.interfaces import Change, ConfigFile, PackageSpec
from pulp.rmi.reports import Group
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.apt import config, dpkg, reboot
from pulp_agent.handlers.packages.apt.command import (
    config_file_environment,
    config_file_options,
    reinstallation,
    transaction,
    word,
)
from pulp_agent.handlers.packages.apt.lacks import LACKS
from pulp_agent.handlers.packages.apt.planning import Planning
from pulp_agent.handlers.packages.apt.runner import Runner
from pulp_agent.handlers.packages.apt.settings import AptSettings
from pulp_agent.handlers.packages.apt.text import problem
from pulp_agent.handlers.packages.base import (
    Ability,
    Key,
    PackageState,
    Plan,
    Report,
    Request,
    State,
)
from pulp_agent.handlers.packages.run import Run

_HOLD_TIMEOUT = 60.0  # s


class AptBackend:
    """`base.Backend` for Debian and its like. Make a new one for each call: it remembers apt's configuration."""

    name = "apt"
    lacks = LACKS

    def __init__(self, settings: AptSettings) -> None:
        self._settings = settings
        self._env = config.environment(settings.apt_config)
        self._runner = Runner(settings, self._env)

    @cached_property
    def _config(self) -> config.AptConfig:
        return config.load(self._env, self._settings.root)

    @cached_property
    def _planning(self) -> Planning:
        return Planning(self._settings, self._env, self._config, self._runner)

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
        self._planning.forget()
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
        return self._planning.plan(request, state, run)

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
        self._planning.forget()
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

    def _transaction(self, request: Request, run: Run, *, download_only: bool) -> list[str]:
        words = self._planning.words(request, self.state())
        preferences = self._planning.preferences(request, run)
        return transaction(request, words, preferences=preferences, download_only=download_only)


def _word(package: PackageState, version: str | None = None) -> str:
    return word(PackageSpec(name=package.name, arch=package.arch, version=version))
