"""The agent and the rules of windows: carried over, fitting or not, late, the host's own calendar; two nights of the clock."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from agent_plays import T0, Play, failure, me, online, request, success, windowed
from msgspec import Raw
from pulp_agent.calls import CallTable
from pulp_agent.core import Core
from pulp_agent.events import (
    CancelDecided,
    Disconnected,
    ForgetJobs,
    JobEnded,
    JobLost,
    StartJob,
    TimeIs,
)
from pulp_agent.records import Began, Lasted, Moved, Took

from pulp.common.calendar import Calendar, OneOff, Recurring
from pulp.common.times import DAY, HOUR, LAST, MINUTE, parse_time
from pulp.rmi.messages import (
    Accepted,
    Cancel,
    Canceled,
    Failed,
    Keep,
    Override,
    Rejected,
    Replan,
    Request,
    Started,
    Succeeded,
    WireWindow,
)
from pulp.rmi.versions import needs_of

DRY = Raw(b'{"packages":[{"name":"nginx"}],"dry_run":true}')
FAR = T0 + 30 * DAY
DAILY = Calendar(
    windows=(
        Recurring(
            name="nightly",
            rrule="FREQ=DAILY",
            dtstart="2027-01-01T22:00",
            zone="UTC",
            duration="4h",
        ),
    )
)
TEN = T0 + 14 * HOUR
"""22:00 of the day that T0 is in, when DAILY opens."""


def ruled(call_id: str = "a", *, begin: int, end: int, **rule: Any) -> Request:
    """Bounds relative to T0. Unless `rule` says otherwise it is carried over to DAILY."""
    rule = {"missed": "next", "calendar": DAILY} | rule
    window = WireWindow(begin=T0 + begin, end=T0 + end, **rule)
    return request(call_id, window=window, needs=needs_of(window=window), expires=FAR)


def calendar(*spans: tuple[int, int]) -> Calendar:
    """Once each, relative to T0."""
    return Calendar(
        windows=tuple(
            OneOff(name=f"w{n}", begin=T0 + begin, end=T0 + end)
            for n, (begin, end) in enumerate(spans)
        )
    )


def keep(plan: int = 1, *, enforced: bool = True, own: Calendar | None = DAILY) -> Keep:
    return Keep(plan=plan, enforced=enforced, calendar=own)


def wait_until(play: Play, moment: int) -> list[Any]:
    play.goes(moment - play.wall)
    return play.sends(TimeIs())


def only(messages: list[Any]) -> Any:
    (message,) = messages
    return message


def compacted(play: Play) -> None:
    """Its journal is compacted, then it dies and starts again."""
    play.lines = [msgspec.json.encode(record) for record in play.core.table.snapshot()]
    play.crash()


# --- carried over ---


def test_what_the_host_slept_through_is_carried_over_to_the_next_opening() -> None:
    play = online()
    play.gets(ruled(begin=HOUR, end=2 * HOUR))
    play.goes(3 * HOUR)
    play.crash()
    assert play.started() == [] and play.wakes() == TEN
    assert play.connects() == [Accepted(id="a", state="held", starts=TEN)]
    assert wait_until(play, TEN) == [Started(id="a", at=TEN)]
    assert play.started() == ["a"]
    assert isinstance(only(play.ends()), Succeeded)


@pytest.mark.parametrize("life", [Play.crash, compacted], ids=["crashed", "compacted"])
def test_a_call_that_was_carried_over_stays_so(life: Any) -> None:
    play = online()
    play.gets(ruled(begin=HOUR, end=2 * HOUR))
    play.does(Disconnected())
    play.goes(3 * HOUR)
    play.does(TimeIs())
    life(play)
    play.wall = T0 + HOUR + MINUTE  # the clock steps back into the opening that was missed
    play.does(TimeIs())
    assert play.started() == []
    assert play.connects() == [Accepted(id="a", state="held", starts=TEN)]


def test_a_call_is_carried_over_again_and_again_until_it_expires() -> None:
    play = online()
    asked = ruled(begin=HOUR, end=2 * HOUR)
    play.gets(msgspec.structs.replace(asked, expires=TEN + DAY))
    play.gets(request("long", timeout=20 * DAY))
    told = []
    for _ in range(3):
        told += wait_until(play, play.wakes() or 0) if play.wakes() else play.sends(TimeIs())
        play.goes(DAY)
        told += play.sends(TimeIs())
    starts = [m.starts for m in told if isinstance(m, Accepted)]
    final = only([m for m in told if isinstance(m, Failed)])
    assert starts == [TEN + DAY]
    assert final.code == "window-missed" and "Call long was running." in final.message


def test_a_missed_call_says_that_the_host_was_off() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    play.goes(3 * HOUR)
    play.crash()
    assert "was off" in only(play.connects()).message


def test_a_request_that_comes_after_its_opening_is_held_for_the_next() -> None:
    play = online()
    play.goes(3 * HOUR)
    sent = play.gets(ruled(begin=HOUR, end=2 * HOUR))
    assert sent == [Accepted(id="a", state="held", starts=TEN)]


def test_freezes_are_kept_when_a_call_is_carried_over() -> None:
    frozen = Calendar(
        windows=DAILY.windows,
        freezes=(OneOff(name="fair", begin=T0, end=TEN + DAY + HOUR),),
    )
    play = online()
    play.goes(3 * HOUR)
    sent = play.gets(ruled(begin=HOUR, end=2 * HOUR, calendar=frozen))
    assert sent == [Accepted(id="a", state="held", starts=TEN + DAY + HOUR)]


def test_a_carried_call_can_be_canceled_and_planned_anew() -> None:
    play = online()
    play.goes(3 * HOUR)
    play.gets(ruled("a", begin=HOUR, end=2 * HOUR))
    play.gets(ruled("b", begin=HOUR, end=2 * HOUR))
    assert play.gets(Cancel(id="a")) == [Canceled(id="a")]
    window = WireWindow(begin=T0 + 5 * HOUR, end=T0 + 6 * HOUR)
    moved = play.gets(Replan(id="b", plan=2, window=window, expires=FAR))
    assert moved == [Accepted(id="b", state="held", starts=T0 + 5 * HOUR)]
    compacted(play)
    wait_until(play, T0 + 5 * HOUR)
    assert play.started() == ["b"]
    wait_until(play, TEN)
    assert play.started() == []


def test_a_replan_holds_a_call_again_that_was_next() -> None:
    play = online()
    play.gets(request("long"))
    assert play.gets(request("a")) == [Accepted(id="a", state="ready")]
    window = WireWindow(begin=TEN, end=TEN + HOUR)
    moved = play.gets(Replan(id="a", plan=2, window=window, expires=FAR))
    assert moved == [Accepted(id="a", state="held", starts=TEN)]
    play.ends("long")
    assert play.started() == []


# --- grace and cutoff ---


@pytest.mark.parametrize(("late", "starts"), [(2 * HOUR - 1, True), (2 * HOUR, False)])
def test_a_grace_lets_a_start_happen_after_the_end(late: int, starts: bool) -> None:
    play = online()
    play.gets(
        ruled(begin=HOUR, end=2 * HOUR, missed="grace", grace=2 * HOUR, calendar=None, expected=DAY)
    )
    play.goes(2 * HOUR + late)
    play.crash()
    assert play.started() == (["a"] if starts else [])
    if not starts:
        assert only(play.connects()).code == "window-missed"


def test_a_grace_lasts_also_where_others_have_seen_the_window_close() -> None:
    play = online()
    play.gets(windowed("plain", begin=0, end=HOUR))
    play.gets(ruled(begin=0, end=HOUR, missed="grace", grace=HOUR, calendar=None))
    play.goes(HOUR + MINUTE)
    play.ends("plain")
    assert play.started() == ["a"]


@pytest.mark.parametrize(("at", "starts"), [(50 * MINUTE - 1, True), (50 * MINUTE, False)])
def test_nothing_starts_from_the_cutoff_on(at: int, starts: bool) -> None:
    play = online()
    play.goes(at)
    cutoff_at = T0 + 50 * MINUTE
    sent = play.gets(ruled(begin=0, end=HOUR, missed="miss", calendar=None, cutoff_at=cutoff_at))
    assert play.started() == (["a"] if starts else [])
    assert starts or only(sent).code == "window-missed"


# --- admission by length ---


@pytest.mark.parametrize(("at", "starts"), [(30 * MINUTE, True), (30 * MINUTE + 1, False)])
def test_work_starts_only_if_it_ends_before_the_cutoff(at: int, starts: bool) -> None:
    play = online()
    play.goes(at)
    sent = play.gets(ruled(begin=0, end=HOUR, missed="miss", calendar=None, expected=30 * MINUTE))
    assert play.started() == (["a"] if starts else [])
    if not starts:
        assert "takes 30m here and would not be done before" in only(sent).message


def test_a_call_that_no_longer_fits_is_missed_as_soon_as_that_is_so() -> None:
    play = online()
    play.gets(request("long"))
    play.gets(ruled(begin=0, end=HOUR, missed="miss", calendar=None, expected=20 * MINUTE))
    assert play.wakes() == T0 + 40 * MINUTE + 1
    final = only(wait_until(play, T0 + 40 * MINUTE + 1))
    assert final.code == "window-missed" and "Call long was running." in final.message
    assert play.gets(windowed("short", begin=0, end=HOUR)) == [Accepted(id="short", state="ready")]


def test_what_does_not_fit_is_carried_over_to_an_opening_that_is_long_enough() -> None:
    own = calendar((0, HOUR), (2 * HOUR, 3 * HOUR), (5 * HOUR, 9 * HOUR))
    play = online()
    sent = play.gets(ruled(begin=0, end=HOUR, calendar=own, expected=2 * HOUR))
    assert sent == [Accepted(id="a", state="held", starts=T0 + 5 * HOUR)]


def run_for(play: Play, call_id: str, ms: int) -> None:
    play.gets(request(call_id))
    play.goes(ms)
    play.ends(call_id)


@pytest.mark.parametrize("life", [Play.crash, compacted], ids=["crashed", "compacted"])
def test_the_longest_of_the_last_ten_runs_is_expected_also_after_a_restart(life: Any) -> None:
    play = online()
    for number, minutes in enumerate([90, 50, *[5] * 9]):
        run_for(play, f"r{number}", minutes * MINUTE)
    life(play)
    play.connects()
    at = play.wall - T0
    too_short = {"begin": at, "end": at + 50 * MINUTE - 1}
    play.gets(ruled("a", **too_short, missed="miss", calendar=None, expected=1))
    assert play.started() == []
    play.gets(ruled("b", begin=at, end=at + 50 * MINUTE, missed="miss", calendar=None, expected=1))
    assert play.started() == ["b"]


def test_runs_that_changed_nothing_are_no_measure() -> None:
    play = online()
    play.gets(request())
    play.goes(HOUR)
    play.ends(outcome=success(changed=False))
    assert not [line for line in play.lines if b'"lasted"' in line]


def test_the_length_of_other_methods_is_no_measure() -> None:
    table = CallTable([Lasted(method="Packages.remove", ms=DAY)])
    play = online()
    play.core = Core(me(), table)
    play.connects()
    play.gets(ruled(begin=0, end=HOUR, expected=MINUTE))
    assert play.started() == ["a"]


# --- between download and commit ---


def start_job(play: Play) -> StartJob:
    return only([c for c in play.other() if isinstance(c, StartJob)])


def test_a_job_is_told_until_when_it_may_begin_to_change_anything() -> None:
    play = online()
    cutoff_at = T0 + 50 * MINUTE
    play.gets(ruled(begin=0, end=HOUR, cutoff_at=cutoff_at))
    assert start_job(play).commit_before == cutoff_at
    play.ends()
    play.gets(request("free"))
    assert start_job(play).commit_before is None


@pytest.mark.parametrize("how", ["told", "died"])
def test_work_that_is_late_when_it_is_ready_is_carried_over(how: str) -> None:
    play = online()
    play.gets(ruled(begin=0, end=HOUR))
    play.goes(2 * HOUR)
    told, died = JobEnded("a", failure("late")), JobLost("a", began=True, decision="late")
    sent = play.sends(told if how == "told" else died)
    assert sent == [Accepted(id="a", state="held", starts=TEN)]
    assert play.other() == [ForgetJobs(["a"])]
    compacted(play)
    assert play.other() == []  # it is not running any more
    wait_until(play, TEN)
    start = start_job(play)
    assert not start.resumed and start.commit_before == TEN + 4 * HOUR
    assert isinstance(only(play.connects()[2:] or play.ends()), Succeeded)


def test_work_that_is_late_is_missed_where_it_is_not_to_be_carried_over() -> None:
    play = online()
    play.gets(windowed(begin=0, end=HOUR))
    play.goes(2 * HOUR)
    final = only(play.ends(outcome=failure("late")))
    assert (final.code, final.started) == ("window-missed", T0)
    assert "getting ready took 2h" in final.message


def test_late_work_that_was_canceled_is_canceled() -> None:
    play = online()
    play.gets(ruled(begin=0, end=HOUR))
    play.gets(Cancel(id="a"))
    play.goes(2 * HOUR)
    play.does(CancelDecided("a", won=True, reason="cancel"))
    assert play.ends(outcome=failure("late")) == [Canceled(id="a")]


def test_an_execution_that_died_unchanged_after_its_window_is_carried_over() -> None:
    play = online()
    play.gets(ruled(begin=0, end=HOUR))
    play.goes(2 * HOUR)
    sent = play.sends(JobLost("a", began=True, decision=None))
    assert sent == [Accepted(id="a", state="held", starts=TEN)]


def test_an_overrun_is_reported() -> None:
    play = online()
    play.gets(windowed(begin=0, end=HOUR))
    done = success()
    play.goes(HOUR + 7)
    late = type(done)(Raw(b'{"backend":"apt","changed":true}'), T0 + HOUR + 7, changed=True)
    value = msgspec.json.decode(only(play.ends(outcome=late)).value)
    assert value == {"backend": "apt", "changed": True, "overrun": 7}


# --- the host's own calendar ---


def enforced(own: Calendar | None = DAILY) -> Play:
    play = online()
    play.gets(keep(own=own))
    return play


def test_outside_of_its_own_windows_a_host_refuses_what_would_change_it() -> None:
    play = enforced()
    for asked in (request(), windowed("b", begin=0, end=HOUR)):
        refused = only(play.gets(asked))
        assert isinstance(refused, Rejected) and refused.code == "outside-windows"
        assert "2027-01-15T22:00" in refused.expected
    assert play.started() == []
    assert play.gets(windowed("c", begin=14 * HOUR, end=15 * HOUR)) == [
        Accepted(id="c", state="held", starts=TEN)
    ]


def test_reads_and_dry_runs_change_nothing_and_are_taken() -> None:
    play = enforced()
    play.gets(request("read", method="profile", args=Raw(b"{}")))
    assert play.started() == ["read"]
    play.gets(request("dry", args=DRY))
    assert play.started() == ["dry"]


def test_a_window_that_begins_earlier_waits_for_the_hosts_own() -> None:
    play = enforced()
    play.gets(windowed(begin=13 * HOUR, end=16 * HOUR))
    sent = wait_until(play, TEN - HOUR)
    assert play.started() == []
    assert sent == [Accepted(id="a", state="held", starts=TEN)]
    wait_until(play, TEN)
    assert start_job(play).commit_before == T0 + 16 * HOUR


def test_what_was_accepted_before_is_kept_to_the_calendar_too() -> None:
    play = online()
    play.gets(request("long"))
    play.gets(request("a", expires=FAR))
    assert play.gets(keep()) == [Accepted(id="a", state="held", starts=TEN)]
    play.ends("long")
    assert play.started() == []
    wait_until(play, TEN)
    assert play.started() == ["a"]


@pytest.mark.parametrize("life", [Play.crash, compacted], ids=["crashed", "compacted"])
def test_the_calendar_is_kept_across_lives_and_the_newest_plan_wins(life: Any) -> None:
    play = enforced()
    play.gets(keep(2, own=calendar((5 * HOUR, 6 * HOUR))))
    play.gets(keep(1, enforced=False))
    life(play)
    play.connects()
    assert only(play.gets(request())).code == "outside-windows"
    play.gets(keep(3, enforced=False))
    play.gets(request("b"))
    assert play.started() == ["b"]


def test_a_host_without_windows_of_its_own_starts_nothing() -> None:
    play = online()
    play.gets(request("long"))
    play.gets(request("a"))
    assert play.gets(keep(own=None)) == [Accepted(id="a", state="held", starts=LAST)]
    assert "none that opens" in only(play.gets(windowed("b", begin=0, end=HOUR))).expected
    play.ends("long")
    assert play.started() == []


def test_a_calendar_that_cannot_be_read_opens_nothing() -> None:
    bad = Calendar(
        windows=(
            Recurring(
                name="x",
                rrule="FREQ=DAILY",
                dtstart="2027-01-01T22:00",
                zone="No/Where",
                duration="1h",
            ),
        )
    )
    play = enforced(bad)
    assert only(play.gets(request())).code == "outside-windows"
    refused = only(play.gets(ruled("b", begin=0, end=HOUR, calendar=bad)))
    assert refused.code == "bad-arguments" and "No/Where" in refused.found


def test_an_override_works_at_once_and_says_so() -> None:
    play = enforced()
    override = Override(reason="CVE", by="ann", until=T0 + HOUR)
    needs = needs_of(window=None, override=override)
    play.gets(request(override=override, needs=needs))
    assert play.started() == ["a"]
    compacted(play)
    play.connects()
    value = msgspec.json.decode(only(play.ends()).value)
    assert value["override_used"] is True


def test_an_override_is_of_no_use_after_its_time() -> None:
    play = enforced()
    override = Override(reason="CVE", by="ann", until=T0 + HOUR)
    play.gets(request("long", override=override, timeout=DAY))
    play.gets(request("a", override=override, expires=FAR))
    play.goes(HOUR + 1)
    play.ends("long")
    assert play.started() == []
    assert only(play.gets(request("b", override=override))).code == "outside-windows"
    wait_until(play, TEN)
    assert play.started() == ["a"]


def test_an_override_inside_the_windows_is_not_used() -> None:
    play = enforced()
    play.goes(15 * HOUR)
    override = Override(reason="CVE", by="ann", until=FAR)
    play.gets(request(override=override))
    assert "override_used" not in msgspec.json.decode(only(play.ends()).value)


# --- two nights ---


def berlin(wall: str, duration: str = "1h", zone: str = "Europe/Berlin") -> Calendar:
    return Calendar(
        windows=(
            Recurring(name="n", rrule="FREQ=DAILY", dtstart=wall, zone=zone, duration=duration),
        )
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", "host"])
@pytest.mark.parametrize(
    ("wall", "evening", "opens"),
    [
        # 02:30 does not exist: it opens at 03:00 summer time
        ("2027-01-01T02:30", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z"),
        # 02:30 comes twice: it opens at the first
        ("2027-01-01T02:30", "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z"),
    ],
    ids=["spring", "autumn"],
)
def test_in_the_nights_when_clocks_change_work_runs_once_in_its_window(
    zone: str, wall: str, evening: str, opens: str
) -> None:
    play = Play(timezone="Europe/Berlin")
    play.wall = parse_time(evening)
    play.does(TimeIs())
    play.connects()
    begin, night = play.wall - T0 - 2 * HOUR, parse_time(opens)
    asked = ruled(begin=begin, end=begin + HOUR, calendar=berlin(wall, zone=zone))
    asked = msgspec.structs.replace(asked, issued=play.wall, accept_by=LAST, expires=LAST)
    assert play.gets(asked) == [Accepted(id="a", state="held", starts=night)]
    wait_until(play, night - 1)
    assert play.started() == []
    wait_until(play, night)
    assert play.started() == ["a"]
    play.ends()
    later = msgspec.structs.replace(asked, id="b")
    play.goes(HOUR)  # 02:30 for the second time in autumn
    sent = play.gets(later)
    assert play.started() == []
    assert only(sent).starts > night + 20 * HOUR


def test_a_step_of_the_clock_back_does_not_open_a_recurring_opening_again() -> None:
    play = Play()
    play.goes(14 * HOUR)
    play.does(TimeIs())
    first = msgspec.structs.replace(ruled("a", begin=14 * HOUR, end=18 * HOUR), expires=LAST)
    play.gets(first)
    assert play.started() == ["a"]
    play.ends("a")
    wait_until(play, TEN + 4 * HOUR)
    play.wall = TEN + MINUTE
    play.gets(msgspec.structs.replace(first, id="b"))
    assert play.started() == []
    assert any(b'"moved"' in line and b'"b"' in line for line in play.lines)
    wait_until(play, TEN + DAY)
    assert play.started() == ["b"]


def test_a_clock_that_is_wrong_refuses_also_work_that_would_be_carried_over() -> None:
    play = online()
    play.gets(ruled(begin=HOUR, end=2 * HOUR))
    play.wall += 30 * DAY
    sent = play.sends(TimeIs())
    assert only(sent).code == "clock-skew"
    assert not [line for line in play.lines if b'"moved"' in line]


def test_moves_are_read_back_as_they_were_written() -> None:
    record = Moved(id="a", at=T0, begin=TEN, end=TEN + HOUR, cutoff_at=None)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Moved) == record


def test_what_is_held_again_is_the_same_after_a_compaction() -> None:
    """Nothing is left of its execution: neither when it began nor in which start of the host."""
    table = CallTable(
        [
            Took(request=ruled(begin=HOUR, end=2 * HOUR), at=T0),
            Began(id="a", at=TEN, boot="b1"),
            Moved(id="a", at=TEN, begin=TEN + HOUR, end=TEN + 2 * HOUR, cutoff_at=None),
        ]
    )
    assert CallTable(table.snapshot()).open == table.open
