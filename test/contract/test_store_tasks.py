"""The contract of TaskRepository."""

from __future__ import annotations

import pytest
from store_samples import add_tasks, full_task, task

from pulp.common.ids import new_id
from pulp.common.windows import Window
from pulp.server.db.base import Claim, Conflict, Duplicate, Store
from pulp.server.domain.task import (
    FINAL_STATES,
    PARKED_BUSY,
    PARKED_OFFLINE,
    PARKED_VERSION,
    Call,
    TaskError,
    TaskRecord,
    TaskState,
)


def get(store: Store, record: TaskRecord) -> TaskRecord | None:
    return store.read(lambda uow: uow.tasks.get(record.id))


def ids(records: list[TaskRecord]) -> list[str]:
    return [record.id for record in records]


# --- add, get, save


@pytest.mark.parametrize("make", [task, full_task])
def test_what_is_added_is_read_back_whole(store: Store, make):
    record = make()
    [added] = add_tasks(store, record)
    assert added == record.replace(seq=added.seq)
    assert get(store, record) == added


def test_payloads_are_opaque_bytes(store: Store):
    odd = b'{"n":123456789012345678901234567890,"$set":{"a.b":"\\u0000"},"t":"\xc3\xa4"}'
    [added] = add_tasks(store, task(args=odd, result=odd, progress=b""))
    assert get(store, added) == added


def test_a_task_may_have_no_consumer(store: Store):
    [added] = add_tasks(store, task(consumer_id=None))
    assert get(store, added) == added


def test_add_gives_rising_seqs(store: Store):
    seqs = [added.seq for added in add_tasks(store, task(), task())]
    seqs += [added.seq for added in add_tasks(store, task(seq=1))]
    assert 0 < seqs[0] < seqs[1] < seqs[2]


def test_add_refuses_an_id_that_exists(store: Store):
    [added] = add_tasks(store, task())
    with pytest.raises(Duplicate):
        add_tasks(store, task(id=added.id, consumer_id="web2"))
    assert get(store, added) == added


def test_a_job_may_go_on_after_a_duplicate(store: Store):
    [added] = add_tasks(store, task())

    def job(uow):
        with pytest.raises(Duplicate):
            uow.tasks.add(task(id=added.id))
        return uow.tasks.add(task())

    assert get(store, store.write(job))


def test_get_of_an_unknown_id_is_none(store: Store):
    assert store.read(lambda uow: uow.tasks.get(new_id())) is None


def test_save_stores_every_field_and_raises_the_revision(store: Store):
    [added] = add_tasks(store, task())
    other = full_task().replace(
        id=added.id,
        seq=added.seq,
        kind="packages.update",
        consumer_id="web2",
        args=b"[]",
        requested_by="bob",
        created_at=5,
        accept_by=6,
        expires=7,
        timeout=8,
        deadline=9,
    )
    saved = store.write(lambda uow: uow.tasks.save(other))
    assert saved == other.replace(revision=2)
    assert get(store, added) == saved


def test_save_can_take_every_field_back(store: Store):
    [added] = add_tasks(store, full_task())
    bare = task(id=added.id, seq=added.seq)
    store.write(lambda uow: uow.tasks.save(bare))
    assert get(store, added) == bare.replace(revision=2)


def test_save_of_what_was_read_in_the_same_job(store: Store):
    [added] = add_tasks(store, task())

    def job(uow):
        read = uow.tasks.get(added.id)
        first = uow.tasks.save(read.replace(phase="sent", sent_at=5))
        return uow.tasks.save(first.replace(state=TaskState.HELD))

    assert store.write(job).revision == 3
    assert get(store, added) == added.replace(
        phase="sent", sent_at=5, state=TaskState.HELD, revision=3
    )


def test_save_without_a_change_raises_the_revision(store: Store):
    [added] = add_tasks(store, task())
    assert store.write(lambda uow: uow.tasks.save(added)).revision == 2
    assert get(store, added) == added.replace(revision=2)


def test_save_of_an_old_revision_is_a_conflict(store: Store):
    [added] = add_tasks(store, task())
    newer = store.write(lambda uow: uow.tasks.save(added.replace(phase="sent")))
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.tasks.save(added.replace(phase="late")))
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.tasks.save(added.replace(revision=9)))
    assert get(store, added) == newer


def test_save_of_an_old_revision_is_a_conflict_within_a_job(store: Store):
    [added] = add_tasks(store, task())

    def job(uow):
        uow.tasks.save(added.replace(phase="sent"))
        uow.tasks.save(added.replace(phase="late"))

    with pytest.raises(Conflict):
        store.write(job)
    assert get(store, added) == added


def test_save_of_an_unknown_task_is_a_conflict(store: Store):
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.tasks.save(task()))


def test_reads_in_a_job_see_its_writes(store: Store):
    def job(uow):
        added = uow.tasks.add(task())
        saved = uow.tasks.save(added.replace(phase="sent"))
        return saved, uow.tasks.get(added.id), uow.tasks.unaccepted("web1")

    saved, read, listed = store.write(job)
    assert read == saved
    assert listed == [saved]


# --- the queue's lists


def test_claimable_is_waiting_queued_and_not_parked_oldest_first(store: Store):
    added = add_tasks(
        store,
        task(),
        task(parked=PARKED_OFFLINE),
        task(phase="sent"),
        task(state=TaskState.SCHEDULED, not_before=1),
        task(consumer_id=None),
        *(task(state=state) for state in TaskState if state is not TaskState.WAITING),
        task(consumer_id="web0"),
    )
    expected = [Claim(t.id, t.consumer_id) for t in (added[0], added[4], added[-1])]
    assert store.read(lambda uow: uow.tasks.claimable(10)) == expected
    assert store.read(lambda uow: uow.tasks.claimable(2)) == expected[:2]


def test_unsent_is_waiting_and_queued_parked_or_not(store: Store):
    added = add_tasks(
        store,
        task(),
        task(parked=PARKED_OFFLINE),
        task(parked=PARKED_BUSY),
        task(parked=PARKED_VERSION),
        task(phase="sent"),
        task(consumer_id="web2"),
        task(state=TaskState.HELD),
        task(),
    )
    expected = [*added[:3], added[-1]]
    assert store.read(lambda uow: uow.tasks.unsent("web1", 10)) == expected
    assert store.read(lambda uow: uow.tasks.unsent("web1", 2)) == expected[:2]


def test_unaccepted_is_waiting_and_sent(store: Store):
    added = add_tasks(
        store,
        task(phase="sent"),
        task(),
        task(phase="sent", consumer_id="web2"),
        task(phase="sent", state=TaskState.RUNNING),
        task(phase="sent"),
    )
    assert store.read(lambda uow: uow.tasks.unaccepted("web1")) == [added[0], added[-1]]


def test_open_of_is_not_final_oldest_first(store: Store):
    added = add_tasks(
        store,
        task(state=TaskState.RUNNING),
        *(task(state=state) for state in FINAL_STATES),
        task(state=TaskState.SCHEDULED),
        task(consumer_id="web2"),
        task(state=TaskState.HELD),
        task(),
    )
    expected = [added[0], added[6], added[8], added[9]]
    assert store.read(lambda uow: uow.tasks.open_of("web1")) == expected


def test_answered_holds_a_kept_answer_oldest_first(store: Store):
    answer = b'{"type":"succeeded"}'
    added = add_tasks(
        store,
        task(state=TaskState.RUNNING, answer=answer),
        task(state=TaskState.RUNNING),
        task(state=TaskState.RUNNING, answer=answer, consumer_id="web2"),
        task(state=TaskState.RUNNING, answer=answer),
    )
    kept = [added[0], added[2], added[3]]
    assert store.read(lambda uow: uow.tasks.answered(0, 10)) == kept
    assert store.read(lambda uow: uow.tasks.answered(0, 2)) == kept[:2]
    assert store.read(lambda uow: uow.tasks.answered(kept[1].seq, 10)) == kept[2:]
    store.write(lambda uow: uow.tasks.save(added[0].replace(answer=None)))
    assert store.read(lambda uow: uow.tasks.answered(0, 10)) == kept[1:]


def test_release_puts_tasks_back_into_the_claim_index(store: Store):
    added = add_tasks(
        store,
        task(parked=PARKED_VERSION, parked_at=5),
        task(parked=PARKED_OFFLINE, parked_at=6),
        task(parked=PARKED_VERSION, parked_at=7, consumer_id="web2"),
        task(parked=PARKED_VERSION, state=TaskState.CANCELED),
    )
    assert store.write(lambda uow: uow.tasks.release(PARKED_VERSION)) == 2
    assert ids(store.read(lambda uow: uow.tasks.claimable(10))) == [added[0].id, added[2].id]
    assert get(store, added[0]) == added[0].replace(parked="", parked_at=None, revision=2)
    assert get(store, added[1]) == added[1]
    assert get(store, added[3]) == added[3]


def test_release_of_many_leaves_none_out(store: Store):
    added = add_tasks(store, *(task(parked=PARKED_OFFLINE) for _ in range(700)))
    assert store.write(lambda uow: uow.tasks.release(PARKED_OFFLINE)) == 700
    claimable = store.read(lambda uow: uow.tasks.claimable(1_000))
    assert ids(claimable) == ids(added)
    assert {get(store, record).revision for record in added} == {2}


@pytest.mark.parametrize("reason", ["", "no such reason"])
def test_release_of_nothing(store: Store, reason):
    add_tasks(store, task(), task(parked=PARKED_OFFLINE))
    assert store.write(lambda uow: uow.tasks.release(reason)) == 0


def test_a_record_read_before_a_release_is_out_of_date(store: Store):
    [added] = add_tasks(store, task(parked=PARKED_VERSION))

    def job(uow):
        read = uow.tasks.get(added.id)
        uow.tasks.release(PARKED_VERSION)
        uow.tasks.save(read.replace(phase="sent"))

    with pytest.raises(Conflict):
        store.write(job)


# --- what time brings


def test_due_is_scheduled_up_to_now_earliest_first(store: Store):
    added = add_tasks(
        store,
        *(task(state=TaskState.SCHEDULED, not_before=at) for at in (30, 10, 41, 40, 10)),
        task(not_before=1),
    )
    expected = [added[1], added[4], added[0], added[3]]
    assert store.read(lambda uow: uow.tasks.due(40, 10)) == expected
    assert store.read(lambda uow: uow.tasks.due(40, 1)) == expected[:1]
    assert store.read(lambda uow: uow.tasks.due(9, 10)) == []


def test_overdue_is_open_with_a_deadline_up_to_now_earliest_first(store: Store):
    opened = [TaskState.SCHEDULED, TaskState.WAITING, TaskState.HELD, TaskState.RUNNING]
    added = add_tasks(
        store,
        *(
            task(state=state, deadline=at)
            for state, at in zip(opened, (30, 10, 20, 10), strict=True)
        ),
        task(deadline=41),
        task(deadline=None),
        *(task(state=state, deadline=1) for state in FINAL_STATES),
    )
    expected = [added[1], added[3], added[2], added[0]]
    assert store.read(lambda uow: uow.tasks.overdue(40, 10)) == expected
    assert store.read(lambda uow: uow.tasks.overdue(30, 3)) == expected[:3]


def test_next_moment_is_the_earliest_of_both_kinds(store: Store):
    def moment():
        return store.read(lambda uow: uow.tasks.next_moment())

    assert moment() is None
    add_tasks(store, task(state=TaskState.FINISHED, deadline=1, not_before=1), task(deadline=None))
    assert moment() is None
    [held] = add_tasks(store, task(state=TaskState.HELD, deadline=50, not_before=2))
    assert moment() == 50
    [later] = add_tasks(store, task(state=TaskState.SCHEDULED, not_before=40, deadline=90))
    assert moment() == 40
    add_tasks(store, task(state=TaskState.SCHEDULED, not_before=60, deadline=30))
    assert moment() == 30
    store.write(lambda uow: uow.tasks.save(held.replace(deadline=20)))
    assert moment() == 20
    store.write(lambda uow: uow.tasks.save(later.replace(not_before=10)))
    assert moment() == 10


def test_count_open_counts_by_state(store: Store):
    assert store.read(lambda uow: uow.tasks.count_open()) == {}
    states = [TaskState.WAITING, TaskState.WAITING, TaskState.HELD, *FINAL_STATES]
    add_tasks(store, *(task(state=state) for state in states))
    counts = store.read(lambda uow: uow.tasks.count_open())
    assert counts == {TaskState.WAITING: 2, TaskState.HELD: 1}


def test_values_inside_a_task_come_back_as_their_types(store: Store):
    [added] = add_tasks(store, full_task())
    read = get(store, added)
    assert isinstance(read.window, Window)
    assert isinstance(read.call, Call)
    assert isinstance(read.error, TaskError)
    assert read.call.args == b'{"dry_run":false}'
    assert read.error.details == b'["ngnix"]'


# --- retention


def test_purge_deletes_what_ended_before_and_no_more_than_asked(store: Store):
    added = add_tasks(
        store,
        *(task(state=TaskState.FINISHED, finished_at=at) for at in (10, 20, 30, 40)),
        task(state=TaskState.RUNNING, finished_at=5),
        task(),
    )
    assert store.write(lambda uow: uow.tasks.purge(31, 2)) == 2
    assert store.write(lambda uow: uow.tasks.purge(31, 2)) == 1
    assert store.write(lambda uow: uow.tasks.purge(31, 2)) == 0
    left = store.read(lambda uow: [r.id for r in added if uow.tasks.get(r.id)])
    assert left == ids(added[3:])
