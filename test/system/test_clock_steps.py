"""Clocks stepped by an hour, forward and back, at either end in mid-work: one end, one execution, nothing waits for ever."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fault_stage import Stage, unanswered
from stepped_clock import SteppedClock
from world import until

HOUR = 3600.0
STEPS = pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def server_clock(tmp_path_factory: pytest.TempPathFactory) -> SteppedClock:
    return SteppedClock(tmp_path_factory.mktemp("server-clock"))


@pytest.fixture(scope="module")
def hosts_clock(tmp_path_factory: pytest.TempPathFactory) -> SteppedClock:
    return SteppedClock(tmp_path_factory.mktemp("hosts-clock"))


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    server_clock: SteppedClock,
    hosts_clock: SteppedClock,
) -> Iterator[Stage]:
    path = tmp_path_factory.mktemp("clocks")
    with Stage(path, settings=server_clock.env, clock=hosts_clock) as stage:
        yield stage


@pytest.fixture
def stage(shared: Stage, server_clock: SteppedClock, hosts_clock: SteppedClock) -> Iterator[Stage]:
    """Both clocks are right at first. A step leaves its traces (sessions, offsets), so each case has a host of its own."""
    shared.begin()
    yield shared
    step_server(shared, server_clock, 0)
    hosts_clock.set(0)
    shared.drop_host()


def ask(stage: Stage, package: str, **body: Any) -> dict[str, Any]:
    stage.publish(package)
    return stage.ask(package, **body)


@contextmanager
def at_work(stage: Stage, name: str) -> Iterator[dict[str, Any]]:
    """A task whose job waits for another package program, which is done on leaving."""
    with (stage.host.root / "var/lib/dpkg/lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        task = ask(stage, name)
        until(lambda: stage.world.task(task["id"])["phase"] == "wait", "the job to wait")
        yield task


def step_server(stage: Stage, clock: SteppedClock, seconds: float) -> None:
    """Idle HTTP connections look old to it then, and are closed when they are used next, as those of any server may be."""
    clock.set(seconds)

    def answers() -> bool:
        with unanswered():
            return bool(stage.world.get("/status")["ready"])
        return False

    until(answers, "the server to answer")


@STEPS
def test_the_hosts_clock_is_stepped_while_it_works(
    stage: Stage, hosts_clock: SteppedClock, step: float
) -> None:
    with at_work(stage, f"host-{step:+.0f}".replace("+", "p")) as task:
        hosts_clock.set(step)
    stage.sound(task, name_of(task), state="finished", history="packages_installed")
    again = ask(stage, f"again-{step:+.0f}".replace("+", "p"))
    stage.sound(again, name_of(again), state="finished", history="packages_installed")


def test_a_window_does_not_open_by_a_clock_that_was_stepped(
    stage: Stage, hosts_clock: SteppedClock
) -> None:
    """Forward, into the window: the host says at once that its clock is not to be trusted."""
    window = {"begin": ahead(HOUR / 2), "duration": "1h"}
    task = stage.world.wait(ask(stage, "window", window=window), "held")
    hosts_clock.set(HOUR)
    stage.sound(task, "window", state="error", history="action_failed")
    assert stage.ended(task)["error"]["code"] == "clock-skew"


def test_a_held_call_is_still_held_when_the_clock_has_gone_back_and_come_right_again(
    stage: Stage, hosts_clock: SteppedClock
) -> None:
    """It may be set right before the window opens."""
    window = {"begin": ahead(6), "duration": "5m"}
    task = stage.world.wait(ask(stage, "held-on", window=window), "held")
    hosts_clock.set(-HOUR)
    beside = ask(stage, "beside")
    stage.world.wait(beside, "finished")
    assert stage.world.task(task["id"])["state"] == "held"
    hosts_clock.set(0)
    stage.sound(task, "held-on", state="finished", history="packages_installed")


@STEPS
def test_the_servers_clock_is_stepped_while_an_agent_works(
    stage: Stage, server_clock: SteppedClock, step: float
) -> None:
    with at_work(stage, f"server-{step:+.0f}".replace("+", "p")) as task:
        step_server(stage, server_clock, step)
    stage.sound(task, name_of(task), state="finished", history="packages_installed")
    again = ask(stage, f"later-{step:+.0f}".replace("+", "p"))
    stage.sound(again, name_of(again), state="finished", history="packages_installed")


@STEPS
def test_the_servers_clock_is_stepped_while_a_task_waits_for_its_host(
    stage: Stage, server_clock: SteppedClock, step: float
) -> None:
    """Forward, its deadline is over; back, it has more time. Either way it ends, and what timed out is not done."""
    stage.away()
    name = f"waits-{step:+.0f}".replace("+", "p")
    task = ask(stage, name, deliver_within="30m")
    step_server(stage, server_clock, step)
    if step > 0:
        assert stage.ended(task)["error"]["code"] == "accept-timeout"
    stage.world.start_agent(stage.host)
    done = step < 0
    history = "packages_installed" if done else "action_failed"
    stage.sound(task, name, state="finished" if done else "timed_out", history=history)


def test_a_start_time_is_kept_when_the_servers_clock_goes_back_and_forth(
    stage: Stage, server_clock: SteppedClock
) -> None:
    task = ask(stage, "start-time", not_before=ahead(HOUR / 2))
    step_server(stage, server_clock, -HOUR)
    assert stage.world.task(task["id"])["state"] == "scheduled"
    step_server(stage, server_clock, HOUR)
    stage.sound(task, "start-time", state="finished", history="packages_installed")


def test_both_clocks_are_stepped_together_and_a_server_is_killed(
    stage: Stage, server_clock: SteppedClock, hosts_clock: SteppedClock
) -> None:
    with at_work(stage, "together") as task:
        for clock in (server_clock, hosts_clock):
            clock.set(-HOUR)
        stage.world.server.kill()
        stage.start_server()
    stage.sound(task, "together", state="finished", history="packages_installed")
    held = ask(stage, "held", window={"begin": ahead(-HOUR + 3), "duration": "5m"})
    stage.sound(held, "held", state="finished", history="packages_installed")


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def name_of(task: dict[str, Any]) -> str:
    return str(task["args"]["packages"][0]["name"])
