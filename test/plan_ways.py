"""Ways past the failpoints of plans that change: windows are moved and missed under what waits for them, and a host's own are
enforced. For the system tests of failpoints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fault_stage import PATIENCE, Stage, unanswered
from pulp_agent.calls import CallTable
from pulp_agent.home import Home
from pulp_agent.journal import read_records
from world import until


def moved(stage: Stage, package: str) -> None:
    """A window is moved from far ahead to now, under a task that waits for it at the host."""
    armed, name = hold_fire(stage), window(stage, package, begin=3600)
    task = stage.world.wait(stage.ask(package, window=name), "held")
    fire(stage, armed)
    ask(stage, "PATCH", f"/windows/{name}", {"begin": ahead(1), "duration": "1h"})
    stage.sound(task, package, state="finished", history="packages_installed")
    drop(stage, name)


def carried(stage: Stage, package: str) -> None:
    """The host is off for one opening, and goes on to the next."""
    armed = hold_fire(stage)
    names = [
        window(stage, f"{package}-a", begin=5, length="4s"),
        window(stage, f"{package}-b", begin=14),
    ]
    missed = datetime.now(UTC) + timedelta(seconds=10)
    task = stage.world.wait(stage.ask(package, window="next", expected="0s"), "held")
    stage.away()
    until(lambda: datetime.now(UTC) > missed, "the first opening to be over", 20)
    fire(stage, armed)
    stage.host.agent.start()
    stage.sound(task, package, state="finished", history="packages_installed")
    for name in names:
        drop(stage, name)


def kept(stage: Stage, package: str) -> None:
    """A host's windows are enforced, and work is done inside of them."""
    armed, name = hold_fire(stage), window(stage, package, begin=-60)
    fire(stage, armed)
    consumer = f"/consumers/{stage.host.id}"
    ask(stage, "PATCH", consumer, {"enforced": True})

    def is_told() -> bool:
        stage.revive()
        keep = CallTable(read_records(Home(stage.host.data).journal)).hours.keep
        return keep is not None and keep.enforced

    until(is_told, "the host's calendar in its journal", PATIENCE)
    task = stage.ask(package, window="next")
    stage.sound(task, package, state="finished", history="packages_installed")
    ask(stage, "PATCH", consumer, {"enforced": False})
    drop(stage, name)


def hold_fire(stage: Stage) -> list[str]:
    """What was armed, for later: nobody is to die before the case has begun."""
    armed = stage.armed()
    stage.disarm()
    return armed


def fire(stage: Stage, armed: list[str]) -> None:
    for name in armed:
        stage.arm(name)


def window(stage: Stage, package: str, *, begin: float, length: str = "1h") -> str:
    """Of the host; it opens once, `begin` seconds from now."""
    name = package.replace(".", "-")
    body = {"name": name, "begin": ahead(begin), "duration": length}
    ask(stage, "POST", "/windows", body)
    ask(stage, "PUT", f"/windows/{name}/consumers/{stage.host.id}")
    return name


def drop(stage: Stage, name: str) -> None:
    ask(stage, "DELETE", f"/windows/{name}?force=true")


def ask(stage: Stage, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    """Until it is answered; done twice it is done once."""

    def answered() -> bool:
        stage.revive()
        with unanswered():
            answer = stage.world.rest.request(method, path, json=body)
            again = answer.status_code in (404, 409) and method in ("DELETE", "POST")
            assert answer.is_success or again, answer.text
            return True
        return False

    until(answered, f"{method} {path} to be answered", 30)


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
