"""The life of a task from enqueue to history, against DESIGN.md's invariants 1 to 6. No thread, no network, virtual time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from server_world import DAY, HOUR, RESULT, START, Add, Install, World

from pulp.common.times import format_time
from pulp.common.windows import Window
from pulp.rmi.messages import (
    Accepted,
    CallStatus,
    Cancel,
    Canceled,
    Failed,
    InstalledPackage,
    Profile,
    Progress,
    Query,
    Rejected,
    Renew,
    Renewed,
    Request,
    Started,
    Succeeded,
    TooLate,
    Unknown,
    Welcome,
)
from pulp.server.db.base import StoreUnavailable
from pulp.server.domain.task import TaskError
from pulp.server.domain.task import TaskState as S
from pulp.server.tasking.scheduler import Scheduler


def succeeded(task_id: str, value: Raw = RESULT) -> Succeeded:
    return Succeeded(id=task_id, value=value, started=START, finished=START + 5)


# --- the one flow ---


def test_a_call_goes_out_once_and_its_success_stands_in_history_with_its_originator(world: World):
    world.consumer()
    peer = world.hello()
    assert [type(m) for m in world.take_sent()] == [Welcome]
    task_id = world.install()
    world.step()
    (request,) = world.take_sent()
    assert isinstance(request, Request)
    assert (request.id, request.class_, request.method, request.by) == (
        task_id,
        "Packages",
        "install",
        "ann",
    )
    assert world.task(task_id).state is S.WAITING
    world.reply(peer, Accepted(id=task_id, state="ready"))
    assert (world.task(task_id).state, world.task(task_id).phase) == (S.RUNNING, "ready")
    world.reply(peer, Started(id=task_id, at=START), succeeded(task_id))
    task = world.task(task_id)
    assert (task.state, task.deadline, task.finished_at) == (S.FINISHED, None, START + 5)
    (event,) = world.history()
    assert (event.type.value, event.originator, event.task_id) == (
        "packages_installed",
        "ann",
        task_id,
    )
    assert len(world.bus.settled) == 4
    assert world.take_sent() == []


def test_work_that_was_done_while_its_host_was_cut_off_stands_in_history_with_its_own_times(
    world: World,
):
    world.consumer()
    peer = world.hello()
    soon, late = world.install(), world.install()
    world.step()
    for task_id in (soon, late):
        world.reply(peer, Accepted(id=task_id, state="ready"))
    world.clock.at = START + 30_000
    world.reply(peer, succeeded(soon))
    world.clock.at = START + DAY
    world.reply(peer, succeeded(late))
    told = {e.task_id: msgspec.json.decode(e.details) for e in world.history()}
    assert "ran" not in told[soon]
    assert told[late]["ran"] == {
        "started_at": format_time(START),
        "finished_at": format_time(START + 5),
    }


def test_a_plain_task_is_done_by_running(world: World):
    task_id = world.enqueue(Add, None, "a")
    world.step()
    assert world.task(task_id).state is S.FINISHED


def test_a_task_whose_run_raises_ends_as_internal_and_the_next_one_runs(world: World):
    bad, good = world.enqueue(Add, None, "raise"), world.enqueue(Add, None, "a")
    world.step()
    error = world.task(bad).error
    assert world.task(bad).state is S.ERROR and error is not None and error.code == "internal"
    assert "run fails" not in error.message
    assert world.task(good).state is S.FINISHED


def test_a_failure_names_its_code_and_writes_no_success(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, Failed(id=task_id, code="not-found", message="no package nginx"))
    task = world.task(task_id)
    assert task.state is S.ERROR and task.error is not None and task.error.code == "not-found"
    assert world.events() == ["action_failed"]


@pytest.mark.parametrize(
    ("code", "state", "event"),
    [
        ("timeout", S.TIMED_OUT, "action_failed"),
        ("window-missed", S.MISSED, "window_missed"),
        ("expired", S.MISSED, "window_missed"),
        ("script", S.ERROR, "action_failed"),
    ],
)
def test_each_code_has_its_end(world: World, code: str, state: S, event: str):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, Failed(id=task_id, code=code, message="m"))
    assert world.task(task_id).state is state
    assert world.events() == [event]


def test_a_rejected_request_is_an_error_that_says_what_was_expected(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, Rejected(id=task_id, code="bad-arguments", expected="x", found="y"))
    error = world.task(task_id).error
    assert error is not None and error.code == "bad-arguments" and "expected x" in error.message


# --- late, repeated, out of order, foreign ---


def test_a_final_that_arrives_first_implies_the_rest(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, succeeded(task_id))
    world.reply(peer, Accepted(id=task_id, state="held"), Started(id=task_id, at=1))
    assert world.task(task_id).state is S.FINISHED
    assert world.task(task_id).accepted_at is not None


def test_the_same_final_twice_is_one_history_entry(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, succeeded(task_id), succeeded(task_id))
    world.reply(peer, succeeded(task_id))
    assert world.events() == ["packages_installed"]


def test_a_final_after_another_end_is_one_late_result(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install(deliver_within=HOUR)
    world.step()
    world.pass_time(HOUR)
    assert world.task(task_id).state is S.TIMED_OUT
    world.reply(peer, succeeded(task_id))
    world.reply(peer, succeeded(task_id))
    assert world.task(task_id).state is S.TIMED_OUT
    assert world.events() == ["action_failed", "late_result"]


def test_a_reply_from_another_host_moves_nothing(world: World):
    world.consumer()
    world.consumer("evil")
    world.hello()
    evil = world.hello("evil")
    task_id = world.install()
    world.step()
    world.reply(evil, succeeded(task_id))
    assert world.task(task_id).state is S.WAITING
    assert world.events() == [] and world.events("evil") == []


def test_a_connection_that_never_said_hello_is_closed_and_not_believed(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    stranger = type(peer)("uid-web1", "f1", 99)
    world.reply(stranger, succeeded(task_id))
    assert world.task(task_id).state is S.WAITING
    assert world.bus.closed[0][0] == stranger


def test_an_unknown_calls_final_is_kept_as_orphan(world: World):
    world.consumer()
    peer = world.hello()
    world.reply(peer, succeeded("00000000-0000-4000-8000-000000000000"))
    assert world.events() == ["orphan_result"]
    assert len(world.bus.settled) == 2


# --- succeeded() that raises, store that is away, unreadable words ---


def test_an_override_that_raises_leaves_internal_with_the_value_and_no_success(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install("web1", "raise")
    world.step()
    world.reply(peer, succeeded(task_id))
    task = world.task(task_id)
    assert task.state is S.ERROR and task.error is not None and task.error.code == "internal"
    assert task.result == bytes(RESULT)
    assert world.events() == ["action_failed"]
    world.reply(peer, succeeded(task_id))
    assert world.events() == ["action_failed"]


def test_a_result_that_cannot_be_read_ends_the_task_and_is_settled(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, succeeded(task_id, Raw(b'{"backend":7}')))
    error = world.task(task_id).error
    assert error is not None and error.code == "unreadable-result" and "backend" in error.message
    assert len(world.bus.settled) == 2


def test_an_unreadable_final_ends_its_task_and_is_kept_raw(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.raw(peer, b'{"type":"succeeded","v":1,"id":"%s","started":"x"}' % task_id.encode())
    world.step()
    error = world.task(task_id).error
    assert error is not None and error.code == "unreadable-result"
    assert world.store.read(lambda uow: uow.unreadable.count()) == 1
    assert len(world.bus.settled) == 2


def test_a_peer_that_talks_rubbish_is_closed_after_a_while(world: World):
    world.consumer()
    peer = world.hello()
    for _ in range(30):
        world.raw(peer, b"\xff\xfe")
    world.step()
    assert world.bus.closed and world.bus.closed[0][0] == peer
    assert world.store.read(lambda uow: uow.unreadable.count()) == 20


def test_nothing_is_settled_while_the_store_is_away(world: World, monkeypatch: pytest.MonkeyPatch):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    settled = len(world.bus.settled)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "submit", _unavailable)
        world.say(peer, succeeded(task_id))
        with pytest.raises(StoreUnavailable):
            world.step()
    assert len(world.bus.settled) == settled
    world.step()
    assert world.task(task_id).state is S.FINISHED
    assert len(world.bus.settled) == settled + 1


def _unavailable(job: object) -> None:
    raise StoreUnavailable("disk full")


# --- absent agents ---


def test_tasks_of_an_absent_agent_are_parked_and_delay_nobody(world: World):
    world.consumer()
    world.consumer("away")
    waiting = [world.install("away") for _ in range(300)]
    world.hello()
    live = world.install("web1")
    world.step()
    assert world.requests() == [live]
    assert world.store.read(lambda uow: uow.tasks.claimable(10)) == []
    assert world.task(waiting[0]).parked == "agent-offline"


def test_a_returning_agent_gets_its_tasks_in_order_and_at_most_32_unaccepted(world: World):
    world.consumer()
    ids = [world.install() for _ in range(100)]
    world.step()
    peer = world.hello()
    assert world.requests() == ids[:32]
    late = world.install()
    world.reply(peer, *[Accepted(id=i, state="ready") for i in ids[:10]])
    assert world.requests() == ids[32:42]
    world.reply(peer, *[Accepted(id=i, state="ready") for i in ids[10:42]])
    world.reply(peer, *[Accepted(id=i, state="ready") for i in ids[42:74]])
    world.reply(peer, *[Accepted(id=i, state="ready") for i in ids[74:]])
    assert world.requests() == [*ids[42:], late]


def test_an_agent_that_left_is_sent_nothing_until_it_returns(world: World):
    world.consumer()
    peer = world.hello()
    world.inbox.detached(peer, "gone")
    world.step()
    world.take_sent()
    task_id = world.install()
    world.step()
    assert world.take_sent() == []
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None and not consumer.online
    world.hello()
    assert world.requests() == [task_id]


# --- sending again ---


def test_a_server_that_restarts_sends_the_unaccepted_again_with_the_same_id(world: World):
    world.consumer()
    world.hello()
    task_id = world.install()
    world.step()
    world.take_sent()
    world.build()
    world.hello()
    assert world.requests() == [task_id]


def test_what_the_agent_lists_is_not_sent_again_and_moves_on(world: World):
    world.consumer()
    world.hello()
    held, running, done = (world.install() for _ in range(3))
    world.step()
    world.take_sent()
    calls = [CallStatus(held, "held"), CallStatus(running, "running"), CallStatus(done, "done")]
    world.hello(calls=calls)
    assert world.requests() == []
    assert world.task(held).state is S.HELD
    assert world.task(running).state is S.RUNNING


def test_an_accepted_call_the_agent_does_not_list_is_asked_about(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, Accepted(id=task_id, state="ready"))
    world.take_sent()
    peer = world.hello(seq=9)
    assert [m for m in world.take_sent() if not isinstance(m, Welcome)] == [Query(id=task_id)]
    world.reply(peer, Unknown(id=task_id))
    error = world.task(task_id).error
    assert error is not None and error.code == "lost"
    assert world.requests() == []


@pytest.mark.parametrize("memory", [{"journal": "j2"}, {"seq": 0}])
def test_an_agent_that_lost_its_memory_loses_what_it_accepted_and_gets_the_rest(
    world: World, memory: dict[str, object]
):
    world.consumer()
    peer = world.hello()
    accepted, sent = world.install(), world.install()
    world.step()
    world.reply(peer, Accepted(id=accepted, state="ready"))
    world.take_sent()
    world.inbox.detached(peer, "gone")
    world.hello(**memory)
    error = world.task(accepted).error
    assert error is not None and error.code == "lost"
    assert world.requests() == [sent]


def test_unknown_to_a_call_never_accepted_sends_it_again(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.take_sent()
    world.reply(peer, Unknown(id=task_id))
    assert world.requests() == [task_id]


def test_the_sweep_sends_again_what_got_no_answer(world: World):
    world.consumer()
    world.hello()
    task_id = world.install()
    world.step()
    world.take_sent()
    world.pass_time(20_000)
    assert world.requests() == []
    world.pass_time(60_000)
    assert world.requests() == [task_id]


def test_a_call_that_has_been_silent_for_long_is_asked_about_and_settled(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, Started(id=task_id, at=START))
    world.take_sent()
    for _ in range(20):
        world.pass_time(60_000)
    assert world.take_sent() == [Query(id=task_id), Query(id=task_id)]
    world.reply(peer, Unknown(id=task_id))
    error = world.task(task_id).error
    assert error is not None and error.code == "lost"


def test_a_held_call_is_not_asked_about_before_its_window(world: World):
    world.consumer()
    peer = world.hello()
    opens = START + 3 * HOUR
    task_id = world.install(window=Window(opens, opens + HOUR))
    world.step()
    world.reply(peer, Accepted(id=task_id, state="held", starts=opens))
    world.take_sent()
    world.pass_time(2 * HOUR)
    assert world.take_sent() == []
    world.pass_time(HOUR + 30 * 60_000)
    assert world.take_sent() == [Query(id=task_id)]


def test_calls_the_server_does_not_know_are_canceled_at_hello(world: World):
    world.consumer()
    unknown = "00000000-0000-4000-8000-000000000000"
    world.hello(calls=[CallStatus(unknown, "held")])
    assert Cancel(id=unknown) in world.take_sent()


# --- cancel ---


def test_cancel_before_it_was_sent_ends_it_here(world: World):
    world.consumer()
    later, parked = world.install(not_before=START + HOUR), world.install()
    world.step()
    for task_id in (later, parked):
        world.cancel(task_id)
        assert world.task(task_id).state is S.CANCELED
    world.pass_time(2 * HOUR)
    world.hello()
    assert world.requests() == []
    assert world.events() == ["action_canceled", "action_canceled"]


def test_cancel_of_a_sent_call_is_durable_until_it_is_answered(world: World):
    world.consumer()
    world.hello()
    task_id = world.install()
    world.step()
    world.take_sent()
    world.cancel(task_id)
    assert world.take_sent() == [Cancel(id=task_id)]
    world.build()
    peer = world.hello()
    assert [m for m in world.take_sent() if not isinstance(m, Welcome)] == [Cancel(id=task_id)]
    world.reply(peer, Canceled(id=task_id))
    assert world.task(task_id).state is S.CANCELED
    assert world.events() == ["action_canceled"]


def test_a_task_that_is_ended_here_is_called_off_at_its_agent(world: World):
    """As when its consumer is unregistered: the link is closed right after the commit."""
    world.consumer()
    peer = world.hello()
    held = world.install(window=Window(START + HOUR, START + 2 * HOUR))
    world.step()
    world.reply(peer, Accepted(id=held, state="held", starts=START + HOUR))
    world.consumer("away")
    parked = world.install("away")
    world.step()
    world.take_sent()
    gone = TaskError(code="consumer-unregistered", message="gone")
    world.queue.call_off(
        world.store.write(lambda uow, i=i: world.queue.end(uow, world.task(i), gone, world.now))
        for i in (held, parked)
    )
    assert world.take_sent() == [Cancel(id=held)]
    assert world.task(held).state is S.CANCELED


def test_a_cancel_that_is_too_late_leaves_the_task_to_its_own_end(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.reply(peer, Started(id=task_id, at=START))
    world.cancel(task_id)
    world.reply(peer, TooLate(id=task_id, of="cancel"))
    assert world.task(task_id).cancel_refused
    world.take_sent()
    world.hello(calls=[CallStatus(task_id, "running")])
    assert [type(m) for m in world.take_sent()] == [Welcome]
    world.reply(peer, succeeded(task_id))


# --- deadlines and start times ---


def test_a_task_that_is_never_taken_times_out_and_is_called_off(world: World):
    world.consumer()
    world.hello()
    task_id = world.install(deliver_within=HOUR)
    world.step()
    world.take_sent()
    world.pass_time(HOUR)
    task = world.task(task_id)
    assert task.state is S.TIMED_OUT and task.error is not None
    assert task.error.code == "accept-timeout"
    assert Cancel(id=task_id) in world.take_sent()


def patient(world: World, until: int) -> None:
    """As after a start of the server."""
    world.build()
    world.scheduler = Scheduler(
        world.store, world.kinds, world.gateway, lambda: None, patient_until=until
    )


def test_after_a_start_a_sent_call_is_waited_for_before_it_counts_as_not_taken(world: World):
    world.consumer()
    world.hello()
    task_id = world.install(deliver_within=HOUR)
    world.step()
    patient(world, START + HOUR + 60_000)
    world.pass_time(HOUR)
    assert world.task(task_id).state is S.WAITING
    world.hello(calls=[CallStatus(task_id, "running")])
    world.pass_time(60_000)
    assert world.task(task_id).state is S.RUNNING


def test_a_sent_call_that_nobody_speaks_of_after_a_start_times_out_then(world: World):
    world.consumer()
    world.hello()
    task_id = world.install(deliver_within=HOUR)
    world.step()
    patient(world, START + HOUR + 60_000)
    world.pass_time(HOUR)
    world.pass_time(60_000)
    assert world.task(task_id).state is S.TIMED_OUT


def test_a_window_that_closes_first_is_missed(world: World):
    world.consumer()
    task_id = world.install(window=Window(START, START + HOUR))
    world.step()
    world.pass_time(HOUR)
    assert world.task(task_id).state is S.MISSED
    assert world.events() == ["window_missed"]


def test_an_accepted_call_is_lost_a_day_after_its_last_deadline(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install(deliver_within=HOUR)
    world.step()
    world.reply(peer, Started(id=task_id, at=START))
    world.pass_time(DAY + HOUR)
    assert world.task(task_id).state is S.RUNNING
    world.pass_time(2 * DAY)
    error = world.task(task_id).error
    assert error is not None and error.code == "lost"


def test_a_deadline_that_moved_after_the_look_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """The scheduler looks on a snapshot and writes later: what was accepted in between has another deadline."""
    world.consumer()
    peer = world.hello()
    task_id = world.install(deliver_within=HOUR)
    world.step()
    submit = world.store.submit

    def accepted_meanwhile(job: Any) -> Any:
        monkeypatch.undo()
        world.reply(peer, Started(id=task_id, at=START))
        return submit(job)

    monkeypatch.setattr(world.store, "submit", accepted_meanwhile)
    world.clock.at += DAY
    world.scheduler.step(world.now)
    assert world.store.submit == submit
    assert world.task(task_id).state is S.RUNNING


def test_a_scheduled_task_starts_when_its_time_comes(world: World):
    world.consumer()
    world.hello()
    task_id = world.install(not_before=START + HOUR)
    world.step()
    assert world.requests() == []
    assert world.scheduler.step(world.now) == START + HOUR
    world.pass_time(HOUR)
    assert world.requests() == [task_id]


def test_every_open_task_has_a_deadline(world: World):
    world.consumer()
    peer = world.hello()
    ids = [world.install(), world.install(), world.install(not_before=START + HOUR)]
    world.step()
    world.reply(peer, Accepted(id=ids[0], state="held"), Started(id=ids[1], at=START))
    assert all(world.task(i).deadline for i in ids)


def test_a_window_travels_with_the_request_and_is_named_in_needs(world: World):
    world.consumer()
    peer = world.hello()
    world.take_sent()
    task_id = world.install(window=Window(START + HOUR, START + 2 * HOUR))
    world.step()
    (request,) = world.take_sent()
    assert (request.needs, request.window.begin, request.expires) == (
        ["window"],
        START + HOUR,
        START + 2 * HOUR,
    )
    world.reply(peer, Accepted(id=task_id, state="held", starts=START + HOUR))
    assert (world.task(task_id).state, world.task(task_id).starts) == (S.HELD, START + HOUR)


# --- versions ---


def test_an_agent_without_the_method_is_asked_for_nothing(world: World):
    world.consumer()
    world.hello(methods={"Packages.install": [99]})
    task_id = world.install()
    world.step()
    error = world.task(task_id).error
    assert error is not None and error.code == "unsupported-version"
    assert world.requests() == []


def test_an_agent_that_keeps_no_windows_is_given_none(world: World):
    world.consumer()
    world.hello(features=[])
    task_id = world.install(window=Window(START + HOUR, START + 2 * HOUR))
    world.step()
    error = world.task(task_id).error
    assert error is not None and error.code == "unsupported-feature"
    assert world.requests() == []


def test_a_kind_this_server_does_not_know_stays_and_runs_after_the_upgrade(world: World):
    world.consumer()
    world.build(classes=[Add])
    world.hello()
    task_id = world.install()
    world.step()
    assert (world.task(task_id).state, world.task(task_id).parked) == (
        S.WAITING,
        "unsupported-version",
    )
    world.build(classes=[Add, Install])
    world.hello()
    world.step()
    assert world.requests() == [task_id]


# --- identity, profile, certificate ---


def test_two_hosts_with_one_identity_are_told_apart_and_flagged(world: World):
    world.consumer()
    world.hello(journal="j1")
    second = world.hello(journal="j2")
    assert world.bus.closed[0][:2] == (second, "amqp:resource-locked")
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None and consumer.flags == ["duplicate-identity"]
    task_id = world.install()
    world.step()
    assert world.requests() == [task_id]
    assert world.bus.sent == []


def test_a_successor_replaces_the_dying_link_of_its_predecessor(world: World):
    world.consumer()
    first = world.hello()
    old = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert old is not None
    world.store.write(lambda uow: uow.consumers.save(old.replace(uid="uid-new")))
    world.hello(journal="j2", uid="uid-new")
    assert [peer for peer, _, _ in world.bus.closed] == [first]
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None and consumer.flags == []


def test_a_second_connection_of_the_same_agent_replaces_the_first(world: World):
    world.consumer()
    first = world.hello()
    second = world.hello()
    assert world.bus.closed[0][0] == first
    world.inbox.detached(first, "closed")
    world.take_sent()
    world.install()
    world.step()
    assert [peer for peer, _ in world.bus.sent] == [second]
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None and consumer.online


def test_a_profile_is_kept_and_its_change_is_an_event(world: World):
    world.consumer()
    peer = world.hello()
    world.reply(peer, Profile(hash="h1", packages=[]))
    world.reply(peer, Profile(hash="h1", packages=[]))
    assert world.events() == []
    world.reply(
        peer, Profile(hash="h2", packages=[InstalledPackage(name="a", version="1", arch="all")])
    )
    assert world.events() == ["profile_changed"]
    profile = world.store.read(lambda uow: uow.consumers.profile("web1"))
    assert profile is not None and profile.hash == "h2"


def test_a_renewed_certificate_replaces_the_old_one_once_it_is_used(world: World):
    world.consumer()
    peer = world.hello()
    world.take_sent()
    world.reply(peer, Renew(csr="2"))
    world.store.write(lambda uow: None)
    assert world.take_sent() == [Renewed(certificate="CERT 2", ca=["CA"])]
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None and consumer.fingerprints == ["f-2", "f1"]
    world.hello(fingerprint="f-2")
    consumer = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None and consumer.fingerprints == ["f-2"]
    assert world.events() == ["certificate_renewed"]


def test_progress_never_falls_and_never_ends_a_call(world: World):
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    for seq, percent in ((1, 40.0), (3, 60.0), (2, 90.0), (4, 50.0)):
        world.reply(
            peer, Progress(id=task_id, seq=seq, phase="commit", percent=percent, message="x")
        )
    task = world.task(task_id)
    assert task.progress is not None and task.phase == "commit"
    assert msgspec.json.decode(task.progress)["percent"] == 60
    assert task.state is S.RUNNING
