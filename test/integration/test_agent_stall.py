"""An agent whose journal cannot be written: nothing is accepted, nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from agent_plays import me
from agent_world import FakeServer, make_home, request, until
from msgspec import Raw
from pulp_agent.daemon import Agent
from pulp_agent.journal import JournalError, MemoryJournal
from pulp_agent.link import AmqpConnector, LinkKeeper
from pulp_agent.records import AnyRecord
from pulp_agent.simulation import SimulatedExecutor, SimulatedFetcher, Work

from pulp.rmi.messages import FINALS, Accepted, Hello, Request, Succeeded


class FullJournal(MemoryJournal):
    """Refuses while `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def append(self, records: Sequence[AnyRecord], *, sync: bool) -> None:
        self._check()
        super().append(records, sync=sync)

    def recover(self) -> list[AnyRecord]:
        self._check()
        return super().recover()

    def _check(self) -> None:
        if self.full:
            raise JournalError("the journal x cannot be written: No space left on device")


class NoHousehold:
    def read_profile(self) -> None: ...

    def restart_host(self, call_id: str) -> None: ...

    def store_certificate(self, certificate: str, ca: Sequence[str]) -> None: ...

    def use_server(self, urls: Any, ca: Any, signing_keys: Any) -> None: ...


class Stage:
    def __init__(self, home: Any, server: FakeServer, work: Work) -> None:
        self.server = server
        self.journal = FullJournal()
        self.counts: Counter[str] = Counter()
        executor = SimulatedExecutor(work, Random(1), self.counts)
        fetcher = SimulatedFetcher(work, Random(1), self.counts)
        self.agent = Agent(me(), [], self.journal, executor, fetcher, NoHousehold())
        self.link = LinkKeeper(AmqpConnector(home), seq=self.agent.durable_seq)

    async def until(self, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(until, condition)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    folder = tmp_path / "pki"
    folder.mkdir()
    server = FakeServer(folder)
    server.start()
    yield server
    server.stop()


def play(
    tmp_path: Path, server: FakeServer, script: Callable[[Stage], Awaitable[None]], work: Work
) -> None:
    async def run() -> None:
        stage = Stage(make_home(tmp_path / "agent", server)[0], server, work)
        stage.agent.start(stage.link)
        await stage.until(lambda: server.of(Hello))
        await stage.until(lambda: stage.link.state == "online")
        await script(stage)
        await stage.agent.stop()

    asyncio.run(run())


def install() -> Request:
    args = Raw(b'{"packages":[{"name":"nginx"}]}')
    return request(class_="Packages", method="install", args=args)


def test_a_request_is_not_accepted_until_it_can_be_written(
    tmp_path: Path, server: FakeServer
) -> None:
    async def script(stage: Stage) -> None:
        asked = install()
        stage.journal.full = True
        server.say(asked)
        await stage.until(lambda: stage.agent.stalled)
        assert server.of(Accepted) == [] and stage.counts["executed"] == 0
        ping = request(method="ping")
        server.say(ping)
        await stage.until(lambda: [m for m in server.of(Succeeded) if m.id == ping.id])
        stage.journal.full = False
        await stage.until(lambda: len(server.of(Hello)) == 2)
        assert not stage.agent.stalled
        server.say(asked)  # as a server does at hello with what was not accepted
        await stage.until(lambda: stage.counts["confirmed"] == 1)
        assert stage.counts["executed"] == 1

    play(tmp_path, server, script, Work())


def test_an_answer_that_cannot_be_written_is_kept_by_its_job(
    tmp_path: Path, server: FakeServer
) -> None:
    """A simulated job does not outlive its answer, so it is resumed; a real one's result lies in its spool."""

    async def script(stage: Stage) -> None:
        asked = install()
        server.say(asked)
        await stage.until(lambda: server.of(Accepted))
        stage.journal.full = True
        await stage.until(lambda: stage.agent.stalled)
        assert server.of(Succeeded) == []
        stage.journal.full = False
        await stage.until(lambda: stage.counts["confirmed"] == 1)
        finals = [m for m in server.got if isinstance(m, FINALS)]
        assert [m.id for m in finals] == [asked.id]

    play(tmp_path, server, script, Work(shortest=0.5, longest=0.5))
