"""Start-up: `--help` and completion of words load neither HTTP nor tables."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"httpx", "rich", "dateutil", "cryptography", "asyncio"}


def test_help_does_not_load_what_it_does_not_need() -> None:
    script = (
        "import sys\n"
        "from pulp.client.main import run\n"
        "from pulp.client.runtime import Runtime\n"
        "assert run(['--help'], Runtime.system()) == 0\n"
        "print('loaded:', *sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    loaded = set(result.stdout.rpartition("loaded:")[2].split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()
