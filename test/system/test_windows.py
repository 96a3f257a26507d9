"""A window is kept by the host alone: the network is cut, the server is dead and the agent is killed while it is to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fault_stage import PATIENCE, Stage
from proxy import Fault, Proxy
from world import until

SECOND = timedelta(seconds=1)
AHEAD = 15 * SECOND
"""Until the window opens: in this time a call is accepted, and everything is killed."""


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Stage]:
    settings = {
        "PULP_MESSAGING_URLS": f"amqps://127.0.0.1:{proxy.port}",
        "PULP_MESSAGING_IDLE_TIMEOUT": "2s",
    }
    with Stage(tmp_path_factory.mktemp("windows"), settings=settings) as stage:
        proxy.upstream = stage.world.messaging_port
        yield stage


def now() -> datetime:
    return datetime.now(UTC)


def ask_in_window(
    stage: Stage, proxy: Proxy, package: str, length: timedelta
) -> tuple[dict[str, Any], datetime, datetime]:
    """The held task, and its window."""
    if not stage.world.server.running:  # the test before this one has failed
        make_whole(stage, proxy)
    stage.publish(package)
    stage.begin()
    begin = now() + AHEAD
    begin = begin.replace(microsecond=begin.microsecond // 1000 * 1000)  # the API counts in ms
    window = {"begin": begin.isoformat(), "end": (begin + length).isoformat()}
    held = stage.world.wait(stage.ask(package, window=window), "held")
    assert held["waiting_for"]["code"] == "window"
    assert abs(moment(held["waiting_for"]["until"]) - begin) < SECOND
    return held, begin, begin + length


def cut_all(stage: Stage, proxy: Proxy) -> None:
    """Nothing passes any more, nobody is told, and server and agent are killed."""
    proxy.set_trap(Fault.HOLE, "up", 0)
    until(lambda: proxy.sprung, "the network to be cut")
    stage.world.server.kill()
    stage.host.agent.kill()


def make_whole(stage: Stage, proxy: Proxy) -> None:
    stage.world.start_server()
    proxy.heal()
    if not stage.host.agent.running:
        stage.host.agent.start()
    stage.world.wait_online(stage.host, limit=PATIENCE)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_window_is_kept_without_network_server_and_the_first_agent(
    stage: Stage, proxy: Proxy
) -> None:
    task, begin, end = ask_in_window(stage, proxy, "kept", 60 * SECOND)
    cut_all(stage, proxy)
    stage.host.agent.start()
    until(
        lambda: now() > begin - SECOND or "kept" in stage.host.installed(), "the window to be near"
    )
    assert "kept" not in stage.host.installed(), "it was installed before its window"
    until(lambda: "kept" in stage.host.installed(), "the installation", 45)
    done = datetime.fromtimestamp((stage.host.root / "executions").stat().st_mtime, UTC)
    assert begin <= done < end
    assert not stage.world.server.running
    make_whole(stage, proxy)
    stage.sound(task, "kept", state="finished", history="packages_installed")
    seen = stage.world.task(task["id"])
    assert begin <= moment(seen["started_at"]) <= done + SECOND
    assert done - SECOND <= moment(seen["finished_at"]) < end
    assert seen["error"] is None


def test_a_host_that_is_off_over_its_window_installs_nothing_late(
    stage: Stage, proxy: Proxy
) -> None:
    task, _begin, end = ask_in_window(stage, proxy, "slept", 2 * SECOND)
    cut_all(stage, proxy)
    until(lambda: now() > end, "the window to be over")
    make_whole(stage, proxy)
    stage.sound(task, "slept", state="missed", history="window_missed")
    seen = stage.world.task(task["id"])
    assert seen["error"]["code"] == "window-missed"
    assert "The host or its agent was off." in seen["error"]["message"]
    assert seen["started_at"] is None
    stage.publish("after")  # of the same lane: whatever was to come late would have come before it
    stage.sound(stage.ask("after"), "after", state="finished", history="packages_installed")
    assert stage.executions("slept") == 0
