"""Records this release, for all later ones: `python test/compat/record.py` (see README.md)."""

from __future__ import annotations

import sys
from pathlib import Path

import record_agent
import record_messages
import record_store

from pulp import __version__


def record(release: Path) -> None:
    """Messages, store and agent's data of the code as it is. What was recorded before is never written over."""
    release.mkdir()
    record_messages.record(release)
    record_store.record(release)
    record_agent.record(release)


if __name__ == "__main__":
    record(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / __version__)
