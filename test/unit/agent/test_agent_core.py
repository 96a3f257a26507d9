"""The agent's core as play scripts: requests, answers, repetition, cancel, replan, query, reconnection."""

from __future__ import annotations

import pytest
from agent_plays import T0, Play, failure, online, request, success, welcome, windowed
from msgspec import Raw
from pulp_agent.events import (
    Accept,
    Append,
    Begun,
    CancelDecided,
    CancelJob,
    Connected,
    Disconnected,
    FinalDelivered,
    ForgetJobs,
    Instant,
    JobEnded,
    Leaving,
    ReadProfile,
    Received,
    Refused,
    Send,
    StartJob,
    TimeIs,
    Unreadable,
    WakeAt,
)
from pulp_agent.records import Began, Took

from pulp.common.times import DAY, HOUR, MINUTE, SECOND
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import (
    Accepted,
    Alive,
    Bye,
    CallStatus,
    Cancel,
    Canceled,
    Confirm,
    Failed,
    Hello,
    Query,
    Rejected,
    Replan,
    Request,
    Started,
    Succeeded,
    TooLate,
    Unknown,
)

DONE = Succeeded(id="a", value=Raw(b'{"backend":"apt"}'), started=T0, finished=T0 + MINUTE)


def test_a_request_is_on_disk_before_it_is_accepted_and_started() -> None:
    play = online()
    asked = request()
    assert play.does(Received(asked, "h")) == [
        Append(Took(request=asked, at=T0)),
        Send(Accepted(id="a", state="ready")),
        Append(Began(id="a", at=T0, boot="boot")),
        Send(Started(id="a", at=T0)),
        StartJob("a", "Packages.install", 1, bytes(asked.args), HOUR),
        WakeAt(T0 + HOUR + 10 * SECOND),
        Accept("h"),
    ]


def test_the_answer_is_kept_until_it_is_confirmed() -> None:
    play = online()
    play.gets(request())
    assert play.ends() == [DONE]
    assert ReadProfile() in play.commands
    play.does(Disconnected())
    assert play.connects() == [DONE]
    play.crash()
    assert play.connects() == [DONE]
    play.does(FinalDelivered("a"))
    assert play.other() == [ForgetJobs(["a"])]
    assert play.connects() == []


def test_refused_for_good_it_starts_nothing_that_it_holds_and_lets_what_runs_end() -> None:
    play = online()
    play.gets(request("runs"))
    play.gets(windowed("held", begin=T0 + HOUR, end=T0 + 2 * HOUR))
    play.gets(request("queued"))
    play.does(Disconnected())
    commands = play.does(Refused())
    finals = [c.record.final for c in commands if isinstance(c, Append)]
    assert finals == [Canceled(id="held"), Canceled(id="queued")]
    assert not any(isinstance(c, CancelJob) for c in commands)
    play.crash()
    play.goes(HOUR + SECOND)
    play.does(TimeIs())
    assert play.started() == []
    play.does(JobEnded("runs", success()))
    assert play.started() == []
    told = play.connects()
    assert [m for m in told if isinstance(m, Canceled)] == finals
    assert not any(isinstance(c, Append) for c in play.does(Refused()))


def test_behind_a_broker_only_a_confirm_confirms() -> None:
    play = online(confirm="message")
    play.gets(request())
    play.ends()
    play.does(FinalDelivered("a"))
    assert play.connects() == [DONE]
    play.gets(Confirm(ids=["a", "never-heard-of"]))
    assert play.other() == [ForgetJobs(["a"])]
    assert play.connects() == []


def test_a_confirm_ends_nothing_that_is_not_done() -> None:
    play = online()
    play.gets(request())
    play.gets(Confirm(ids=["a"]))
    assert play.other() == []
    assert play.ends() == [DONE]


@pytest.mark.parametrize("crashed", [False, True])
def test_a_repeated_request_is_answered_with_what_is_stored(crashed: bool) -> None:
    play = online()
    play.gets(request())
    if crashed:
        play.crash()
        play.connects()
    assert play.gets(request()) == [Accepted(id="a", state="ready"), Started(id="a", at=T0)]
    assert play.started() == []
    play.ends()
    assert play.gets(request()) == [DONE]
    play.does(FinalDelivered("a"))
    assert play.gets(request()) == [DONE]
    assert play.started() == []


def test_a_forgotten_answer_is_still_no_reason_to_run_again() -> None:
    play = online()
    for i in range(1500):
        play.gets(request(str(i)))
        play.ends(str(i))
        play.does(FinalDelivered(str(i)))
    (answer,) = play.gets(request("0"))
    assert isinstance(answer, Failed) and answer.code == "already-answered"
    assert play.started() == []


def test_tombstones_live_90_days_and_older_requests_are_refused() -> None:
    play = online()
    play.gets(request())
    play.ends()
    play.does(FinalDelivered("a"))
    play.goes(91 * DAY)
    play.core.table.prune(play.wall)
    assert not play.core.table.knows("a")
    old = request(accept_by=T0 + 400 * DAY, expires=T0 + 400 * DAY)
    (answer,) = play.gets(old)
    assert isinstance(answer, Rejected) and answer.code == "expired"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (request(method="shred"), "unknown-method"),
        (request(version=9), "unsupported-version"),
        (request(needs=["teleport"]), "unsupported-feature"),
        (request(args=Raw(b'{"packages":[]}')), "bad-arguments"),
        (request(consumer="other"), "bad-arguments"),
        (request(accept_by=T0 - 1), "expired"),
    ],
)
def test_what_cannot_be_taken_is_rejected_once_and_for_all(asked: Request, code: str) -> None:
    play = online()
    (answer,) = play.gets(asked)
    assert isinstance(answer, Rejected) and answer.code == code
    assert answer.expected and answer.found
    assert play.gets(asked) == [answer]
    assert play.connects() == [answer]
    assert play.started() == []


def test_a_ping_is_answered_at_once_and_leaves_no_trace() -> None:
    play = online()
    ping = request(class_="System", method="ping", args=Raw(b"{}"))
    assert play.gets(ping) == [Succeeded(id="a", value=Raw(b"{}"), started=T0, finished=T0)]
    assert not any(isinstance(c, Append) for c in play.commands)
    assert play.connects() == []


def test_a_failure_of_the_handler_is_the_one_answer() -> None:
    play = online()
    play.gets(request())
    (answer,) = play.ends(outcome=failure("script"))
    assert isinstance(answer, Failed) and (answer.code, answer.started) == ("script", T0)
    assert play.ends() == []


# --- cancel ---


def test_cancel_while_held() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    assert play.gets(Cancel(id="a")) == [Canceled(id="a")]
    play.goes(HOUR)
    assert play.gets(request("b")) and play.started() == ["b"]


def test_cancel_that_overtakes_its_request_leaves_the_answer_for_it() -> None:
    play = online()
    assert play.gets(Cancel(id="a")) == [Canceled(id="a")]
    play.does(FinalDelivered("a"))
    play.crash()
    play.connects()
    assert play.gets(request()) == [Canceled(id="a")]
    assert play.started() == []


def test_cancel_before_the_commit_counts() -> None:
    play = online()
    play.gets(request())
    assert play.gets(Cancel(id="a")) == []
    assert play.other() == [CancelJob("a", "cancel")]
    assert play.sends(CancelDecided("a", won=True, reason="cancel")) == []
    assert play.ends(outcome=failure("canceled")) == [Canceled(id="a")]


def test_cancel_after_the_commit_is_too_late_and_the_call_ends_as_it_does() -> None:
    play = online()
    play.gets(request())
    play.gets(Cancel(id="a"))
    lost = CancelDecided("a", won=False, reason="cancel")
    assert play.sends(lost) == [TooLate(id="a", of="cancel")]
    assert play.ends() == [DONE]
    assert play.gets(Cancel(id="a")) == [TooLate(id="a", of="cancel"), DONE]


def test_a_job_that_ends_though_a_cancel_was_asked_for_says_both() -> None:
    play = online()
    play.gets(request())
    play.gets(Cancel(id="a"))
    assert play.ends() == [TooLate(id="a", of="cancel"), DONE]


def test_cancel_beats_a_later_plan() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    play.gets(Cancel(id="a"))
    replan = Replan(id="a", plan=7, window=None, expires=T0 + DAY)
    assert play.gets(replan) == [TooLate(id="a", of="replan"), Canceled(id="a")]


# --- replan and query ---


def test_the_newest_plan_wins() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    newer = windowed(begin=5 * HOUR, end=6 * HOUR)
    moved = Accepted(id="a", state="held", starts=T0 + 5 * HOUR)
    replan = Replan(id="a", plan=3, window=newer.window, expires=T0 + 6 * HOUR)
    assert play.gets(replan) == [moved]
    older = Replan(id="a", plan=2, window=None, expires=T0 + DAY)
    assert play.gets(older) == [moved]
    play.crash()
    assert play.started() == [] and play.wakes() == T0 + 5 * HOUR
    play.connects()
    now = Replan(id="a", plan=4, window=None, expires=T0 + DAY)
    assert Started(id="a", at=T0) in play.gets(now)
    assert play.gets(now) == [TooLate(id="a", of="replan")]


def test_replan_and_query_of_an_unknown_call() -> None:
    play = online()
    replan = Replan(id="a", plan=2, window=None, expires=T0 + DAY)
    assert play.gets(replan) == [Unknown(id="a")]
    assert play.gets(Query(id="a")) == [Unknown(id="a")]


def test_query_tells_where_a_call_stands() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    assert play.gets(Query(id="a")) == [Accepted(id="a", state="held", starts=T0 + HOUR)]
    play.gets(request("b"))
    running = [Accepted(id="b", state="ready"), Started(id="b", at=T0)]
    assert play.gets(Query(id="b")) == running
    play.gets(request("c"))
    assert play.gets(Query(id="c")) == [Accepted(id="c", state="ready")]


# --- the connection ---


def test_hello_says_what_is_there() -> None:
    play = online()
    play.gets(request("run"))
    play.gets(request("next"))
    play.gets(windowed("held", begin=HOUR, end=2 * HOUR))
    play.gets(request("bad", method="shred"))
    (hello,) = play.sends(Connected(17))
    assert isinstance(hello, Hello)
    assert hello.calls == [
        CallStatus("run", "running"),
        CallStatus("next", "ready"),
        CallStatus("held", "held"),
        CallStatus("bad", "done"),
    ]
    assert (hello.journal_id, hello.journal_seq) == ("journal", 17)
    assert hello.methods["Packages.install"] == [1]


def test_nothing_but_hello_is_sent_before_the_welcome() -> None:
    play = Play()
    play.does(Begun())
    play.does(Connected(0))
    assert play.gets(request()) == []
    assert play.started() == ["a"]
    assert play.gets(welcome()) == [Accepted(id="a", state="ready"), Started(id="a", at=T0)]


def unreadable(call_id: str | None) -> RemoteCallError:
    return RemoteCallError(
        "odd", reason="unknown-type", call_id=call_id, expected="type: known", found="odd"
    )


def test_an_unreadable_message_is_rejected_where_its_id_is_known() -> None:
    play = online()
    play.does(Unreadable(unreadable("x"), "h"))
    answer = Rejected(id="x", code="unknown-type", expected="type: known", found="odd")
    assert play.sent() == [answer] and play.commands[-1] == Accept("h")
    play.does(Unreadable(unreadable(None), "h"))
    assert play.sent() == [] and play.commands[-1] == Accept("h")


def test_an_unreadable_message_about_a_running_call_does_not_end_it() -> None:
    play = online()
    play.gets(request())
    assert play.sends(Unreadable(unreadable("a"), "h")) == []
    assert play.ends() == [DONE]


def test_a_final_always_fits_the_wire() -> None:
    play = online()
    play.gets(request())
    words = ",".join(f'"{i:020d}{i * 7919 % 1000003:09d}"' for i in range(200_000))
    value = Raw(f'{{"backend":"apt","unknown":[{words}]}}'.encode())
    (answer,) = play.sends(JobEnded("a", success().__class__(value, finished=T0)))
    assert isinstance(answer, Succeeded) and answer.truncated is True


def test_the_heartbeat_beats_only_while_welcomed() -> None:
    play = online()
    assert play.core.alive(Instant(T0, 0)) == [Send(Alive(now=T0))]
    play.does(Disconnected())
    assert play.core.alive(Instant(T0, 0)) == []


def test_leaving_says_bye() -> None:
    play = online()
    assert play.sends(Leaving()) == [Bye(now=T0)]
