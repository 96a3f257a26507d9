"""The contract of fetching ahead: a job that may fetch only brings what the work will need, and changes no package.

A back end passes this by a `download` that fetches into a cache where a later process's commit finds it, and that may be killed.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mirror import Mirror
from package_host import Host, wait_until
from package_hosts import HOSTS, need
from pulp_agent.config import Packages
from pulp_agent.events import Event, FetchEnded, StartFetch
from pulp_agent.fetching import ProcessFetcher
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.ahead import fetch
from pulp_agent.handlers.packages.base import Backend
from pulp_agent.processes import family, read_process
from pulp_agent.spool import SETTINGS, Spool
from test_packages import refused, told

from pulp.rmi.interfaces import INSTALL, PackagesArgs, PackageSpec

FILES = (".deb", ".rpm")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "repository")
    yield mirror
    mirror.close()


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest, tmp_path: Path, mirror: Mirror) -> Iterator[Host]:
    """It installs over the network."""
    need(request.param)
    make: Callable[..., Host] = HOSTS[request.param]
    host = make(tmp_path, uri=mirror.uri)
    yield host
    host.open_gate()


def packages_of(asked: list[str]) -> list[str]:
    return [path for path in asked if path.endswith(FILES)]


def ahead(host: Host, *packages: str, **options: Any) -> Any:
    return host.install(*packages, job=host.job(fetch_only=True), **options)


# --- what the handlers do ---


def test_all_is_fetched_and_nothing_changed(host: Host, mirror: Mirror) -> None:
    host.give("demo00")
    before, asked = host.profile(), []
    mirror.before_answer = asked.append
    result = ahead(host, "demo")
    assert len(packages_of(asked)) == 2
    assert (result.changed, result.changes, result.rebooting) == (False, [], False)
    assert host.profile() == before and host.audit() == ""
    asked.clear()
    assert told(host.install("demo")) == {
        ("demo", "install", None, "1.1", "done"),
        ("demolib", "install", None, "2.0", "done"),
    }
    assert packages_of(asked) == []


def test_what_is_there_already_is_not_fetched_twice(host: Host, mirror: Mirror) -> None:
    asked: list[str] = []
    ahead(host, "demo")
    mirror.before_answer = asked.append
    ahead(host, "demo")
    assert packages_of(asked) == []


def test_updates_are_fetched_ahead_too(host: Host, mirror: Mirror) -> None:
    host.give("demo=1.0", "demolib=1.0")
    asked: list[str] = []
    mirror.before_answer = asked.append
    host.update("demo", job=host.job(fetch_only=True))
    assert packages_of(asked)
    assert host.installed() == {"demo": "1.0", "demolib": "1.0"}
    asked.clear()
    host.update("demo")
    assert host.installed()["demo"] == "1.1" and packages_of(asked) == []


def test_a_restart_that_goes_with_the_work_does_not_go_with_the_fetch(host: Host) -> None:
    assert not ahead(host, "demo", reboot="always").rebooting


def test_what_was_cut_off_is_left_as_it_is(host: Host) -> None:
    """To repair it is a change as well."""
    host.give("demo00")
    host.cut_off_unpacking("demo00", "half-installed")
    with suppress(HandlerError):  # some tools will not even plan then
        ahead(host, "demo")
    assert host.interrupted()
    assert "demo" not in host.installed()


def test_what_the_policy_refuses_is_not_fetched(host: Host, mirror: Mirror) -> None:
    host.give("demo")
    asked: list[str] = []
    mirror.before_answer = asked.append
    refused("dependency", ahead, host, "demo=1.0")
    assert packages_of(asked) == []


def test_a_mirror_that_is_away_is_told_as_such(host: Host) -> None:
    host.repository.path.rename(host.folder / "hidden")
    refused("fetch", ahead, host, "demo")


def test_a_fetch_can_be_canceled(host: Host, mirror: Mirror) -> None:
    job = host.job(fetch_only=True)
    mirror.stalled = "demolib"
    started = host.start_install("demo", job=job)
    assert mirror.reached.wait(60)
    assert job.cancel()
    assert started.outcome().code == "canceled"
    mirror.stalled = ""
    mirror.go.set()
    assert host.install("demo").changed


def test_the_fetch_cannot_commit_by_its_types() -> None:
    """What it is given has no way to change a package; mypy holds it to that."""
    assert fetch.__annotations__["backend"] == "Source"
    changing = {"commit", "repair", "hold", "settle"}
    source = Backend.__mro__[1]
    assert source.__name__ == "Source" and not changing & set(dir(source))


# --- the job's own process, as the agent runs it ---


class Bench:
    def __init__(self, host: Host) -> None:
        self.root = host.folder / "fetches"
        self.root.mkdir(exist_ok=True)
        settings = Packages(
            family=host.backend,  # type: ignore[arg-type]
            apt_config=getattr(host.settings, "apt_config", None),
            dnf_config=getattr(host.settings, "config", None),
            root=str(host.root),
        )
        (self.root / SETTINGS).write_bytes(msgspec.json.encode(settings))
        self.events: list[Event] = []
        self.fetcher = ProcessFetcher(self.root)
        self.fetcher.bind(self.events.append)

    def start(self, *names: str) -> None:
        packages = [PackageSpec(name=name) for name in names]
        args = msgspec.json.encode(PackagesArgs(packages=packages))
        self.fetcher.start(StartFetch("a", INSTALL.path, INSTALL.version, args, timeout=60_000))

    async def ended(self) -> FetchEnded:
        async with asyncio.timeout(60):
            while not self.events:
                await asyncio.sleep(0.02)
        (event,) = self.events
        assert isinstance(event, FetchEnded)
        return event


def play(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    script: Callable[[Bench], Coroutine[Any, Any, None]],
) -> None:
    if host.backend == "dnf5":
        pytest.skip("the agent's own process takes the dnf that this host has, and that is no dnf5")
    if home := getattr(host.settings, "home", None):
        monkeypatch.setenv("HOME", home)

    async def run() -> None:
        bench = Bench(host)
        try:
            await script(bench)
        finally:
            bench.fetcher.close()

    asyncio.run(run())


def test_the_job_of_a_fetch_changes_no_package(
    host: Host, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.give("demo00")
    before, asked = host.profile(), []
    mirror.before_answer = asked.append

    async def script(bench: Bench) -> None:
        bench.start("demo")
        assert (await bench.ended()).problem == ""
        assert [path.name for path in bench.root.iterdir()] == [SETTINGS]

    play(host, monkeypatch, script)
    assert len(packages_of(asked)) == 2
    assert host.profile() == before


def test_a_fetch_that_is_ended_leaves_no_process_and_no_lock(
    host: Host, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.stalled = "demolib"

    async def script(bench: Bench) -> None:
        bench.start("demo")
        assert await asyncio.to_thread(mirror.reached.wait, 60)
        pid = Spool(bench.root / "a").holder()
        assert pid is not None
        started = family(pid)
        assert len(started) > 1  # with the package tool
        bench.fetcher.end()
        assert (await bench.ended()).problem.startswith("canceled")
        alive = {process.pid for process in family(pid)}
        assert not alive & {process.pid for process in started}

    play(host, monkeypatch, script)
    mirror.stalled = ""
    mirror.go.set()
    job = host.job()
    assert host.install("demo", job=job).changed
    assert "wait" not in {phase for phase, _, _ in job.reports}


def test_a_fetch_that_hangs_is_killed_with_its_tool(
    host: Host, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulp_agent.jobs.STOP_PATIENCE", 0.0)
    mirror.stalled = "demolib"

    async def script(bench: Bench) -> None:
        bench.start("demo")
        assert await asyncio.to_thread(mirror.reached.wait, 60)
        pid = Spool(bench.root / "a").holder()
        assert pid is not None
        started = {process.pid for process in family(pid)}
        subprocess.run(["kill", "-STOP", str(pid)], check=True)  # it looks at no decision
        bench.fetcher.end()
        assert (await bench.ended()).problem == "its process died"
        await asyncio.to_thread(wait_until, lambda: not _alive(started), "all are gone")

    play(host, monkeypatch, script)
    mirror.stalled = ""
    mirror.go.set()
    assert host.install("demo").changed


def _alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if read_process(pid) is not None}


def test_what_an_earlier_agent_left_running_is_ended(
    host: Host, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.stalled = "demolib"

    async def first(bench: Bench) -> None:
        bench.start("demo")
        assert await asyncio.to_thread(mirror.reached.wait, 60)

    async def second(bench: Bench) -> None:
        bench.start("demo")
        assert "not ended yet" in (await bench.ended()).problem
        bench.events.clear()
        bench.fetcher.end()
        assert (await bench.ended()).problem.startswith("canceled")

    play(host, monkeypatch, first)
    play(host, monkeypatch, second)
    assert host.installed() == {}
