"""The agent restarts its host: after its answer, once, and never not at all; whatever dies in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from agent_plays import INSTALL_ARGS, T0, Play, failure, online, request, success
from msgspec import Raw
from pulp_agent.call import Phase
from pulp_agent.events import (
    Append,
    Disconnected,
    FinalDelivered,
    JobLost,
    RestartHost,
    RestartRefused,
    Success,
    TimeIs,
)
from pulp_agent.records import Ended, RestartAsked, RestartDue, RestartOver
from pulp_agent.restarting import AGAIN, CONFIRM_PATIENCE, DUE

from pulp.common.calendar import Calendar, OneOff
from pulp.common.times import HOUR, MINUTE, SECOND
from pulp.rmi.interfaces import PackagesResult
from pulp.rmi.messages import (
    Cancel,
    Canceled,
    Failed,
    Keep,
    Request,
    Succeeded,
    TooLate,
    WireWindow,
)
from pulp.rmi.restarts import RestartResult

POLICY = INSTALL_ARGS[:-1] + b',"policy":{"reboot":"always"}}'


def restart(call_id: str = "a", *, if_needed: bool = False) -> Request:
    args = msgspec.json.encode({"if_needed": if_needed})
    return request(call_id, class_="System", method="restart", args=Raw(args))


def decided(**changes: Any) -> Success:
    result = RestartResult(**({"needed": True, "reasons": ["libc6"], "rebooting": True} | changes))
    return Success(Raw(msgspec.json.encode(result)), finished=T0 + MINUTE)


def worked() -> Success:
    """Package work that is to be followed by a restart."""
    result = PackagesResult(backend="apt", changed=True, rebooting=True)
    return Success(Raw(msgspec.json.encode(result)), T0, changed=True)


def asked(play: Play) -> list[str]:
    return [c.id for c in play.commands if isinstance(c, RestartHost)]


def records(play: Play, *types: type) -> list[Any]:
    return [c.record for c in play.commands if isinstance(c, Append) and type(c.record) in types]


def rebooted(play: Play, boot: str = "boot-2") -> None:
    """The host goes down with the agent, and comes back."""
    play.me = replace(play.me, boot_id=boot)
    play.crash()


def due() -> Play:
    """It was decided, answered and not confirmed yet."""
    play = online()
    play.gets(restart())
    play.ends(outcome=decided())
    return play


def test_the_decision_is_on_disk_before_the_answer_which_names_the_boot() -> None:
    play = online()
    play.gets(restart())
    (final,) = play.ends(outcome=decided())
    wish, ended = records(play, RestartDue, Ended)
    assert wish == RestartDue(id="a", boot="boot", before=T0 + DUE)
    assert ended.final == final
    assert isinstance(final, Succeeded)
    assert msgspec.json.decode(final.value) == {
        "needed": True,
        "reasons": ["libc6"],
        "rebooting": True,
        "boot_id": "boot",
    }
    assert asked(play) == []


def test_the_system_is_asked_once_the_answer_is_confirmed() -> None:
    play = due()
    play.does(FinalDelivered("a"))
    assert records(play, RestartAsked) == [RestartAsked(id="a", at=T0)]
    assert asked(play) == ["a"]
    play.goes(SECOND)
    play.does(TimeIs())
    assert asked(play) == []


@pytest.mark.parametrize("life", ["connected", "cut off", "died"])
def test_an_answer_that_nobody_confirms_does_not_hold_it_up_for_long(life: str) -> None:
    play = due()
    if life == "cut off":
        play.does(Disconnected())
    if life == "died":
        play.crash()
    play.goes(CONFIRM_PATIENCE - 1)
    play.does(TimeIs())
    assert asked(play) == []
    play.goes(1)
    play.does(TimeIs())
    assert asked(play) == ["a"]


def test_it_asks_to_be_woken_for_that() -> None:
    play = online()
    play.gets(restart())
    play.ends(outcome=decided())
    assert play.wakes() == T0 + CONFIRM_PATIENCE


@pytest.mark.parametrize("last", ["due", "ended", "confirmed", "asked"])
def test_whatever_it_dies_after_the_host_is_restarted_once(last: str) -> None:
    """Cut after each record: the job's result is kept beside the journal, and told again where the answer was not written."""
    play = due()
    if last in ("confirmed", "asked"):
        play.does(FinalDelivered("a"))
    tag = {"due": "restart-due", "ended": "ended", "confirmed": "confirmed"}.get(
        last, "restart-asked"
    )
    tags = [msgspec.json.decode(line)["t"] for line in play.lines]
    play.lines = play.lines[: tags.index(tag) + 1]

    play.crash()
    if last == "due":
        assert asked(play) == []
        play.goes(CONFIRM_PATIENCE)
        play.does(TimeIs())
        assert asked(play) == [], "not before its answer is on disk"
        assert play.wakes() is None or play.wakes() > play.wall, "and it is not asked all the time"
        play.ends(outcome=decided())
    times = 0
    for _ in range(10):
        times += len(asked(play))
        if times:
            break
        play.goes(CONFIRM_PATIENCE)
        play.does(TimeIs())
    assert times == 1

    rebooted(play)
    assert asked(play) == []
    assert records(play, RestartOver) == [RestartOver(id="a")]
    for _ in range(5):
        play.goes(AGAIN)
        play.does(TimeIs())
        assert asked(play) == []
    play.crash()
    assert records(play, RestartOver) == []


def test_a_host_that_was_started_anew_before_the_answer_is_not_restarted_again() -> None:
    play = online()
    play.gets(restart())
    rebooted(play)
    play.ends(outcome=decided())
    (ended,) = records(play, Ended)
    assert msgspec.json.decode(ended.final.value)["boot_id"] == "boot", "the one that has ended"
    assert records(play, RestartDue) == []
    play.goes(CONFIRM_PATIENCE)
    play.does(TimeIs())
    assert asked(play) == []


@pytest.mark.parametrize(
    ("decision", "if_needed", "is_done"),
    [("commit", False, True), ("commit", True, True), (None, False, True), (None, True, False)],
)
def test_an_execution_that_ended_with_its_host_is_done_or_judged_anew(
    decision: Any, if_needed: bool, is_done: bool
) -> None:
    play = online()
    play.gets(restart(if_needed=if_needed))
    rebooted(play)
    play.does(JobLost("a", began=True, decision=decision))
    if not is_done:
        assert play.started() == ["a"]
        return
    (ended,) = records(play, Ended)
    value = msgspec.json.decode(ended.final.value, type=RestartResult)
    assert (value.rebooting, value.boot_id) == (True, "boot")
    assert play.started() == []
    assert play.core.table.restart is None


def test_an_execution_that_died_alone_goes_on() -> None:
    play = online()
    play.gets(restart())
    play.does(JobLost("a", began=True, decision="commit"))
    assert play.started() == ["a"]


def test_nothing_else_changes_the_host_until_it_is_restarted() -> None:
    play = due()
    play.gets(request("b"))
    assert play.started() == []
    play.gets(request("c", class_="Packages", method="profile", args=Raw(b"{}")))
    assert play.started() == ["c"], "reads go on"
    rebooted(play)
    assert play.started() == ["b"]


def test_what_is_not_needed_or_failed_restarts_nothing() -> None:
    for outcome in (decided(rebooting=False, needed=False), failure(), success()):
        play = online()
        play.gets(restart())
        (final,) = play.ends(outcome=outcome)
        assert records(play, RestartDue) == []
        assert not hasattr(final, "value") or b"boot_id" not in bytes(final.value)
        play.gets(request("b"))
        assert play.started() == ["b"]


def test_a_cancel_before_the_decision_wins_and_one_after_it_is_too_late() -> None:
    play = online()
    play.gets(restart())
    play.gets(Cancel(id="a"))
    assert play.ends(outcome=failure("canceled")) == [Canceled(id="a")]
    assert records(play, RestartDue) == []
    play = due()
    assert TooLate(id="a", of="cancel") in play.gets(Cancel(id="a"))


def test_package_work_restarts_the_host_where_its_result_says_so() -> None:
    play = online()
    play.gets(request(args=Raw(POLICY)))
    (final,) = play.ends(outcome=worked())
    assert msgspec.json.decode(final.value, type=PackagesResult).boot_id == "boot"
    play.does(FinalDelivered("a"))
    assert asked(play) == ["a"]


# --- windows ---


def in_window(asked: Request) -> Play:
    play = online()
    window = WireWindow(begin=T0, end=T0 + 10 * MINUTE)
    changes = {"window": window, "needs": ["window"], "expires": T0 + HOUR}
    play.gets(msgspec.structs.replace(asked, **changes))
    return play


def test_it_is_due_until_its_window_ends() -> None:
    play = in_window(restart())
    play.ends(outcome=decided())
    (due,) = records(play, RestartDue)
    assert due.before == T0 + 10 * MINUTE


def test_a_decision_that_is_heard_of_after_the_window_changes_nothing() -> None:
    play = in_window(restart())
    play.goes(10 * MINUTE)
    (final,) = play.ends(outcome=decided())
    assert isinstance(final, Failed)
    assert final.code == "window-missed"
    assert records(play, RestartDue) == []


def test_work_that_ran_over_its_window_is_not_followed_by_one_and_says_so() -> None:
    play = in_window(request(args=Raw(POLICY)))
    play.goes(10 * MINUTE)
    (final,) = play.ends(outcome=worked())
    assert isinstance(final, Succeeded)
    result = msgspec.json.decode(final.value, type=PackagesResult)
    assert (result.rebooting, result.boot_id, result.restart_late) == (False, "", True)
    assert records(play, RestartDue) == []


def test_nor_is_it_outside_of_the_hosts_own_windows() -> None:
    own = Calendar(windows=(OneOff(name="own", begin=T0, end=T0 + 10 * MINUTE),))
    for passed, late in ((MINUTE, False), (10 * MINUTE, True)):
        play = online()
        play.gets(Keep(plan=1, enforced=True, calendar=own))
        window = WireWindow(begin=T0, end=T0 + HOUR)
        play.gets(request(window=window, needs=["window"], expires=T0 + HOUR, args=Raw(POLICY)))
        play.goes(passed)
        (final,) = play.ends(outcome=worked())
        assert msgspec.json.decode(final.value, type=PackagesResult).restart_late is late
        assert len(records(play, RestartDue)) == (not late)


def test_an_agent_that_was_away_for_long_does_not_surprise_anybody() -> None:
    play = due()
    play.does(Disconnected())
    play.goes(DUE)
    play.crash()
    assert records(play, RestartOver) == [RestartOver(id="a")]
    assert asked(play) == []
    play.goes(CONFIRM_PATIENCE)
    play.does(TimeIs())
    assert asked(play) == []


# --- systems that do not obey ---


def test_a_host_that_does_not_go_down_is_asked_again_and_given_up() -> None:
    play = due()
    play.does(FinalDelivered("a"))
    play.goes(AGAIN)
    play.does(TimeIs())
    assert asked(play) == ["a"]
    play.crash()
    assert asked(play) == []
    play.goes(AGAIN)
    play.does(TimeIs())
    assert asked(play) == []
    assert records(play, RestartOver) == [RestartOver(id="a")]
    play.connects()
    play.gets(request("b"))
    assert play.started() == ["b"], "the lane is free again"


def test_a_system_that_refuses_is_given_up_at_once() -> None:
    play = due()
    play.does(FinalDelivered("a"))
    play.does(RestartRefused("systemctl ended with 1."))
    assert records(play, RestartOver) == [RestartOver(id="a")]
    play.gets(request("b"))
    assert play.started() == ["b"]
    play.does(RestartRefused("once more"))
    assert records(play, RestartOver) == []


def test_a_compacted_journal_still_knows_of_it() -> None:
    play = due()
    play.does(FinalDelivered("a"))
    play.lines = [msgspec.json.encode(record) for record in play.core.table.snapshot()]
    play.crash()
    table = play.core.table
    assert (table.restart, table.restart_asks) == (
        RestartDue(id="a", boot="boot", before=T0 + DUE),
        1,
    )
    assert Phase.DONE not in {call.phase for call in table.open.values()}
