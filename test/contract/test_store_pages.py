"""The contract of TaskRepository: lists page by page."""

from __future__ import annotations

import pytest
from store_samples import add_tasks, event, task

from pulp.server.db.base import BadCursor, Store, TaskFilter
from pulp.server.domain.task import (
    TaskRecord,
    TaskState,
)


def pages(store: Store, where: TaskFilter, limit: int) -> list[list[TaskRecord]]:
    found, after = [], None
    while True:
        page = store.read(lambda uow, after=after: uow.tasks.page(where, after, limit))
        found.append(page.items)
        if page.next is None:
            return found
        after = page.next


def test_an_empty_list_is_one_empty_page(store: Store):
    assert pages(store, TaskFilter(), 10) == [[]]


@pytest.mark.parametrize(("number", "sizes"), [(4, [2, 2]), (5, [2, 2, 1])])
def test_pages_are_newest_first_and_the_last_has_no_next(store: Store, number, sizes):
    added = add_tasks(store, *(task() for _ in range(number)))
    found = pages(store, TaskFilter(), 2)
    assert [len(items) for items in found] == sizes
    assert [record for items in found for record in items] == added[::-1]


def test_tasks_added_between_two_pages_neither_show_up_nor_repeat_others(store: Store):
    added = add_tasks(store, *(task() for _ in range(4)))
    where = TaskFilter(consumer_id="web1")
    first = store.read(lambda uow: uow.tasks.page(where, None, 2))
    add_tasks(store, task(), task(), task())
    second = store.read(lambda uow: uow.tasks.page(where, first.next, 2))
    assert [*first.items, *second.items] == added[::-1]
    assert second.next is None


FILTERS = [
    TaskFilter(),
    TaskFilter(states=frozenset({TaskState.WAITING})),
    TaskFilter(states=frozenset({TaskState.ERROR, TaskState.RUNNING})),
    TaskFilter(consumer_id="web1"),
    TaskFilter(consumer_id="web1", states=frozenset({TaskState.ERROR, TaskState.WAITING})),
    TaskFilter(job_id="j1"),
    TaskFilter(job_id="j1", consumer_id="web2", states=frozenset({TaskState.RUNNING})),
    TaskFilter(kind="reboot"),
    TaskFilter(kind="reboot", states=frozenset({TaskState.WAITING, TaskState.ERROR})),
    TaskFilter(kind="reboot", consumer_id="web2"),
    TaskFilter(kind="reboot", job_id="j2", consumer_id="web1"),
    TaskFilter(consumer_id="nobody"),
]


def matches(where: TaskFilter, record: TaskRecord) -> bool:
    return (
        (not where.states or record.state in where.states)
        and where.consumer_id in (None, record.consumer_id)
        and where.job_id in (None, record.job_id)
        and where.kind in (None, record.kind)
    )


@pytest.mark.parametrize("where", FILTERS, ids=range(len(FILTERS)))
def test_a_page_holds_what_the_filter_says(store: Store, where):
    added = add_tasks(
        store,
        *(
            task(consumer_id=consumer_id, job_id=job_id, kind=kind, state=state)
            for consumer_id in ("web1", "web2", None)
            for job_id in ("j1", "j2", None)
            for kind in ("packages.install", "reboot")
            for state in (TaskState.WAITING, TaskState.RUNNING, TaskState.ERROR)
        ),
    )
    found = [record for items in pages(store, where, 4) for record in items]
    assert found == [record for record in reversed(added) if matches(where, record)]


@pytest.mark.parametrize("after", ["", "x", "1", "ä", "W10=", "WyJ0YXNrcyJd", "a" * 500, "null"])
def test_a_cursor_that_was_not_given_out_is_refused(store: Store, after):
    with pytest.raises(BadCursor, match="after"):
        store.read(lambda uow: uow.tasks.page(TaskFilter(), after, 10))


def test_a_cursor_of_another_list_is_refused(store: Store):
    store.write(lambda uow: [uow.history.add(event()) for _ in range(2)])
    cursor = store.read(lambda uow: uow.history.page("web1", limit=1)).next
    with pytest.raises(BadCursor):
        store.read(lambda uow: uow.tasks.page(TaskFilter(), cursor, 10))
