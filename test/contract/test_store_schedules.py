"""The contract of the schedules' repository."""

from __future__ import annotations

import pytest

from pulp.common.calendar import Recurrence
from pulp.common.ids import new_id
from pulp.server.db.base import BadCursor, Conflict, Duplicate, Store
from pulp.server.domain.schedule import Counts, Missed, Schedule


def schedule(name: str = "nightly", **given) -> Schedule:
    values = {
        "id": new_id(),
        "name": name,
        "created_by": "ada",
        "created_at": 1,
        "recurrence": Recurrence(rrule="FREQ=DAILY", dtstart="2026-01-01T02:00", zone="UTC"),
        "consumers": ["web1"],
        "kind": "packages.update_all",
        "version": 1,
        "args": b'{"security_only":true}',
        "deliver_within": 2,
        "timeout": 3,
    }
    return Schedule(**values | given)


def add(store: Store, *schedules: Schedule) -> None:
    store.write(lambda uow: [uow.schedules.add(each) for each in schedules])


def stored(store: Store, name: str = "nightly") -> Schedule | None:
    return store.read(lambda uow: uow.schedules.get(name))


def test_it_is_read_back_whole_also_by_a_later_process(open_store) -> None:
    full = schedule(
        recurrence=Recurrence(
            rrule="FREQ=WEEKLY", dtstart="2026-01-01T02:00", zone="Asia/Tokyo", offset_days=3
        ),
        consumers=["web2", "web1"],
        open_for=4,
        missed=Missed.ONCE,
        runs_left=5,
        failure_threshold=6,
        next_due=7,
        last_due=8,
        why_disabled="Because.",
        failures=9,
        counts=Counts(runs=10, missed=11, skipped_open=12, refused=13),
        last_tasks={"web1": new_id()},
        problems={"web2": "gone"},
    )
    store = open_store()
    add(store, full)
    store.close()
    assert stored(open_store()) == full


def test_a_name_exists_once(store: Store) -> None:
    first = schedule()
    add(store, first)
    with pytest.raises(Duplicate):
        add(store, schedule())
    assert stored(store) == first


def test_it_is_changed_only_as_it_was_read(store: Store) -> None:
    first = schedule()
    add(store, first)
    saved = store.write(lambda uow: uow.schedules.save(first.replace(failures=1)))
    assert (saved.revision, saved.failures) == (2, 1)
    assert stored(store) == saved
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.schedules.save(first.replace(failures=2)))
    assert stored(store) == saved


def test_one_that_is_removed_is_no_more(store: Store) -> None:
    first = schedule()
    add(store, first)
    store.write(lambda uow: uow.schedules.remove("nightly"))
    assert stored(store) is None
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.schedules.save(first))
    store.write(lambda uow: uow.schedules.remove("nightly"))


def test_those_due_are_found_earliest_first(store: Store) -> None:
    assert store.read(lambda uow: uow.schedules.next_due()) is None
    dues = {"a": 30, "b": 10, "c": None, "d": 20}
    add(store, *(schedule(name, next_due=due) for name, due in dues.items()))

    def due(now: int, limit: int = 9) -> list[str]:
        return store.read(lambda uow: uow.schedules.due(now, limit))

    assert [due(9), due(10), due(20), due(99)] == [[], ["b"], ["b", "d"], ["b", "d", "a"]]
    assert due(99, limit=1) == ["b"]
    assert store.read(lambda uow: uow.schedules.next_due()) == 10


def test_pages_go_by_name(store: Store) -> None:
    add(store, *(schedule(name) for name in ("c", "a", "b")))
    first = store.read(lambda uow: uow.schedules.page(None, 2))
    assert [each.name for each in first.items] == ["a", "b"]
    last = store.read(lambda uow: uow.schedules.page(first.next, 2))
    assert ([each.name for each in last.items], last.next) == (["c"], None)
    with pytest.raises(BadCursor):
        store.read(lambda uow: uow.schedules.page("what", 2))
