"""The server dies at each of its failpoints in turn: one execution, one end, one history entry, whatever it was about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import plan_ways
import pytest
from failpoints import names
from fault_stage import PATIENCE, Stage, unanswered
from pulp_agent.home import Home
from world import BIN, Program, WorldError, until

from pulp.crypto.keys import make_csr, new_key

Way = Callable[[Stage, str], None]
"""Drives one package's installation, or another thing, past the armed failpoint, and checks the end."""


def install(stage: Stage, package: str) -> None:
    task = stage.ask(package)
    stage.sound(task, package, state="finished", history="packages_installed")


def parked(stage: Stage, package: str) -> None:
    stage.away()
    task = stage.ask(package)
    stage.reached()
    stage.revive()
    stage.world.start_agent(stage.host)
    stage.sound(task, package, state="finished", history="packages_installed")


def hello(stage: Stage, package: str) -> None:
    """The task waits for the agent; the agent comes, and the server dies."""
    armed = stage.armed()
    stage.disarm()
    stage.away()
    task = stage.ask(package)
    for name in armed:
        stage.arm(name)
    stage.host.agent.start()
    stage.sound(task, package, state="finished", history="packages_installed")


def leave(stage: Stage, package: str) -> None:
    stage.host.agent.stop()
    stage.reached()
    stage.revive()
    assert stage.world.get(f"/consumers/{stage.host.id}")["online"] is False
    stage.world.start_agent(stage.host)
    install(stage, package)


def restart(stage: Stage, package: str) -> None:
    """Dies once more while it starts, with a task under way."""
    task = stage.ask(package)
    stage.world.server.kill()
    stage.start_server()
    stage.sound(task, package, state="finished", history="packages_installed")


def scheduled(stage: Stage, package: str) -> None:
    task = stage.ask(package, not_before=ahead(1.0))
    stage.sound(task, package, state="finished", history="packages_installed")


def overdue(stage: Stage, package: str) -> None:
    stage.away()
    task = stage.ask(package, deliver_within="1s")
    stage.reached()
    stage.revive()
    assert stage.ended(task)["error"]["code"] == "accept-timeout"
    stage.world.start_agent(stage.host)
    stage.sound(task, package, state="timed_out", history="action_failed")


def refused(stage: Stage, package: str) -> None:
    """The agent comes back on a host whose package tools are gone."""
    host = stage.host
    stage.away()
    task = stage.ask(package)
    env = {**stage.world.env, "PATH": "/nonexistent"}
    argv = [BIN / "pulp-agent", "run", "--data", host.data]
    crippled = Program(argv, env=env, log=stage.world.path / "logs" / "crippled.log")
    crippled.start()
    try:
        stage.reached()
        stage.revive()
        assert stage.ended(task)["error"]["code"] == "unsupported-version"
    finally:
        crippled.stop()
    stage.world.wait_online(host, False)
    stage.world.start_agent(host)
    stage.sound(task, package, state="error", history="action_failed")


def canceled_while_held(stage: Stage, package: str) -> None:
    armed = stage.armed()
    stage.disarm()
    begin = {"begin": ahead(3600), "duration": "1h"}
    task = stage.world.wait(stage.ask(package, window=begin), "held")
    for name in armed:
        stage.arm(name)
    stage.cancel(task)
    stage.sound(task, package, state="canceled", history="action_canceled")


def unregistered(stage: Stage, package: str) -> None:
    stage.away()
    task, host = stage.ask(package), stage.host

    def gone() -> bool:
        stage.revive()
        with unanswered():
            return stage.world.rest.delete(f"/consumers/{host.id}").status_code in (204, 404)
        return False

    until(gone, "the answer")
    stage.reached()
    stage.revive()
    assert stage.world.rest.get(f"/consumers/{host.id}").status_code == 404
    assert stage.ended(task)["error"]["code"] == "consumer-unregistered"
    types = [e["type"] for e in stage.world.history(host)]
    assert (types.count("action_canceled"), types.count("consumer_unregistered")) == (1, 1)
    stage.violations_none()
    stage.drop_host()


def registered(stage: Stage, package: str) -> None:
    """The answer to a registration is lost; the same token asks again and is answered as before."""
    host, armed = stage.host, stage.armed()
    stage.disarm()
    host.agent.stop()
    token = stage.world.token(host.id)
    for name in armed:
        stage.arm(name)
    with pytest.raises(WorldError):
        host.register(token)
    stage.reached()
    stage.revive()
    uid = stage.world.get(f"/consumers/{host.id}")["uid"]
    host.register(token)
    assert stage.world.get(f"/consumers/{host.id}")["uid"] == uid
    assert len(stage.world.history(host, type="consumer_registered")) == 2
    stage.world.start_agent(host)
    install(stage, package)


def renewed(stage: Stage, package: str) -> None:
    """A request for a renewal that lies ready is what the agent asks with at its start."""
    host = stage.host
    before = (host.data / "identity.pem").read_text()
    stage.world.wait_online(host)
    host.agent.stop()
    make_renewal(stage)
    host.agent.start()
    stage.settle()
    identity, next_ = host.data / "identity.pem", host.data / "next.pem"
    until(lambda: identity.read_text() != before, "the new certificate", PATIENCE)
    until(lambda: not next_.exists(), "the old one to be dropped", PATIENCE)
    stage.world.wait_online(host, limit=PATIENCE)
    assert stage.world.history(host, type="certificate_renewed")
    install(stage, package)


def recurring(stage: Stage, package: str) -> None:
    """A schedule is due in the next minute."""
    begin = datetime.now(UTC) + timedelta(seconds=62)
    body = {
        "name": package,
        "action": "install",
        "packages": [package],
        "consumers": [stage.host.id],
        "rrule": "FREQ=DAILY",
        "dtstart": f"{begin:%Y-%m-%dT%H:%M}",
        "zone": "UTC",
    }
    stage.world.post("/schedules", body)

    def made() -> list[dict[str, Any]]:
        stage.revive()
        with unanswered():
            listed = stage.world.get("/tasks", consumer=stage.host.id)["items"]
            return [t for t in listed if t["requested_by"].startswith(f"schedule:{package} ")]
        return []

    (task,) = until(made, "the schedule's task", 90)
    stage.sound(task, package, state="finished", history="packages_installed")
    assert [t["id"] for t in made()] == [task["id"]]
    seen = stage.world.get(f"/schedules/{package}")
    assert (seen["counts"]["runs"], seen["counts"]["missed"]) == (1, 0)


def window_deleted(stage: Stage, package: str) -> None:
    """By force: the server dies when the host is unbound and the window is still there."""
    rest, name = stage.world.rest, package
    begin = {"begin": ahead(3600), "duration": "1h"}
    stage.world.post("/windows", {"name": name, **begin})
    host = f"/consumers/{stage.host.id}"
    assert rest.put(f"/windows/{name}{host}").json()["windows"] == [name]

    def gone() -> bool:
        stage.revive()
        with unanswered():
            answer = rest.delete(f"/windows/{name}", params={"force": "true"})
            return answer.status_code in (204, 404)
        return False

    until(gone, "the answer")
    stage.reached()
    assert rest.get(f"/windows/{name}").status_code == 404
    assert stage.world.get(host)["windows"] == []
    changes = stage.world.history(stage.host, type="windows_changed")
    assert [e["details"] for e in changes] == [{"unbound": name}, {"bound": name}]
    install(stage, package)


def make_renewal(stage: Stage) -> None:
    home, key = Home(stage.host.data), new_key()
    home.next_key.write_text(key)
    home.next_csr.write_text(make_csr(key, common_name=home.registration().uid))


def ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


WAYS: dict[str, tuple[Way, int]] = {
    "store.commit.before": (install, 4),
    "store.commit.after": (install, 4),
    "server.enqueue.committed": (install, 1),
    "server.run.committed": (install, 1),
    "server.request.sent": (install, 1),
    "server.end.written": (install, 1),
    "server.end.committed": (install, 1),
    "server.reply.committed": (install, 2),
    "server.reply.settled": (install, 2),
    "server.park.committed": (parked, 1),
    "server.hello.committed": (hello, 1),
    "server.hello.answered": (hello, 1),
    "server.leave.committed": (leave, 1),
    "server.start.committed": (restart, 1),
    "server.promote.committed": (scheduled, 1),
    "server.schedule.committed": (recurring, 1),
    "server.deadline.committed": (overdue, 1),
    "server.refuse.committed": (refused, 1),
    "server.cancel.committed": (canceled_while_held, 1),
    "server.cancel.sent": (canceled_while_held, 1),
    "server.keep.sent": (plan_ways.kept, 1),
    "server.replan.committed": (plan_ways.moved, 1),
    "server.replan.noted": (plan_ways.moved, 1),
    "server.replan.sent": (plan_ways.moved, 1),
    "server.unregister.committed": (unregistered, 1),
    "server.window.unbound": (window_deleted, 1),
    "server.register.committed": (registered, 1),
    "server.renew.committed": (renewed, 1),
    "server.renew.answered": (renewed, 1),
}
"""The way past each failpoint, and at how many passes of it the server dies, each in a case of its own."""

QUICK = ("server.run.committed", "server.end.written", "server.hello.committed")
"""Run by every `./dev test`; the others by --all."""

POINTS = [name for name in names() if name.startswith(("server.", "store."))]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("failpoints")) as stage:
        yield stage


def cases() -> list[Any]:
    counted = [(n, range(1, WAYS.get(n, (install, 1))[1] + 1)) for n in POINTS]
    return [case(name, nth) for name, passes in counted for nth in passes]


def case(name: str, nth: int) -> Any:
    id_ = f"{name}@{nth}" if nth > 1 else name
    marks = () if id_ in QUICK else pytest.mark.exhaustive
    return pytest.param(name, nth, id=id_, marks=marks)


@pytest.mark.parametrize(("name", "nth"), cases())
def test_the_server_dies_at(stage: Stage, name: str, nth: int) -> None:
    assert name in WAYS, f"no way past the failpoint {name} is known: add one to WAYS"
    stage.play(name, nth, WAYS[name][0])


def test_no_way_is_left_of_a_failpoint_that_is_no_more() -> None:
    assert set(WAYS) == set(POINTS)
