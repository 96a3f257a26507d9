"""What is kept, what is dropped, and that it goes in small chunks."""

from __future__ import annotations

import pytest
from server_world import DAY, START, Add, World

from pulp.server.api import housekeeping
from pulp.server.api.housekeeping import Housekeeper, Retention
from pulp.server.config import Retention as Settings
from pulp.server.domain.history import HistoryEvent, HistoryType


def run(world: World, retention: Retention) -> int:
    """How many steps until it rests."""
    keeper, steps = Housekeeper(world.store, retention), 1
    while keeper.step(world.now) <= world.now:
        steps += 1
    return steps


def ended(world: World, count: int) -> list[str]:
    ids = [world.enqueue(Add, None, "a") for _ in range(count)]
    world.step()
    return ids


def kept(world: World, ids: list[str]) -> int:
    return world.store.read(lambda uow: sum(uow.tasks.get(i) is not None for i in ids))


def test_ended_tasks_go_after_their_time_in_chunks_and_open_ones_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(housekeeping, "CHUNK", 10)
    world.consumer()
    old, waiting = ended(world, 25), world.install(deliver_within=400 * DAY)
    world.clock.at += 91 * DAY
    young = ended(world, 3)
    assert run(world, Retention(tasks=90 * DAY, history=None)) == 3
    assert (kept(world, old), kept(world, young), kept(world, [waiting])) == (0, 3, 1)


def test_history_has_its_own_time_and_nothing_goes_where_it_is_kept_for_ever(world: World):
    for at in (START - 9 * DAY, START):
        event = HistoryEvent(
            consumer_id="web1", type=HistoryType.PROFILE_CHANGED, at=at, originator="agent"
        )
        world.store.write(lambda uow, event=event: uow.history.add(event))
    run(world, Retention(tasks=None, history=None))
    assert len(world.history()) == 2
    run(world, Retention(tasks=None, history=7 * DAY))
    assert [e.at for e in world.history()] == [START]


@pytest.mark.parametrize(("text", "age"), [("forever", None), ("0", None), ("2d", 2 * DAY)])
def test_ages_as_people_write_them(text: str, age: int | None):
    assert Settings.age(text) == age
