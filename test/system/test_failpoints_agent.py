"""Agent, job and registration die at each of their failpoints in turn: one execution, one end, one history entry."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import plan_ways
import pytest
from failpoints import names
from fault_stage import PATIENCE, Stage
from pulp_agent.home import Home
from pulp_agent.journal import open_journal
from pulp_agent.records import Confirmed
from stepped_clock import SteppedClock
from world import WorldError, until

from pulp.common.ids import new_id
from pulp.common.times import DAY

Way = Callable[[Stage, str], None]
"""Drives one package's installation past the armed failpoints, and checks the end."""


def install(stage: Stage, package: str) -> None:
    task = stage.ask(package)
    stage.sound(task, package, state="finished", history="packages_installed")


def in_window(stage: Stage, package: str) -> None:
    """The window closes soon after the work is done, and the agent notes that."""
    window = {"begin": datetime.now(UTC).isoformat(), "duration": "4s"}
    task = stage.ask(package, window=window)
    stage.sound(task, package, state="finished", history="packages_installed")


def repaired(stage: Stage, package: str) -> None:
    """The first job dies in its commit, the second one after its repair."""
    stage.arm("job.session.saved", 4)
    install(stage, package)


def withdrawn(stage: Stage, package: str) -> None:
    """The job dies, and then the agent, which was about to take its request back."""
    stage.arm("job.locked")
    install(stage, package)


def canceled_while_locked(stage: Stage, package: str) -> None:
    """The job waits for another package program, and has changed nothing."""
    with (stage.host.root / "var/lib/dpkg/lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        task = stage.ask(package)
        until(lambda: stage.world.task(task["id"])["phase"] == "wait", "the job to wait")
        stage.cancel(task)
        stage.sound(task, package, state="canceled", history="action_canceled")


def compacting(stage: Stage, package: str) -> None:
    """The journal is full of calls that are long over."""
    stage.away()
    journal, _, _ = open_journal(Home(stage.host.data).journal)
    now = int(datetime.now(UTC).timestamp() * 1000)
    over = [Confirmed(ids=[new_id()], at=now) for _ in range(3000)]
    journal.append(over, sync=True)
    journal.close()
    stage.host.agent.start()
    install(stage, package)
    records = open_journal(Home(stage.host.data).journal)
    records[0].close()
    buried = {i for record in records[1] if isinstance(record, Confirmed) for i in record.ids}
    assert buried >= {record.ids[0] for record in over}


def registered(stage: Stage, package: str) -> None:
    """A registration that dies half-way is done again with the same token."""
    token = ready_to_register(stage)
    with pytest.raises(WorldError):
        stage.host.register(token)
    stage.reached()
    stage.host.register(token)
    assert_registered(stage, package)


def registered_all_the_same(stage: Stage, package: str) -> None:
    """It had nothing more to do."""
    token = ready_to_register(stage)
    with pytest.raises(WorldError):
        stage.host.register(token)
    assert_registered(stage, package)


def restarted(stage: Stage, package: str) -> None:
    """The work is followed by a restart of the host, which kills its agent and gives it another boot id: once."""
    count = stage.power.restarts
    task = stage.ask(package, policy={"reboot": "always"})
    over = stage.ended(task)
    assert over["state"] == "finished", over
    assert over["result"]["restart"]["to"] == stage.power.boot_id
    stage.settle()
    events = [e["type"] for e in stage.world.history(stage.host) if e["task_id"] == task["id"]]
    assert sorted(events) == ["packages_installed", "rebooted"]
    assert stage.executions(package) == 1
    assert stage.power.restarts == count + 1
    stage.violations_none()


def ready_to_register(stage: Stage) -> str:
    """A token that replaces this host by itself, as after a new installation."""
    stage.away()
    return stage.world.token(stage.host.id)


def assert_registered(stage: Stage, package: str) -> None:
    stage.world.start_agent(stage.host)
    assert len(stage.world.history(stage.host, type="consumer_registered")) % 2 == 0
    install(stage, package)
    stage.drop_host()


def renewed(stage: Stage, package: str) -> None:
    """Nine months later the agent asks for a new certificate by itself."""
    host, identity = stage.host, stage.host.data / "identity.pem"
    before = identity.read_text()
    host.agent.stop()
    try:
        stage.clock.set(280 * DAY / 1000)
        host.agent.start()
        stage.reached()
        if host.agent.running:
            host.agent.stop()  # an errand that died is tried again at the next start
        host.agent.start()
        until(lambda: identity.read_text() != before, "the new certificate", PATIENCE)
        until(lambda: not (host.data / "next.key").exists(), "the renewal to be over", PATIENCE)
    finally:
        stage.clock.set(0)
    host.agent.stop()
    stage.world.start_agent(host)
    assert stage.world.history(host, type="certificate_renewed")
    install(stage, package)
    stage.drop_host()


WAYS: dict[str, tuple[Way, int]] = {
    **{
        f"agent.journal.{record}.{side}": (install, 1)
        for record in ("took", "began", "lasted", "ended", "confirmed", "profile")
        for side in ("before", "after")
    },
    "agent.journal.opening.before": (in_window, 1),
    "agent.journal.opening.after": (in_window, 1),
    **{
        f"agent.journal.restart-{record}.{side}": (restarted, 1)
        for record in ("due", "asked", "over")
        for side in ("before", "after")
    },
    "agent.journal.replanned.before": (plan_ways.moved, 1),
    "agent.journal.replanned.after": (plan_ways.moved, 1),
    "agent.journal.moved.before": (plan_ways.carried, 1),
    "agent.journal.moved.after": (plan_ways.carried, 1),
    "agent.journal.kept.before": (plan_ways.kept, 1),
    "agent.journal.kept.after": (plan_ways.kept, 1),
    "agent.journal.rewritten": (compacting, 1),
    "agent.journal.replaced": (compacting, 1),
    "agent.file.written": (install, 3),
    "agent.delivery.accepted": (install, 1),
    "agent.final.sent": (install, 1),
    "agent.final.confirmed": (install, 1),
    "agent.job.prepared": (install, 1),
    "agent.job.started": (install, 1),
    "agent.job.forgotten": (install, 1),
    "agent.job.withdrawn": (withdrawn, 1),
    "agent.cancel.decided": (canceled_while_locked, 1),
    "agent.ca.saved": (registered, 1),
    "agent.registration.saved": (registered, 1),
    "agent.register.key": (registered, 1),
    "agent.register.identity": (registered, 1),
    "agent.register.journal": (registered, 1),
    "agent.register.done": (registered_all_the_same, 1),
    "agent.renewal.key": (renewed, 1),
    "agent.renewal.requested": (renewed, 1),
    "agent.renewal.stored": (renewed, 1),
    "agent.renewal.promoted": (renewed, 1),
    "job.locked": (install, 1),
    "job.record.saved": (install, 1),
    "job.commit.decided": (install, 1),
    "job.session.saved": (install, 4),
    "job.committed": (install, 1),
    "job.repaired": (repaired, 1),
    "job.ended": (install, 1),
    "job.result.written": (install, 1),
}
"""The way past each failpoint, and at how many passes of it a process dies, each in a case of its own."""

QUICK = ("agent.journal.began.after", "agent.final.sent", "job.commit.decided")
"""Run by every `./dev test`; the others by --all."""

POINTS = [name for name in names() if name.startswith(("agent.", "job."))]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    path = tmp_path_factory.mktemp("failpoints")
    with Stage(path, clock=SteppedClock(path / "clock")) as stage:
        yield stage


def cases() -> list[Any]:
    counted = [(n, range(1, WAYS.get(n, (install, 1))[1] + 1)) for n in POINTS]
    return [case(name, nth) for name, passes in counted for nth in passes]


def case(name: str, nth: int) -> Any:
    id_ = f"{name}@{nth}" if nth > 1 else name
    marks = () if id_ in QUICK else pytest.mark.exhaustive
    return pytest.param(name, nth, id=id_, marks=marks)


@pytest.mark.parametrize(("name", "nth"), cases())
def test_a_process_dies_at(stage: Stage, name: str, nth: int) -> None:
    assert name in WAYS, f"no way past the failpoint {name} is known: add one to WAYS"
    stage.play(name, nth, WAYS[name][0])


def test_no_way_is_left_of_a_failpoint_that_is_no_more() -> None:
    assert set(WAYS) == set(POINTS)
