"""The simulated fleet against the real listener: every agent answers, and nothing is executed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_world import FakeServer, make_home, request, until
from msgspec import Raw
from pulp_agent.fleet import Fleet, Plan
from pulp_agent.home import Home
from pulp_agent.simulation import Work

from pulp.rmi.messages import Progress, Request, Succeeded

AGENTS, CALLS = 5, 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    folder = tmp_path / "pki"
    folder.mkdir()
    server = FakeServer(folder)
    server.start()
    yield server
    server.stop()


def install() -> Request:
    args = Raw(b'{"packages":[{"name":"nginx"}]}')
    return request(class_="Packages", method="install", args=args)


def ask_all(server: FakeServer) -> list[str]:
    """Each agent gets its calls; the ids."""
    ids = []
    for peer in list(server.peers):
        for _ in range(CALLS):
            asked = install()
            ids.append(asked.id)
            server.say_to(peer, asked)
    return ids


async def play(homes: list[Home], plan: Plan, server: FakeServer) -> tuple[Fleet, list[str]]:
    fleet = Fleet(homes, plan)
    fleet.start()
    async with asyncio.timeout(20):
        await fleet.all_online()
        ids = ask_all(server)
        await asyncio.to_thread(until, lambda: fleet.counts["confirmed"] == len(ids))
    await fleet.stop()
    return fleet, ids


@pytest.mark.parametrize("journals", ["memory", "file"])
def test_every_call_is_executed_once_and_answered(
    server: FakeServer, tmp_path: Path, journals: str
) -> None:
    homes = [make_home(tmp_path / f"h{n}", server, uid=f"uid-{n}")[0] for n in range(AGENTS)]
    executions = tmp_path / "executions"
    work = Work(shortest=0.01, longest=0.05)
    plan = Plan(work=work, journals=journals, executions=executions)
    fleet, ids = asyncio.run(play(homes, plan, server))
    assert sorted(executions.read_text().split()) == sorted(ids)
    assert sorted(answer.id for answer in server.of(Succeeded)) == sorted(ids)
    assert server.of(Progress)
    assert fleet.result()["executed"] == len(ids)
