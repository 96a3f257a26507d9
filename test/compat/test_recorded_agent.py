"""Today's agent opens the journal and the jobs' folders of every release, and goes on with its calls."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from agent_plays import me, welcome
from pulp_agent.calls import CallTable
from pulp_agent.core import Core
from pulp_agent.events import AdoptJob, Begun, Command, Connected, Instant, Received, Send, StartJob
from pulp_agent.journal import open_journal
from record_agent import LATER, known
from record_messages import NOON
from record_store import call_id
from recordings import lost

from pulp.rmi.messages import Accepted, Hello, Started, Succeeded


@pytest.fixture
def home(release: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(release / "agent", tmp_path / "agent"))


def test_all_that_was_written_is_there(release: Path, home: Path) -> None:
    then = json.loads((release / "agent.json").read_text())
    assert list(lost(then, known(home))) == []


class Agent:
    """Today's core over that journal."""

    def __init__(self, home: Path) -> None:
        journal, records, cuts = open_journal(home / "journal")
        journal.close()
        assert cuts == []
        self.core = Core(me(journal_id=journal.id), CallTable(records))
        self.seq = journal.seq

    def does(self, event: Any, at: int = NOON + 10) -> list[Command]:
        return list(self.core.handle(Instant(at, at), event))

    def sends(self, event: Any) -> list[Any]:
        return [c.message for c in self.does(event) if isinstance(c, Send)]


def test_it_tells_the_server_of_every_call_it_had(home: Path) -> None:
    agent = Agent(home)
    agent.does(Begun())
    (hello,) = agent.sends(Connected(agent.seq))
    assert isinstance(hello, Hello)
    told = {call.id: call.state for call in hello.calls}
    assert told == {
        call_id("done"): "done",
        call_id("ahead"): "done",
        call_id("missed"): "done",
        call_id("held"): "held",
        call_id("running"): "running",
        call_id("ready"): "ready",
    }
    sent = agent.sends(Received(welcome(now=NOON + 10), handle="h"))
    finals = [m for m in sent if isinstance(m, Succeeded)]
    assert [m.id for m in finals] == [call_id("done")]
    held = next(m for m in sent if isinstance(m, Accepted) and m.id == call_id("held"))
    assert (held.state, held.starts) == ("held", LATER.begin)
    assert Started(id=call_id("running"), at=NOON + 2) in sent


def test_it_resumes_what_ran_and_runs_nothing_twice(home: Path) -> None:
    agent = Agent(home)
    begun = agent.does(Begun())
    assert AdoptJob(call_id("running")) in begun
    assert [
        c for c in begun if isinstance(c, StartJob)
    ] == []  # `ready` comes behind the one that ran
