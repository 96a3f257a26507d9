"""The agent's core and what is fetched ahead of an opening: when, how often, and that nothing ever waits for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from agent_plays import T0, Play, online, request, success, windowed
from msgspec import Raw
from pulp_agent.ahead import LEAST, MARGIN, RETRY, TRIES
from pulp_agent.events import (
    EndFetch,
    FetchEnded,
    ForgetJobs,
    Log,
    Refused,
    StartFetch,
    StartJob,
    Success,
    TimeIs,
)

from pulp.common.times import DAY, HOUR, MINUTE, SECOND
from pulp.rmi.messages import Accepted, Cancel, Canceled, Replan, Request, Started, WireWindow
from pulp.rmi.restarts import RestartResult

DRY = Raw(b'{"packages":[{"name":"nginx"}],"dry_run":true}')
BEGIN = 8 * HOUR


def wished(call_id: str = "a", *, begin: int = BEGIN, **changes: Any) -> Request:
    """A request whose window (an hour, from `begin` after T0 on) wishes that packages be fetched ahead."""
    asked = windowed(call_id, begin=begin, end=begin + HOUR, **changes)
    assert asked.window is not None
    window = msgspec.structs.replace(asked.window, predownload=True)
    return msgspec.structs.replace(asked, window=window)


def fetches(play: Play) -> list[str]:
    return [c.id for c in play.commands if isinstance(c, StartFetch)]


def ends(play: Play) -> int:
    return sum(isinstance(c, EndFetch) for c in play.commands)


def wait(play: Play) -> int:
    """Until the agent asked to be woken; when, after T0. It asks only where that has changed, but after every waking."""
    if play.wakes() is None:
        play.does(TimeIs())
    moment = play.wakes()
    assert moment is not None
    play.goes(moment - play.wall)
    play.does(TimeIs())
    return moment - T0


def fetching(**changes: Any) -> Play:
    """A play with the fetch for call `a` under way."""
    play = online()
    play.gets(wished(**changes))
    wait(play)
    assert fetches(play) == ["a"]
    return play


# --- when ---


def test_it_is_fetched_between_the_acceptance_and_shortly_before_the_opening() -> None:
    play = online()
    assert play.gets(wished()) == [Accepted(id="a", state="held", starts=T0 + BEGIN)]
    moment = wait(play)
    (fetch,) = play.other()
    assert isinstance(fetch, StartFetch)
    assert (fetch.id, fetch.method, fetch.timeout) == ("a", "Packages.install", HOUR)
    assert 0 <= moment <= BEGIN - MARGIN


def test_without_the_wish_nothing_is_fetched() -> None:
    play = online()
    play.gets(windowed("a", begin=BEGIN, end=BEGIN + HOUR))
    assert wait(play) == BEGIN
    assert play.started() == ["a"] and fetches(play) == []


def test_hosts_do_not_come_all_at_once() -> None:
    moments = []
    for number in range(200):
        play = online()
        play.gets(wished(f"a{number}"))
        moments.append(wait(play))
        assert fetches(play) == [f"a{number}"]
    quarter = (BEGIN - MARGIN) / 4
    shares = [sum(n * quarter <= m < (n + 1) * quarter for m in moments) for n in range(4)]
    assert min(shares) >= 30


def test_what_is_far_away_is_fetched_on_its_last_day() -> None:
    play = online()
    play.gets(wished(begin=30 * DAY, accept_by=T0 + 40 * DAY))
    moment = wait(play)
    assert fetches(play) == ["a"] and 29 * DAY <= moment <= 30 * DAY - MARGIN


@pytest.mark.parametrize(("begin", "fetched"), [(LEAST + SECOND, ["a"]), (LEAST, [])])
def test_what_opens_soon_is_fetched_at_once_or_not_at_all(begin: int, fetched: list[str]) -> None:
    play = online()
    play.gets(wished(begin=begin))
    assert fetches(play) == fetched


@pytest.mark.parametrize(
    "changes",
    [
        {"args": DRY},
        {"method": "remove"},
        {"class_": "System", "method": "reboot", "args": Raw(b"{}")},
    ],
    ids=["dry", "removal", "reboot"],
)
def test_what_needs_no_package_is_not_fetched(changes: dict[str, Any]) -> None:
    play = online()
    play.gets(wished(**changes))
    assert wait(play) == BEGIN
    assert fetches(play) == []


def test_the_server_is_told_nothing_of_it() -> None:
    play = fetching()
    assert play.sent() == []
    assert play.sends(FetchEnded("a")) == []


def test_it_is_not_told_in_the_journal_either() -> None:
    play = online()
    play.gets(wished())
    lines = len(play.lines)
    wait(play)
    play.does(FetchEnded("a"))
    assert len(play.lines) == lines


# --- once for each opening ---


def test_it_is_fetched_once_for_an_opening() -> None:
    play = fetching()
    play.does(FetchEnded("a"))
    play.connects()
    assert wait(play) == BEGIN
    assert fetches(play) == [] and play.started() == ["a"]


def test_it_is_fetched_again_for_another_opening() -> None:
    play = fetching()
    play.does(FetchEnded("a"))
    window = WireWindow(begin=T0 + 3 * DAY, end=T0 + 4 * DAY, predownload=True)
    play.gets(Replan(id="a", plan=2, window=window, expires=T0 + 4 * DAY))
    moment = wait(play)
    assert fetches(play) == ["a"] and 2 * DAY <= moment <= 3 * DAY - MARGIN


def test_a_failed_fetch_is_tried_again_later_and_later_and_then_given_up() -> None:
    play = fetching()
    pauses = []
    for _ in range(TRIES - 1):
        play.does(FetchEnded("a", "fetch: the mirror is away"))
        assert fetches(play) == []
        before = play.wall
        wait(play)
        pauses.append(play.wall - before)
        assert fetches(play) == ["a"]
    assert pauses == [RETRY, 4 * RETRY]
    play.does(FetchEnded("a", "fetch: the mirror is away"))
    warned = [c for c in play.commands if isinstance(c, Log)]
    assert warned[0].level == "warning" and "mirror" in warned[0].extra["problem"]
    assert wait(play) == BEGIN
    assert play.started() == ["a"]


def test_a_failure_shortly_before_the_opening_is_the_last() -> None:
    play = online()
    play.gets(wished(begin=5 * MINUTE))
    assert fetches(play) == ["a"]
    play.does(FetchEnded("a", "fetch: the mirror is away"))
    assert wait(play) == 5 * MINUTE
    assert fetches(play) == [] and play.started() == ["a"]


def test_a_fetch_that_takes_longer_than_the_call_may_is_ended_and_counts_as_failed() -> None:
    play = fetching(timeout=MINUTE)
    before = play.wall
    wait(play)
    assert play.wall - before == MINUTE + 10 * SECOND
    assert ends(play) == 1 and fetches(play) == []
    play.does(FetchEnded("a", "canceled"))
    before = play.wall
    wait(play)
    assert play.wall - before <= RETRY and fetches(play) == ["a"]


# --- nothing waits for it ---


def test_the_opening_does_not_wait_for_what_is_fetched() -> None:
    play = fetching(timeout=DAY)
    play.goes(T0 + BEGIN - play.wall)
    assert play.sends(TimeIs()) == [Started(id="a", at=T0 + BEGIN)]
    assert [type(c) for c in play.other()] == [EndFetch, StartJob]
    play.does(FetchEnded("a", "canceled"))
    assert play.other() == []


def test_other_work_does_not_wait_for_it_and_it_goes_on_after_that() -> None:
    play = fetching()
    play.gets(request("now"))
    assert [type(c) for c in play.other()] == [EndFetch, StartJob] and play.started() == ["now"]
    play.does(FetchEnded("a", "canceled"))
    assert fetches(play) == []
    play.ends("now", success())
    assert fetches(play) == ["a"]


def test_it_begins_only_when_the_fetch_before_it_has_ended() -> None:
    play = fetching()
    play.gets(request("now"))
    play.ends("now", success())
    assert fetches(play) == []
    play.does(FetchEnded("a", "canceled"))
    assert fetches(play) == ["a"]


def test_giving_way_is_no_failure() -> None:
    play = fetching()
    for number in range(2 * TRIES):
        play.gets(request(f"now{number}"))
        play.does(FetchEnded("a", "canceled"))
        play.ends(f"now{number}", success())
        assert fetches(play) == ["a"]


def test_nothing_is_fetched_beside_work_that_changes_the_host() -> None:
    play = online()
    play.gets(request("long", timeout=DAY))
    play.gets(wished())
    play.goes(BEGIN - MINUTE)
    play.does(TimeIs())
    assert fetches(play) == []


def test_nothing_is_fetched_while_the_host_is_to_restart() -> None:
    play = online()
    play.gets(wished())
    play.goes(BEGIN - MARGIN - MINUTE)
    play.gets(request("r", class_="System", method="restart", args=Raw(b"{}")))
    decision = RestartResult(needed=True, rebooting=True)
    play.ends("r", Success(Raw(msgspec.json.encode(decision)), finished=play.wall))
    assert play.core.table.restart is not None
    play.goes(MINUTE)
    play.does(TimeIs())
    assert fetches(play) == []


def test_one_fetch_at_a_time_in_order_of_acceptance() -> None:
    play = online()
    play.gets(wished("b", begin=BEGIN))
    play.gets(wished("a", begin=BEGIN))
    play.goes(BEGIN - MARGIN)
    play.does(TimeIs())
    assert fetches(play) == ["b"]
    play.does(FetchEnded("b"))
    assert fetches(play) == ["a"]


def test_it_keeps_nobody_awake() -> None:
    """While work or another fetch goes on there is nothing to look at before the opening is too near."""
    play = online()
    play.gets(request("long", timeout=DAY))
    play.gets(wished())
    play.goes(BEGIN - MARGIN)
    play.does(TimeIs())
    assert play.wakes() == T0 + BEGIN - LEAST
    assert wait(play) == BEGIN - LEAST
    assert play.wakes() == T0 + BEGIN


# --- calls that end, agents that die ---


def test_a_cancel_of_a_held_call_ends_its_fetch() -> None:
    play = fetching()
    assert play.gets(Cancel(id="a")) == [Canceled(id="a")]
    assert ends(play) == 1
    play.does(FetchEnded("a", "canceled"))
    assert fetches(play) == [] and play.wakes() is None


def test_a_cancel_before_it_leaves_nothing_to_fetch() -> None:
    play = online()
    play.gets(wished())
    play.gets(Cancel(id="a"))
    play.goes(BEGIN)
    play.does(TimeIs())
    assert fetches(play) == [] and play.other() == []


def test_a_new_plan_without_the_wish_ends_the_fetch() -> None:
    play = fetching()
    window = WireWindow(begin=T0 + BEGIN, end=T0 + BEGIN + HOUR)
    play.gets(Replan(id="a", plan=2, window=window, expires=T0 + BEGIN + HOUR))
    assert ends(play) == 1


def test_a_host_that_its_server_refuses_fetches_no_more() -> None:
    play = fetching()
    play.does(Refused())
    assert ends(play) == 1


def test_a_death_of_the_fetch_fails_nothing() -> None:
    play = fetching()
    play.does(FetchEnded("a", "its process died"))
    assert not [c for c in play.commands if isinstance(c, ForgetJobs)]
    play.goes(T0 + BEGIN - play.wall)
    assert Started(id="a", at=T0 + BEGIN) in play.sends(TimeIs())


def test_every_start_of_the_agent_ends_what_was_fetched_and_it_is_fetched_again() -> None:
    play = fetching()
    play.crash()
    assert ends(play) == 0  # crash() has taken out the one that comes with every start
    play.does(FetchEnded("a", "canceled"))  # of the earlier life
    assert fetches(play) == []
    wait(play)
    assert fetches(play) == ["a"]


def test_a_fleet_that_was_restarted_at_once_does_not_fetch_at_once() -> None:
    """Their moments lie in the past; they are spread over what is left."""
    moments = []
    for number in range(50):
        play = online()
        play.gets(wished(f"a{number}"))
        play.goes(BEGIN // 2)
        play.crash()
        assert fetches(play) == []
        moments.append(wait(play))
    assert min(moments) >= BEGIN // 2 and max(moments) <= BEGIN - MARGIN
    assert max(moments) - min(moments) > BEGIN // 4
