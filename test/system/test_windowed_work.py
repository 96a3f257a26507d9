"""Work in windows that have a name: asked for by it or by `next`, on a host whose windows are enforced, past an opening that was
missed, and by an override. With pulp-admin, a server, an agent and dpkg of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fault_stage import PATIENCE, Stage
from world import until

SECOND = timedelta(seconds=1)
AHEAD = 15 * SECOND
"""Until a window opens: in this time a call is accepted and whoever is to be away is killed."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("work")) as stage:
        yield stage


def now() -> datetime:
    return datetime.now(UTC)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def window(stage: Stage, name: str, begin: datetime, end: datetime) -> Iterator[None]:
    """One that is bound to the stage's host, and gone at the end."""
    made = {"name": name, "begin": begin.isoformat(), "end": end.isoformat()}
    stage.world.post("/windows", made)
    stage.world.admin("window", "bind", name, stage.host.id)
    try:
        yield
    finally:
        stage.revive()
        stage.world.rest.delete(f"/windows/{name}", params={"force": "true"})


@contextmanager
def enforced(stage: Stage) -> Iterator[None]:
    path = f"/consumers/{stage.host.id}"
    stage.world.rest.patch(path, json={"enforced": True}).raise_for_status()
    try:
        yield
    finally:
        stage.world.rest.patch(path, json={"enforced": False}).raise_for_status()


def ask(stage: Stage, package: str, *options: str) -> dict[str, Any]:
    """By pulp-admin, without waiting for it."""
    stage.publish(package)
    asked = stage.world.admin("consumer", "install", stage.host.id, package, *options, "--no-wait")
    return stage.world.task(asked.stdout.strip())


def done_at(stage: Stage) -> datetime:
    return datetime.fromtimestamp((stage.host.root / "executions").stat().st_mtime, UTC)


def test_work_for_a_window_by_its_name_is_done_in_it_while_the_server_is_away(
    stage: Stage,
) -> None:
    stage.begin()
    begin = now() + AHEAD
    end = begin + 60 * SECOND
    with window(stage, "soon", begin, end):
        task = ask(stage, "named", "--window", "soon")
        held = stage.world.wait(task, "held")
        assert held["window"]["asked"] == "soon"
        assert (held["waiting_for"]["code"], held["waiting_for"]["windows"]) == ("window", ["soon"])
        why = stage.world.admin("task", "why", task["id"]).stdout
        assert "waits for its window soon at " in why
        stage.world.server.kill()
        until(lambda: "named" in stage.host.installed(), "the installation", 45)
        assert begin <= done_at(stage) < end
        stage.start_server()
        stage.world.wait_online(stage.host, limit=PATIENCE)
        stage.sound(task, "named", state="finished", history="packages_installed")


def test_an_enforced_host_takes_work_for_its_next_opening_only(stage: Stage) -> None:
    stage.begin()
    begin = now() + AHEAD
    end = begin + 60 * SECOND
    with window(stage, "later", begin, end), enforced(stage):
        refused = stage.world.admin("consumer", "install", stage.host.id, "kept-out", code=4)
        assert "are enforced" in refused.stderr
        assert "--window next" in refused.stderr
        task = ask(stage, "let-in", "--window", "next")
        stage.world.wait(task, "held")
        stage.sound(task, "let-in", state="finished", history="packages_installed")
        assert begin <= done_at(stage) < end


def test_an_emergency_overrides_the_hosts_windows_and_stands_in_its_history(stage: Stage) -> None:
    stage.begin()
    begin = now() + timedelta(days=1)
    with window(stage, "tomorrow", begin, begin + timedelta(hours=4)), enforced(stage):
        task = ask(stage, "urgent", "--override", "CVE-2026-1", "--override-for", "1h")
        ended = stage.ended(task)
        assert ended["state"] == "finished", ended
        assert stage.executions("urgent") == 1
        told = {
            event["type"]: event["details"]
            for event in stage.world.history(stage.host)
            if event["task_id"] == task["id"]
        }
        assert set(told) == {"packages_installed", "override_used"}
        for details in told.values():
            assert details["override"] == {"reason": "CVE-2026-1", "by": "admin"}


def test_what_missed_its_opening_is_carried_over_to_the_next(stage: Stage) -> None:
    stage.begin()
    begin = now() + AHEAD
    first_end, second = begin + 2 * SECOND, begin + 25 * SECOND
    end = second + 60 * SECOND
    with window(stage, "first", begin, first_end), window(stage, "second", second, end):
        task = ask(stage, "carried", "--window", "next", "--expected", "1s")
        held = stage.world.wait(task, "held")
        assert moment(held["window"]["begin"]) == begin.replace(
            microsecond=begin.microsecond // 1000 * 1000
        )
        stage.host.agent.kill()
        until(lambda: now() > first_end, "the first opening to be over")
        stage.host.agent.start()
        stage.world.wait_online(stage.host, limit=PATIENCE)

        def moved() -> bool:
            waits = stage.world.task(task["id"])["waiting_for"]
            return waits is not None and waits["windows"] == ["second"]

        until(moved, "the task to wait for the second opening")
        stage.sound(task, "carried", state="finished", history="packages_installed")
        assert second <= done_at(stage) < end
