"""The contract of Store and UnitOfWork: what follows a commit, and the end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest
from store_samples import PATIENCE, Blocked, add_tasks, count, task

from pulp.server.db.base import (
    Store,
    StoreError,
    StoreUnavailable,
    TaskChange,
)
from pulp.server.domain.task import PARKED_VERSION, TaskState

# --- after the commit


def test_subscribers_are_told_of_committed_changes(store: Store):
    told: list[TaskChange] = []
    store.subscribe(told.extend)
    [added] = add_tasks(store, task(parked=PARKED_VERSION))
    store.write(lambda uow: uow.tasks.release(PARKED_VERSION))

    def job(uow):
        read = uow.tasks.get(added.id)
        return uow.tasks.save(read.replace(state=TaskState.HELD))

    store.write(job)
    store.close()
    assert told == [
        TaskChange(added.id, 1, TaskState.WAITING),
        TaskChange(added.id, 2, TaskState.WAITING),
        TaskChange(added.id, 3, TaskState.HELD),
    ]


def test_subscribers_hear_nothing_of_what_was_rolled_back(store: Store):
    told: list[TaskChange] = []
    store.subscribe(told.extend)
    blocked = Blocked(store)

    def failing(uow):
        uow.tasks.add(task())
        raise LookupError

    failed = store.submit(failing)
    kept = store.submit(lambda uow: uow.tasks.add(task()))
    blocked.release()
    assert isinstance(failed.exception(PATIENCE), LookupError)
    stored = kept.result(PATIENCE)
    store.close()
    assert [change.id for change in told] == [stored.id]


def test_a_subscriber_finds_what_it_is_told_of_and_one_that_fails_hurts_nobody(store: Store):
    seen: list[bool] = []

    def broken(_):
        raise LookupError("a listener's own fault")

    def looks(changes):
        seen.extend(
            store.read(lambda uow, id_=change.id: uow.tasks.get(id_)) is not None
            for change in changes
        )

    store.subscribe(broken)
    store.subscribe(looks)
    add_tasks(store, task(), task())
    add_tasks(store, task())
    store.close()
    assert seen == [True, True, True]


def test_after_commit_comes_in_order_once_all_is_durable(store: Store):
    calls: list[tuple[str, bool]] = []

    def job(name):
        def run(uow):
            added = uow.tasks.add(task())
            for part in "ab":
                uow.after_commit(
                    lambda part=part: calls.append(
                        (
                            name + part,
                            store.read(lambda reader: reader.tasks.get(added.id)) == added,
                        )
                    )
                )
            assert not calls

        return run

    blocked = Blocked(store)
    futures = [store.submit(job(name)) for name in ("1", "2")]
    blocked.release()
    for future in futures:
        future.result(PATIENCE)
    store.write(lambda _: None)
    assert calls == [("1a", True), ("1b", True), ("2a", True), ("2b", True)]


def test_after_commit_is_never_called_for_what_was_rolled_back(store: Store):
    calls: list[str] = []

    def job(uow):
        uow.after_commit(lambda: calls.append("called"))
        raise LookupError

    with pytest.raises(LookupError):
        store.write(job)
    store.write(lambda _: None)
    assert calls == []


def test_a_callback_that_fails_hurts_nobody(store: Store):
    calls: list[str] = []

    def job(uow):
        uow.after_commit(lambda: {}["missing"])
        uow.after_commit(sys.exit)
        uow.after_commit(lambda: calls.append("called"))
        return uow.tasks.add(task())

    store.write(job)
    store.write(lambda _: None)
    assert count(store) == 1
    assert calls == ["called"]


def test_a_callback_may_submit_and_cannot_deadlock_with_write(store: Store):
    later = []

    def callback():
        later.append(store.submit(lambda uow: uow.tasks.add(task())))
        with pytest.raises(StoreError, match="submit"):
            store.write(lambda _: None)
        later.append("refused")

    store.write(lambda uow: uow.after_commit(callback))
    store.write(lambda _: None)
    future, refused = later
    assert refused == "refused"
    future.result(PATIENCE)
    assert count(store) == 1


def test_a_unit_of_work_is_good_for_its_own_job_only(store: Store):
    units = []
    store.write(units.append)
    store.read(units.append)
    for unit in units:
        with pytest.raises(StoreError):
            unit.tasks.add(task())
        with pytest.raises(StoreError):
            unit.tasks.claimable(1)
    assert count(store) == 0


# --- close


def test_what_was_written_is_there_after_a_new_start(open_store: Callable[[], Store]):
    first = open_store()
    [added] = add_tasks(first, task())
    first.close()
    second = open_store()
    assert second.read(lambda uow: uow.tasks.get(added.id)) == added
    [later] = add_tasks(second, task())
    assert later.seq > added.seq


def test_close_finishes_what_was_submitted(open_store: Callable[[], Store]):
    store = open_store()
    blocked = Blocked(store)
    futures = [store.submit(lambda uow: uow.tasks.add(task())) for _ in range(50)]
    closer = threading.Thread(target=store.close)
    closer.start()
    blocked.release()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert all(future.result(0) for future in futures)
    assert count(open_store()) == 50


def test_close_that_is_interrupted_still_finishes(open_store: Callable[[], Store]):
    store = open_store()
    blocked = Blocked(store)
    futures = [store.submit(lambda uow: uow.tasks.add(task())) for _ in range(5)]

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        blocked.release()

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        store.close()
    timer.join()
    assert all(future.done() for future in futures)
    assert count(open_store()) == 5


def test_calls_after_close_are_refused(store: Store):
    store.close()
    store.close()
    for call in (store.submit, store.write, store.read):
        with pytest.raises(StoreUnavailable, match="closed"):
            call(lambda _: None)
