"""What the simulation found, as the shortest play that shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent_plays import T0, online, windowed
from pulp_agent.events import JobLost, StartJob, Success
from pulp_agent.spool import Spool

from pulp.common.times import HOUR
from pulp.rmi.messages import Failed


def test_an_execution_that_died_before_it_changed_anything_is_not_resumed_after_its_window() -> (
    None
):
    """Seed 72: the agent died between its journal record and the start of the work, and came back after the window."""
    play = online()
    play.gets(windowed(begin=0, end=HOUR))
    play.crash()
    play.goes(2 * HOUR)
    play.does(JobLost("a", began=False, decision=None))
    assert not [c for c in play.other() if isinstance(c, StartJob)]
    (final,) = [m for m in play.connects() if isinstance(m, Failed)]
    assert final.code == "window-missed"
    assert (final.finished or 0) >= T0 + HOUR


def test_a_half_done_change_is_finished_after_its_window() -> None:
    play = online()
    play.gets(windowed(begin=0, end=HOUR))
    play.crash()
    play.goes(2 * HOUR)
    play.does(JobLost("a", began=True, decision="commit"))
    assert [c.resumed for c in play.other() if isinstance(c, StartJob)] == [True]


def test_a_process_that_comes_after_its_execution_was_given_up_does_nothing(tmp_path: Path) -> None:
    """Seed 386: started, and not yet at its lock, when the agent died; the next one answered `interrupted` for it."""
    spool = Spool(tmp_path / "a")
    spool.prepare(StartJob("a", "System.info", 1, b"{}", HOUR))
    assert spool.withdraw()
    assert run(spool) == 0
    assert spool.result() is None


def test_what_lives_is_not_given_up(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a")
    spool.prepare(StartJob("a", "System.info", 1, b"{}", HOUR))
    lock = spool.lock()
    assert lock is not None
    assert not spool.withdraw()
    os.close(lock)
    assert run(spool) == 0
    assert not spool.withdraw()
    assert isinstance(spool.result(), Success)


def run(spool: Spool) -> int:
    """The job's process; its exit code."""
    command = [sys.executable, "-m", "pulp_agent.job", str(spool.path)]
    return subprocess.run(command, check=False, timeout=60).returncode
