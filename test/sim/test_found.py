"""What the simulation found, as the shortest play that shows it."""

from __future__ import annotations

from agent_plays import T0, online, windowed
from pulp_agent.events import JobLost, StartJob

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
    assert T0 + HOUR <= (final.finished or 0)


def test_a_half_done_change_is_finished_after_its_window() -> None:
    play = online()
    play.gets(windowed(begin=0, end=HOUR))
    play.crash()
    play.goes(2 * HOUR)
    play.does(JobLost("a", began=True, decision="commit"))
    assert [c.resumed for c in play.other() if isinstance(c, StartJob)] == [True]
