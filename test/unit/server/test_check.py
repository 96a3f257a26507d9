"""`pulp-server check` finds what breaks a rule, and nothing in a store that keeps them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from server_world import HOUR, RESULT, START, World

from pulp.common.windows import Window
from pulp.rmi.messages import Failed, Started, Succeeded
from pulp.server.check import check
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import StoredProfile
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskError, TaskState, WindowRule

OPENS = START + HOUR


def lively(world: World) -> dict[str, str]:
    """A store with tasks in many conditions; their ids by condition."""
    world.consumer()
    world.consumer("away")
    peer = world.hello()
    ids = {name: world.install() for name in ("finished", "failed", "running", "sent")}
    ids["parked"] = world.install("away")
    ids["scheduled"] = world.install(not_before=START + 1000)
    ids["windowed"] = world.install(window=Window(OPENS, OPENS + HOUR))
    world.step()
    world.reply(
        peer,
        Succeeded(id=ids["finished"], value=RESULT, started=1, finished=2),
        Failed(id=ids["failed"], code="script", message="no"),
        Started(id=ids["running"], at=START),
    )
    return ids


def found(world: World) -> list[tuple[int, str]]:
    return [(v.invariant, v.subject) for v in check(world.store)]


def test_a_sound_store_has_no_violation(world: World):
    lively(world)
    assert found(world) == []


@pytest.mark.parametrize(
    ("condition", "changes", "invariant"),
    [
        ("running", {"deadline": None}, 6),
        ("sent", {"call": None}, 1),
        ("sent", {"phase": "lost-between"}, 6),
        ("running", {"finished_at": 5}, 4),
        ("finished", {"finished_at": None}, 4),
        ("finished", {"deadline": 9}, 6),
        ("failed", {"error": None}, 4),
        ("failed", {"error": TaskError(code="timeout", message="m")}, 4),
        ("failed", {"state": TaskState.FINISHED, "error": None, "result": bytes(RESULT)}, 5),
        ("finished", {"state": TaskState.ERROR}, 5),
        ("parked", {"consumer_id": "nobody"}, 6),
        ("sent", {"rule": WindowRule()}, 7),
        ("windowed", {"expires": OPENS - 1}, 7),
        ("windowed", {"rule": WindowRule(cutoff_at=OPENS + HOUR)}, 7),
        ("windowed", {"rule": WindowRule(missed="next")}, 7),
        ("windowed", {"rule": WindowRule(missed="grace", grace=1, late=OPENS)}, 7),
        ("windowed", {"rule": WindowRule(asked="nights")}, 7),
        ("windowed", {"rule": WindowRule(void="Window nights was deleted.")}, 7),
    ],
)
def test_each_broken_rule_is_named(
    world: World, condition: str, changes: dict[str, Any], invariant: int
):
    task_id = lively(world)[condition]
    world.store.write(lambda uow: uow.tasks.save(world.task(task_id).replace(**changes)))
    assert (invariant, task_id) in found(world)


def test_a_foreign_originator_and_a_second_end_are_named(world: World):
    task_id = lively(world)["finished"]
    event = HistoryEvent(
        consumer_id="web1",
        type=HistoryType.ACTION_FAILED,
        at=START,
        originator="reply-thread",
        task_id=task_id,
    )
    world.store.write(lambda uow: uow.history.add(event))
    assert sorted(found(world)) == [(4, task_id), (5, task_id), (5, task_id)]


def test_a_success_without_history_is_named(world: World):
    task_id = lively(world)["sent"]
    record = world.task(task_id).replace(
        state=TaskState.FINISHED, phase="", deadline=None, finished_at=2, result=bytes(RESULT)
    )
    world.store.write(lambda uow: uow.tasks.save(record))
    assert found(world) == [(5, task_id)]


def _changed(uow: UnitOfWork, **changes: Any) -> None:
    consumer = uow.consumers.get("web1")
    assert consumer is not None
    uow.consumers.save(consumer.replace(**changes))


@pytest.mark.parametrize("changes", [{"replanned": 1}, {"windows": ["nights"]}])
def test_a_host_whose_windows_are_not_sound_is_named(world: World, changes: dict[str, Any]):
    lively(world)
    world.store.write(lambda uow: _changed(uow, **changes))
    assert found(world) == [(7, "web1")]
    assert str(next(check(world.store))).startswith("invariant 7: consumer web1: ")


PROFILE = b'[{"name":"nginx","version":"1","arch":"all"},{"name":"bash","version":"5"}]'


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM installed WHERE package_id = (SELECT id FROM package WHERE name = 'bash')",
        "UPDATE package SET version = '2' WHERE name = 'nginx'",
        "UPDATE profile SET packages = CAST('[]' AS BLOB)",
    ],
)
def test_packages_that_are_not_those_of_the_profile_are_named(
    world: World, tmp_path: Path, harm: str
):
    lively(world)
    profile = StoredProfile(consumer_id="web1", hash="h", at=START, packages=PROFILE)
    world.store.write(lambda uow: uow.consumers.save_profile(profile))
    assert found(world) == []
    with closing(sqlite3.connect(tmp_path / "pulp.db")) as db, db:
        db.execute(harm)
    assert found(world) == [(1, "web1")]
