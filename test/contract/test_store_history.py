"""The contract of HistoryRepository."""

from __future__ import annotations

import pytest
from store_samples import event

from pulp.common.ids import new_id
from pulp.server.db.base import BadCursor, Store
from pulp.server.domain.history import HistoryEvent, HistoryType


def add(store: Store, *events: HistoryEvent) -> list[bool]:
    return store.write(lambda uow: [uow.history.add(each) for each in events])


def page(store: Store, consumer_id: str = "web1", **given):
    return store.read(lambda uow: uow.history.page(consumer_id, **given))


def times(store: Store, **given) -> list[int]:
    return [each.at for each in page(store, **given).items]


def test_an_event_is_read_back_whole_with_an_id(store: Store):
    given = event()
    assert add(store, given) == [True]
    [read] = page(store).items
    assert read.id > 0
    assert read == HistoryEvent(
        consumer_id=given.consumer_id,
        type=given.type,
        at=given.at,
        originator=given.originator,
        task_id=given.task_id,
        details=given.details,
        id=read.id,
    )


@pytest.mark.parametrize("type_", HistoryType)
def test_every_type_can_be_stored(store: Store, type_):
    add(store, event(type=type_))
    assert [each.type for each in page(store).items] == [type_]


def test_a_second_event_of_this_type_for_the_task_is_not_written(store: Store):
    task_id = new_id()
    first = event(task_id=task_id, originator="ada")
    second = event(task_id=task_id, originator="bob", at=2_000)
    assert add(store, first) == [True]
    assert add(store, second) == [False]
    assert add(store, second, second) == [False, False]
    assert [each.originator for each in page(store).items] == ["ada"]


def test_another_type_or_task_is_another_event(store: Store):
    task_id = new_id()
    late = event(task_id=task_id, type=HistoryType.LATE_RESULT)
    assert add(store, event(task_id=task_id), late, event()) == [True, True, True]


def test_events_without_a_task_may_repeat(store: Store):
    rebooted = event(task_id=None, type=HistoryType.REBOOTED)
    assert add(store, rebooted, rebooted) == [True, True]


def test_newest_first_and_oldest_first(store: Store):
    add(store, *(event(at=at) for at in (20, 40, 10, 30)))
    assert times(store) == [40, 30, 20, 10]
    assert times(store, newest_first=False) == [10, 20, 30, 40]


def test_events_of_one_moment_are_in_order_of_their_writing(store: Store):
    add(store, *(event(at=5, originator=name) for name in "abc"))
    oldest_first = page(store, newest_first=False).items
    assert [each.originator for each in oldest_first] == ["a", "b", "c"]
    assert page(store).items == oldest_first[::-1]


def test_begin_and_end_are_inclusive(store: Store):
    add(store, *(event(at=at) for at in (10, 20, 30, 40)))
    assert times(store, begin=20) == [40, 30, 20]
    assert times(store, end=30) == [30, 20, 10]
    assert times(store, begin=20, end=30, newest_first=False) == [20, 30]
    assert times(store, begin=21, end=29) == []


def test_types_and_consumer_choose(store: Store):
    add(
        store,
        event(at=1, type=HistoryType.REBOOTED),
        event(at=2, type=HistoryType.ACTION_FAILED),
        event(at=3),
        event(at=4, consumer_id="web2"),
    )
    chosen = frozenset({HistoryType.REBOOTED, HistoryType.PACKAGES_INSTALLED})
    assert times(store, types=chosen) == [3, 1]
    assert times(store, types=chosen, begin=2) == [3]


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_join_without_gap_or_repetition(store: Store, newest_first):
    add(store, *(event(at=at) for at in (1, 2, 2, 2, 3)))
    found, after = [], None
    for size in (2, 2, 1):
        got = page(store, newest_first=newest_first, after=after, limit=2)
        assert len(got.items) == size
        found += got.items
        after = got.next
    assert after is None
    everything = sorted(found, key=lambda each: (each.at, each.id), reverse=newest_first)
    assert found == everything
    assert len({each.id for each in found}) == 5


@pytest.mark.parametrize("size", [300_000, 2_000_000])
def test_a_page_of_large_events_ends_early_and_the_next_goes_on(store: Store, size: int):
    details = b'{"log":"' + b"x" * size + b'"}'
    add(store, *(event(at=at, details=details) for at in range(7)))
    seen, after, pages = [], None, 0
    while pages == 0 or after:
        read = page(store, newest_first=False, after=after)
        assert sum(len(each.details) for each in read.items) <= max(1024 * 1024, len(details))
        seen += [each.at for each in read.items]
        after, pages = read.next, pages + 1
    assert seen == list(range(7))
    assert pages == (3 if size == 300_000 else 7)


def test_events_written_between_two_pages_do_not_disturb(store: Store):
    add(store, *(event(at=at) for at in (10, 20, 30, 40)))
    first = page(store, limit=2)
    add(store, event(at=50), event(at=35), event(at=15))
    assert times(store, after=first.next) == [20, 15, 10]


@pytest.mark.parametrize("after", ["", "x", "bm9uZQ", "W10"])
def test_a_cursor_that_was_not_given_out_is_refused(store: Store, after):
    with pytest.raises(BadCursor, match="after"):
        page(store, after=after)


def test_of_task(store: Store):
    task_id = new_id()
    failed = event(task_id=task_id, type=HistoryType.ACTION_FAILED, at=20)
    late = event(task_id=task_id, type=HistoryType.LATE_RESULT, at=10)
    add(store, failed, event(), late)
    found = store.read(lambda uow: uow.history.of_task(task_id))
    assert [each.type for each in found] == [HistoryType.ACTION_FAILED, HistoryType.LATE_RESULT]
    assert store.read(lambda uow: uow.history.of_task(new_id())) == []


def test_knows(store: Store):
    add(store, event(consumer_id="gone"))
    assert store.read(lambda uow: uow.history.knows("gone"))
    assert not store.read(lambda uow: uow.history.knows("web1"))


def test_one_event_is_read_by_its_consumer_and_id(store: Store):
    add(store, event(details=b'{"log":"x"}'), event(consumer_id="web2"))
    [mine], [other] = page(store).items, page(store, "web2").items
    assert store.read(lambda uow: uow.history.get("web1", mine.id)) == mine
    assert store.read(lambda uow: uow.history.get("web1", other.id)) is None
    assert store.read(lambda uow: uow.history.get("web1", 10**15)) is None
