"""What of a host survives its processes: its agent's data directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pulp_agent.events import Decision, Outcome
from pulp_agent.spool import JobRequest

if TYPE_CHECKING:
    from sim.job import Job


@dataclass
class Folder:
    """One execution's spool folder."""

    request: JobRequest | None = None
    holder: Job | None = None  # who holds the lock
    began: bool = False
    decision: Decision | None = None
    result: Outcome | None = None
    progress: tuple[str, float] | None = None


@dataclass
class Disk:
    """What of a host survives its agent. `synced`: journal lines that survive a loss of power too."""

    journal_id: str
    lines: list[bytes] = field(default_factory=list)
    synced: int = 0
    base: int = 0
    compacted: int = 0
    spool: dict[str, Folder] = field(default_factory=dict)
    certificates: list[str] = field(default_factory=list)  # fingerprints, the newest last


@dataclass(frozen=True)
class Snapshot:
    """A host as it was."""

    disk: Disk
    changed_by: dict[str, int]
    answers: dict[str, bytes]
    fates: dict[str, str]
