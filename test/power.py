"""The power switch of a world's host, in place of the machine's: a restart gives it another boot id and kills its agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_RESTART = """#!/bin/sh
set -e
echo restarted >>"{folder}/count"
cat /proc/sys/kernel/random/uuid >"{folder}/boot.new"
mv "{folder}/boot.new" "{folder}/boot"
kill -KILL "$PPID"
"""
_REFUSAL = """#!/bin/sh
echo "Call to Reboot failed: Access denied"
exit 1
"""


class Power:
    """`settings`: for an agent's environment. Somebody has to start the agent again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._boot = folder / "boot"
        self._boot.write_text("first\n")
        self._command = folder / "restart"
        self._program(_RESTART.format(folder=folder))

    def _program(self, text: str) -> None:
        """In place of another, which may run just now."""
        new = self._folder / "restart.new"
        new.write_text(text)
        new.chmod(0o755)
        new.rename(self._command)

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "PULP_AGENT_REBOOT_COMMAND": str(self._command),
            "PULP_AGENT_REBOOT_BOOT_ID_FILE": str(self._boot),
        }

    @property
    def restarts(self) -> int:
        count = self._folder / "count"
        return len(count.read_text().splitlines()) if count.exists() else 0

    @property
    def boot_id(self) -> str:
        return self._boot.read_text().strip()

    def refuse(self) -> None:
        self._program(_REFUSAL)

    def obey(self) -> None:
        self._program(_RESTART.format(folder=self._folder))
