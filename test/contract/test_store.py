"""The contract of Store and UnitOfWork: jobs, commits, snapshots and those who listen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from store_samples import PATIENCE, Blocked, add_tasks, count, event, task

from pulp.server.db.base import (
    Conflict,
    Duplicate,
    Store,
    StoreError,
)
from pulp.server.domain.task import PARKED_VERSION, TaskState

# --- write and submit


def test_write_returns_what_the_job_returned(store: Store):
    assert store.write(lambda _: 42) == 42


def test_an_error_of_the_job_is_the_callers(store: Store):
    def job(uow):
        uow.tasks.add(task())
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        store.write(job)
    assert count(store) == 0


def test_a_failed_job_leaves_nothing_in_any_repository(store: Store):
    def job(uow):
        uow.tasks.add(task())
        uow.history.add(event())
        uow.unreadable.add(at=1, consumer_id="web1", reason="r", body=b"")
        raise LookupError

    with pytest.raises(LookupError):
        store.write(job)
    assert count(store) == 0
    assert not store.read(lambda uow: uow.history.knows("web1"))
    assert store.read(lambda uow: uow.unreadable.count()) == 0


def test_one_failed_job_does_not_touch_the_others_of_its_commit(store: Store):
    blocked = Blocked(store)
    taken = task()

    def failing(uow):
        uow.tasks.add(task())
        uow.tasks.add(taken)

    futures = [
        store.submit(lambda uow: uow.tasks.add(taken)),
        store.submit(failing),
        store.submit(lambda uow: uow.tasks.add(task())),
    ]
    blocked.release()
    assert futures[0].result(PATIENCE).id == taken.id
    with pytest.raises(Duplicate):
        futures[1].result(PATIENCE)
    futures[2].result(PATIENCE)
    assert count(store) == 2


def test_jobs_run_in_order_and_see_those_before(store: Store):
    [added] = add_tasks(store, task())
    blocked = Blocked(store)

    def next_phase(number):
        def job(uow):
            read = uow.tasks.get(added.id)
            return uow.tasks.save(read.replace(phase=f"{read.phase},{number}")).phase

        return job

    futures = [store.submit(next_phase(number)) for number in range(5)]
    blocked.release()
    assert futures[-1].result(PATIENCE) == "queued,0,1,2,3,4"


def test_a_conflict_of_a_stale_record_rolls_its_job_back(store: Store):
    [added] = add_tasks(store, task())
    store.write(lambda uow: uow.tasks.save(added.replace(phase="sent")))

    def job(uow):
        uow.history.add(event())
        uow.tasks.save(added.replace(state=TaskState.FINISHED))

    with pytest.raises(Conflict):
        store.write(job)
    assert not store.read(lambda uow: uow.history.knows("web1"))


def test_what_a_failed_job_wrote_is_not_seen_by_the_next(store: Store):
    [added] = add_tasks(store, task())

    def failing(uow):
        uow.tasks.save(uow.tasks.get(added.id).replace(phase="sent"))
        uow.tasks.release(PARKED_VERSION)
        assert uow.tasks.unaccepted("web1")
        raise LookupError

    def next_one(uow):
        return uow.tasks.get(added.id), uow.tasks.open_of("web1")

    blocked = Blocked(store)
    futures = [store.submit(job) for job in (next_one, failing, next_one)]
    blocked.release()
    assert isinstance(futures[1].exception(PATIENCE), LookupError)
    alone = store.submit(failing)
    assert isinstance(alone.exception(PATIENCE), LookupError)
    for future in (futures[0], futures[2], store.submit(next_one)):
        assert future.result(PATIENCE) == (added, [added])


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RecursionError])
def test_no_error_of_a_job_stops_the_store(store: Store, error):
    def job(_):
        raise error

    for future in [store.submit(job), store.submit(job)]:
        assert isinstance(future.exception(PATIENCE), error)
    assert store.write(lambda _: 1) == 1


def test_many_threads_lose_nothing(store: Store):
    threads, each = 12, 25
    [counter] = add_tasks(store, task(id="counter", plan=0))

    def work(_):
        for _ in range(each):
            store.write(increment)

    def increment(uow):
        read = uow.tasks.get(counter.id)
        uow.tasks.save(read.replace(plan=read.plan + 1))
        uow.tasks.add(task())

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert store.read(lambda uow: uow.tasks.get("counter")).plan == threads * each
    assert count(store) == threads * each + 1


def test_a_future_that_was_cancelled_in_time_does_not_run(store: Store):
    blocked = Blocked(store)
    future = store.submit(lambda uow: uow.tasks.add(task()))
    assert future.cancel()
    blocked.release()
    store.write(lambda _: None)
    assert count(store) == 0


# --- read


def test_a_reading_job_cannot_write(store: Store):
    [added] = add_tasks(store, task(parked=PARKED_VERSION))
    jobs: list[Callable] = [
        lambda uow: uow.tasks.add(task()),
        lambda uow: uow.tasks.save(added.replace(phase="sent")),
        lambda uow: uow.tasks.release(PARKED_VERSION),
        lambda uow: uow.history.add(event()),
        lambda uow: uow.users.remove("ada"),
        lambda uow: uow.after_commit(lambda: None),
    ]
    for job in jobs:
        with pytest.raises(StoreError, match="write"):
            store.read(job)
    assert store.read(lambda uow: uow.tasks.get(added.id)) == added
    assert not store.read(lambda uow: uow.history.knows("web1"))


def test_a_reading_job_sees_one_snapshot(store: Store):
    add_tasks(store, task())

    def job(uow):
        before = len(uow.tasks.claimable(10))
        add_tasks(store, task())
        return before, len(uow.tasks.claimable(10)), len(uow.tasks.open_of("web1"))

    assert store.read(job) == (1, 1, 1)
    assert count(store) == 2


def test_reading_goes_on_while_a_job_writes(store: Store):
    [added] = add_tasks(store, task())
    inside, go = threading.Event(), threading.Event()

    def job(uow):
        uow.tasks.save(added.replace(phase="sent"))
        inside.set()
        assert go.wait(PATIENCE)

    future = store.submit(job)
    assert inside.wait(PATIENCE)
    try:
        assert store.read(lambda uow: uow.tasks.get(added.id)) == added
    finally:
        go.set()
    future.result(PATIENCE)
    assert store.read(lambda uow: uow.tasks.get(added.id)).phase == "sent"


def test_readers_do_not_wait_for_each_other(store: Store):
    readers = 4
    together = threading.Barrier(readers)

    def job(uow):
        uow.tasks.claimable(1)
        return together.wait(PATIENCE)

    with ThreadPoolExecutor(readers) as pool:
        numbers = list(pool.map(lambda _: store.read(job), range(readers)))
    assert sorted(numbers) == list(range(readers))


def test_a_read_inside_a_read(store: Store):
    add_tasks(store, task())
    assert store.read(lambda _: count(store)) == 1


def test_an_error_of_a_reading_job_is_the_callers(store: Store):
    with pytest.raises(LookupError):
        store.read(lambda _: {}["missing"])
    assert count(store) == 0


def test_what_was_acknowledged_is_read_by_everyone(store: Store):
    for number in range(20):
        add_tasks(store, task())
        assert count(store) == number + 1
