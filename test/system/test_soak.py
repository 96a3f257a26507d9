"""The short form of bench/soak.py: random kills of server and agents under load. Its numbers are printed when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = ["--minutes", "0.6", "--agents", "50", "--rate", "12", "--every", "3"]


@pytest.mark.exhaustive
def test_nothing_is_lost_and_nothing_done_twice_under_random_kills(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    soak = subprocess.Popen(
        [sys.executable, ROOT / "bench" / "soak.py", *OPTIONS],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = soak.communicate(timeout=400)
    except subprocess.TimeoutExpired:
        soak.terminate()
        said, _ = soak.communicate()
    assert soak.returncode == 0, said
    counts = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert sum(counts["kills"].values()) >= 4, said
    assert counts["acknowledged"] > 200, said
    assert counts["history_entries_per_task"] == {"1": counts["acknowledged"]}, said
