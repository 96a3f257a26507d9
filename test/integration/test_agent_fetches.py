"""Jobs that may fetch only, as real processes: their gate never opens, and they are no job of any call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pulp_agent import jobs as jobs_module
from pulp_agent.events import Event, FetchEnded, StartFetch
from pulp_agent.fetching import ProcessFetcher
from pulp_agent.launch import Unit
from pulp_agent.spool import Spool
from test_agent_jobs import command, fake_unit


class Bench:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[Event] = []
        self.fetcher = ProcessFetcher(root, command=command)
        self.fetcher.bind(self.events.append)

    def start(self, handler: str, call_id: str = "a") -> Spool:
        self.fetcher.start(StartFetch(call_id, handler, 1, b"{}", timeout=60_000))
        return Spool(self.root / call_id)

    async def sees(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(20):
            while not (value := condition()):
                await asyncio.sleep(0.01)
        return value

    async def ended(self) -> FetchEnded:
        await self.sees(lambda: self.events)
        event = self.events.pop()
        assert isinstance(event, FetchEnded) and not self.events
        return event


def play(tmp_path: Path, script: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        try:
            await script(bench)
        finally:
            bench.fetcher.close()

    asyncio.run(run())


def test_a_handler_that_goes_on_to_its_commit_is_refused(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.sees((spool.path / "here-1").exists)
        (spool.path / "go").touch()
        assert (await bench.ended()) == FetchEnded("a", "canceled: canceled")

    play(tmp_path, script)


def test_a_handler_that_takes_its_commit_for_granted_comes_no_further(tmp_path: Path) -> None:
    """`committed` asserts that it may, and works on without a look at any cancel: it would wait for `go`."""

    async def script(bench: Bench) -> None:
        bench.start("committed")
        assert (await bench.ended()).problem.startswith("internal")

    play(tmp_path, script)


def test_its_folder_is_gone_when_it_has_ended(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        for handler in ("failing", "broken", "dying"):
            spool = bench.start(handler)
            assert (await bench.ended()).problem
            assert not spool.path.exists()

    play(tmp_path, script)


def test_one_at_a_time(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        bench.start("obedient")
        other = bench.start("obedient", "b")
        assert (await bench.ended()) == FetchEnded("b", "an earlier one has not ended yet")
        assert not other.path.exists()
        bench.fetcher.end()
        assert (await bench.ended()).id == "a"

    play(tmp_path, script)


def test_an_end_that_comes_before_its_process_has_begun_counts(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        bench.fetcher.end()
        assert (await bench.ended()).problem.startswith("canceled")
        assert not spool.path.exists()

    play(tmp_path, script)


def test_what_a_dead_agent_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / ".settings.json").write_text("{}")

    async def script(bench: Bench) -> None:
        assert [path.name for path in tmp_path.iterdir()] == [".settings.json"]
        bench.fetcher.end()
        assert bench.events == []

    play(tmp_path, script)


def test_under_systemd_its_unit_is_another_than_the_works_and_holds_up_no_shutdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both may be there at the same moment."""
    made: list[tuple[Unit, str]] = []

    def unit(kind: Unit, name: str, spool: Path, environ: Any) -> list[str]:
        made.append((kind, name))
        return fake_unit(kind, name, spool, environ)

    monkeypatch.setattr(jobs_module, "uses_systemd", lambda environ: True)
    monkeypatch.setattr(jobs_module, "unit_command", unit)

    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.sees((spool.path / "here-1").exists)
        bench.fetcher.end()
        assert (await bench.ended()).problem.startswith("canceled")

    play(tmp_path, script)
    ((kind, name),) = made
    assert name == "pulp-agent-fetch-a"
    assert "TimeoutStopSec=10s" in kind.properties and "SendSIGKILL=no" not in kind.properties
