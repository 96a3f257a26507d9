"""`pulp-server check` finds what breaks a rule, and nothing in a store that keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from server_world import RESULT, START, World

from pulp.rmi.messages import Failed, Started, Succeeded
from pulp.server.check import check
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskError, TaskState


def lively(world: World) -> dict[str, str]:
    """A store with tasks in many conditions; their ids by condition."""
    world.consumer()
    world.consumer("away")
    peer = world.hello()
    ids = {name: world.install() for name in ("finished", "failed", "running", "sent")}
    ids["parked"] = world.install("away")
    ids["scheduled"] = world.install(not_before=START + 1000)
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
