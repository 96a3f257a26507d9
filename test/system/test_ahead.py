"""Packages fetched ahead of their window by a real agent: at the opening they are there, though the mirror is not."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fault_stage import Stage
from stepped_clock import SteppedClock
from world import until

WAIT = timedelta(minutes=5)
"""Until the window opens: so near that all is fetched at once. The host's clock is stepped over it."""


class Mirror:
    """The repository by HTTP: from a folder, apt would take packages without a copy of its own. Packages wait for `go`."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.go.set()
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                if self.path.endswith(".deb"):
                    mirror.go.wait()
                with suppress(ConnectionError):  # whoever asked may be gone
                    super().do_GET()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Handler, directory=str(folder))
        )
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def packages(self) -> list[str]:
        return [path for path in self.asked if path.endswith(".deb")]

    def close(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    return SteppedClock(tmp_path / "clock")


@pytest.fixture
def stage(tmp_path: Path, clock: SteppedClock) -> Iterator[Stage]:
    with Stage(tmp_path, clock=clock) as stage:
        yield stage


@pytest.fixture
def mirror(stage: Stage) -> Iterator[Mirror]:
    mirror = Mirror(stage.world.repository.path)
    sources = stage.host.root / "etc/apt/sources.list"
    sources.write_text(stage.world.repository.sources(mirror.uri))
    yield mirror
    mirror.close()


def test_what_was_fetched_ahead_is_installed_in_the_window_without_a_mirror(
    stage: Stage, mirror: Mirror, clock: SteppedClock
) -> None:
    stage.publish("fetched")
    begin = datetime.now(UTC) + WAIT
    window = {"begin": begin.isoformat(), "end": (begin + WAIT).isoformat()}
    task = stage.ask("fetched", window=window, predownload=True)
    archives = stage.host.root / "var/cache/apt/archives"
    until(lambda: list(archives.glob("fetched_*.deb")), "the package to be fetched")
    fetches = stage.host.data / "fetches"
    until(lambda: not [p for p in fetches.iterdir() if p.is_dir()], "the fetch to end")
    assert len(mirror.packages()) == 1
    assert stage.host.installed() == {}
    assert stage.world.task(task["id"])["state"] == "held"
    stage.host.agent.kill()
    stage.world.repository.path.rename(stage.world.path / "away")  # 404 for everything
    stage.host.agent.start()
    clock.set(WAIT.total_seconds() + 1)
    until(lambda: "fetched" in stage.host.installed(), "the installation")
    stage.world.wait_online(stage.host)
    done = stage.world.wait(task)
    assert done["state"] == "finished", done
    assert len(mirror.packages()) == 1
    events = [event["type"] for event in stage.world.history(stage.host)]
    assert events.count("packages_installed") == 1


def test_a_cancel_ends_the_fetch_that_is_under_way(stage: Stage, mirror: Mirror) -> None:
    stage.publish("unwanted")
    mirror.go.clear()
    begin = datetime.now(UTC) + WAIT
    window = {"begin": begin.isoformat(), "end": (begin + WAIT).isoformat()}
    task = stage.ask("unwanted", window=window, predownload=True)
    until(mirror.packages, "the download to begin")
    stage.cancel(task)
    assert stage.world.wait(task)["state"] == "canceled"
    fetches = stage.host.data / "fetches"
    until(lambda: not [p for p in fetches.iterdir() if p.is_dir()], "the fetch to end")
    with (stage.host.root / "var/cache/apt/archives/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    assert stage.host.installed() == {}
