"""The whole agent as a process, against the real listener: connecting, answering, dying and coming back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from agent_world import AgentProcess, FakeServer, make_home, request, until
from msgspec.structs import replace

from pulp.rmi.messages import Accepted, Bye, Hello, Profile, Started, Succeeded


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    folder = tmp_path / "pki"
    folder.mkdir()
    server = FakeServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def agent(tmp_path: Path, server: FakeServer) -> Iterator[AgentProcess]:
    home, _ = make_home(tmp_path / "agent", server)
    agent = AgentProcess(home, tmp_path / "agent.log")
    agent.start()
    yield agent
    if agent.process is not None and agent.process.poll() is None:
        agent.kill()


def test_it_says_hello_answers_and_leaves_in_order(server: FakeServer, agent: AgentProcess) -> None:
    hello = server.waits_for(Hello)
    assert hello.methods["System.info"] == [1]
    asked = request()
    server.say(asked)
    answer = server.final(asked.id)
    assert isinstance(answer, Succeeded)
    assert server.waits_for(Accepted, asked.id) and server.waits_for(Started, asked.id)
    until(lambda: not (agent.home.jobs / asked.id).exists())
    assert agent.stop() == 0
    server.waits_for(Bye)


def test_an_answer_that_was_not_confirmed_comes_again(
    server: FakeServer, agent: AgentProcess
) -> None:
    server.hold = True
    asked = request()
    server.say(asked)
    answer = server.final(asked.id)
    agent.kill()
    agent.start()
    assert server.waits_for(Succeeded, asked.id, count=2) == answer
    (status,) = server.waits_for(Hello, count=2).calls
    assert (status.id, status.state) == (asked.id, "done")


def test_the_servers_return_is_noticed_within_a_second(
    server: FakeServer, agent: AgentProcess
) -> None:
    server.waits_for(Hello)
    server.stop()
    server.start()
    server.waits_for(Hello, count=2)


def test_several_addresses_are_tried_in_turn(tmp_path: Path, server: FakeServer) -> None:
    home, _ = make_home(tmp_path / "other", server, uid="uid-2")
    known = home.registration()
    home.save_registration(replace(known, urls=["amqps://127.0.0.1:1", *known.urls]))
    agent = AgentProcess(home, tmp_path / "other.log")
    agent.start()
    server.waits_for(Hello)
    assert agent.stop() == 0


def test_a_second_agent_does_not_start(server: FakeServer, agent: AgentProcess) -> None:
    server.waits_for(Hello)
    second = AgentProcess(agent.home, agent.log.with_name("second.log"))
    second.start()
    assert second.process is not None and second.process.wait(20) == 2
    assert "another pulp-agent runs" in second.log.read_text()


def test_a_damaged_journal_is_reported_and_the_agent_runs(
    server: FakeServer, agent: AgentProcess
) -> None:
    server.waits_for(Hello)
    agent.kill()
    with agent.home.journal.open("ab") as journal:
        journal.write(b"torn")
    agent.start()
    first, second = server.waits_for(Hello, count=2), server.of(Hello)[0]
    assert first.journal_id == second.journal_id
    assert "journal.bad-1" in agent.log.read_text()


def test_idle_and_connected_it_is_small(server: FakeServer, agent: AgentProcess) -> None:
    server.waits_for(Hello)
    server.waits_for(Profile)
    assert agent.process is not None
    memory = psutil.Process(agent.process.pid).memory_full_info()
    assert memory.uss <= 25 * 2**20
