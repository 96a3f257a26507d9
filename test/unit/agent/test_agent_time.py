"""The agent's core and time: windows, the lane, progress, timeouts, dead jobs, and clocks that are wrong."""

from __future__ import annotations

from typing import Literal

import pytest
from agent_plays import T0, Play, failure, online, request, success, windowed
from msgspec import Raw
from pulp_agent.events import (
    AdoptJob,
    Begun,
    CancelDecided,
    CancelJob,
    Disconnected,
    JobEnded,
    JobLost,
    JobProgressed,
    Log,
    ProfileDelivered,
    ProfileRead,
    RenewalDue,
    StartJob,
    StoreCertificate,
    TimeIs,
)

from pulp.common.times import DAY, HOUR, MINUTE, SECOND
from pulp.rmi.messages import (
    Accepted,
    Cancel,
    Canceled,
    Failed,
    Final,
    Profile,
    Progress,
    Renew,
    Renewed,
    Replan,
    Started,
    Succeeded,
    WireWindow,
)


def code(messages: list[object]) -> str:
    """The one final among what was sent, as its code or kind."""
    (final,) = [m for m in messages if isinstance(m, Final)]
    return final.code if isinstance(final, Failed) else type(final).__name__


# --- windows ---


def test_a_held_call_starts_when_its_window_opens_also_without_the_server() -> None:
    play = online()
    held = Accepted(id="a", state="held", starts=T0 + HOUR)
    assert play.gets(windowed(begin=HOUR, end=2 * HOUR)) == [held]
    assert play.wakes() == T0 + HOUR
    play.does(Disconnected())
    play.goes(HOUR - 1)
    play.does(TimeIs())
    assert play.started() == [] and play.wakes() == T0 + HOUR
    play.goes(1)
    play.does(TimeIs())
    assert play.started() == ["a"] and play.sent() == []
    assert play.connects() == [Accepted(id="a", state="ready"), Started(id="a", at=T0 + HOUR)]


@pytest.mark.parametrize(("at", "expected"), [(0, "start"), (HOUR - 1, "start"), (HOUR, "missed")])
def test_a_window_is_half_open(at: int, expected: str) -> None:
    play = online()
    play.goes(at)
    sent = play.gets(windowed(begin=0, end=HOUR, expires=T0 + DAY))
    assert bool(play.started()) == (expected == "start")
    if expected == "missed":
        assert code(sent) == "window-missed"


def test_a_window_that_passes_while_the_agent_is_off_is_missed_not_caught_up() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    play.goes(3 * HOUR)
    play.crash()
    assert play.started() == []
    assert code(play.connects()) == "window-missed"


def test_an_agent_that_starts_in_mid_window_works() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    play.goes(HOUR + MINUTE)
    play.crash()
    assert play.started() == ["a"]


def test_a_call_that_waits_in_the_lane_until_its_window_closes_is_missed() -> None:
    play = online()
    play.gets(request("long"))
    assert play.gets(windowed(begin=0, end=HOUR)) == [Accepted(id="a", state="ready")]
    assert play.wakes() == T0 + HOUR
    play.goes(HOUR)
    assert code(play.sends(TimeIs())) == "window-missed"
    assert play.ends("long", success()) and play.started() == []


def test_an_expired_call_never_starts() -> None:
    play = online()
    play.gets(request("long"))
    play.gets(request(expires=T0 + HOUR))
    play.goes(HOUR + 1)
    assert code(play.sends(TimeIs())) == "expired"


def test_a_request_that_comes_after_its_window_is_missed() -> None:
    play = online()
    play.goes(3 * HOUR)
    assert code(play.gets(windowed(begin=HOUR, end=2 * HOUR))) == "window-missed"
    assert play.started() == []


def test_a_window_that_never_opens_before_the_expiry_expires() -> None:
    play = online()
    play.gets(windowed(begin=5 * HOUR, end=6 * HOUR, expires=T0 + HOUR))
    assert play.wakes() == T0 + HOUR + 1
    play.goes(HOUR + 1)
    assert code(play.sends(TimeIs())) == "expired"


def test_a_running_call_is_not_stopped_by_the_end_of_its_window() -> None:
    play = online()
    play.gets(windowed(begin=0, end=HOUR, timeout=3 * HOUR))
    play.goes(2 * HOUR)
    assert play.sends(TimeIs()) == [] and play.other() == []
    assert code(play.ends()) == "Succeeded"


@pytest.mark.parametrize("crashed", [False, True])
def test_a_step_back_of_the_clock_does_not_open_a_used_opening_again(crashed: bool) -> None:
    play = Play()  # never welcomed, so that nothing tells that the clock is wrong
    play.does(Begun())
    window = WireWindow(begin=T0, end=T0 + HOUR)
    play.gets(request("first", window=window, needs=["window"]))
    play.ends("first")
    play.goes(HOUR)
    play.does(TimeIs())
    play.wall = T0 + MINUTE
    if crashed:
        play.crash()
    play.gets(request("second", window=window, needs=["window"]))
    assert play.started() == []
    first, second = play.connects()
    assert (code([first]), code([second])) == ("Succeeded", "window-missed")


def test_a_missed_window_stays_missed_when_the_clock_steps_back() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    play.goes(2 * HOUR)
    play.does(TimeIs())
    play.wall = T0 + HOUR + 1
    play.does(TimeIs())
    assert play.started() == []


# --- wrong clocks ---


def test_an_offset_over_two_minutes_warns() -> None:
    play = online()
    play.connects(now=T0 - 3 * MINUTE)
    assert [c.extra["offset_ms"] for c in play.commands if isinstance(c, Log)] == [3 * MINUTE]


def test_an_offset_over_ten_minutes_refuses_windowed_work_only() -> None:
    play = online()
    play.gets(windowed("held", begin=HOUR, end=2 * HOUR))
    play.connects(now=T0 - 11 * MINUTE)
    assert code(play.gets(windowed("now", begin=-HOUR, end=HOUR))) == "clock-skew"
    assert code(play.gets(windowed("later", begin=HOUR, end=2 * HOUR))) == "clock-skew"
    assert play.gets(request("free")) and play.started() == ["free"]
    play.goes(HOUR)
    assert code(play.sends(TimeIs())) == "clock-skew"


def test_a_clock_that_was_set_right_is_trusted_again_without_a_new_connection() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    play.connects(now=T0 - 30 * MINUTE)
    play.wall -= 30 * MINUTE
    play.goes(HOUR + 30 * MINUTE)
    play.does(TimeIs())
    assert play.started() == ["a"]


def test_a_host_whose_clock_is_ahead_still_accepts_what_the_server_still_offers() -> None:
    play = online()
    play.connects(now=T0 - 9 * MINUTE)
    play.gets(request(accept_by=T0 - 5 * MINUTE))
    assert play.started() == ["a"]


# --- the lane ---


def test_one_call_at_a_time_changes_the_host_in_order_of_acceptance() -> None:
    play = online()
    for name in "abc":
        play.gets(request(name))
    assert play.ends("a") and play.started() == ["b"]
    assert play.ends("b") and play.started() == ["c"]


def test_a_held_call_does_not_block_the_lane_and_keeps_its_place() -> None:
    play = online()
    play.gets(windowed("held", begin=MINUTE, end=HOUR))
    play.gets(request("a"))
    assert play.started() == ["a"]
    play.gets(request("b"))
    play.goes(MINUTE)
    assert play.ends("a") and play.started() == ["held"]


def test_reads_bypass_the_lane() -> None:
    play = online()
    play.gets(request("a"))
    play.gets(request("r", method="profile", args=Raw(b"{}")))
    assert play.started() == ["r"]


def test_the_lane_is_still_taken_after_a_crash() -> None:
    play = online()
    play.gets(request("a"))
    play.gets(request("b"))
    play.crash()
    assert play.other() == [AdoptJob("a")]
    assert play.ends("a") == [] and play.started() == ["b"]


# --- progress ---


def progress(play: Play, phase: str, percent: float) -> list[Progress]:
    sent = play.sends(JobProgressed("a", phase, percent))
    return [m for m in sent if isinstance(m, Progress)]


def test_progress_is_thinned_out_never_falls_and_is_presettled() -> None:
    play = online()
    play.gets(request())
    (first,) = progress(play, "plan", 10)
    assert (first.phase, first.percent) == ("plan", 10)
    assert next(c for c in play.commands if getattr(c, "message", None) is first).presettled
    play.goes(400)
    assert progress(play, "download", 30) == [] and progress(play, "download", 20) == []
    assert play.wakes() is None  # asked for at the first of the two
    play.goes(600)
    (second,) = play.sends(TimeIs())
    assert isinstance(second, Progress)
    assert (second.phase, second.percent) == ("download", 30) and second.seq > first.seq


def test_progress_of_a_finished_call_is_nothing() -> None:
    play = online()
    play.gets(request())
    play.ends()
    assert play.does(JobProgressed("a", "late", 99)) == []


# --- timeouts ---


def test_a_timeout_is_answered_when_the_job_has_really_ended() -> None:
    play = online()
    play.gets(request(timeout=HOUR))
    play.goes(HOUR + 10 * SECOND - 1)
    play.does(TimeIs())
    assert play.other() == []
    play.goes(1)
    assert play.sends(TimeIs()) == []
    assert play.other() == [CancelJob("a", "timeout")]
    assert play.sends(CancelDecided("a", won=True, reason="timeout")) == []
    assert code(play.ends(outcome=failure("timeout"))) == "timeout"


def test_a_job_beyond_its_point_of_no_return_is_let_go_on() -> None:
    play = online()
    play.gets(request(timeout=HOUR))
    play.goes(HOUR + 10 * SECOND)
    play.does(TimeIs())
    assert play.sends(CancelDecided("a", won=False, reason="timeout")) == []
    play.goes(HOUR)
    play.does(TimeIs())
    assert play.other() == [] and code(play.ends()) == "Succeeded"


def test_a_job_killed_for_its_timeout_is_answered_as_such() -> None:
    play = online()
    play.gets(request())
    assert code(play.sends(JobLost("a", began=True, decision="timeout"))) == "timeout"


# --- dead jobs ---


def test_a_dead_job_is_resumed_three_times_and_then_given_up() -> None:
    play = online()
    asked = request()
    play.gets(asked)
    for _ in range(3):
        assert play.sends(JobLost("a", began=True, decision="commit")) == []
        resumed = StartJob("a", "Packages.install", 1, bytes(asked.args), HOUR, resumed=True)
        assert play.other() == [resumed]
    assert code(play.sends(JobLost("a", began=True, decision="commit"))) == "interrupted"


def test_resumptions_are_counted_across_crashes() -> None:
    play = online()
    play.gets(request())
    for _ in range(3):
        play.crash()
        play.does(JobLost("a", began=True, decision=None))
        assert play.started() == ["a"]
    play.crash()
    play.does(JobLost("a", began=True, decision=None))
    assert code(play.connects()) == "interrupted"


def test_a_process_whose_folder_is_gone_is_resumed_all_the_same() -> None:
    """A power cut may have taken the folder of a half-done package change."""
    play = online()
    play.gets(request())
    play.does(JobLost("a", began=False, decision=None))
    (start,) = play.other()
    assert isinstance(start, StartJob) and start.resumed


@pytest.mark.parametrize(("decision", "resumed"), [(None, False), ("commit", True)])
def test_outside_its_window_only_a_begun_change_is_resumed(
    decision: Literal["commit"] | None, resumed: bool
) -> None:
    """What has changed nothing yet would be a start; what is half-done must be repaired whenever it is."""
    play = online()
    play.gets(windowed(begin=0, end=HOUR))
    play.goes(HOUR)
    sent = play.sends(JobLost("a", began=True, decision=decision))
    assert bool(play.started()) == resumed
    if not resumed:
        assert code(sent) == "window-missed"


def test_a_dead_job_that_was_canceled_in_time_is_canceled() -> None:
    play = online()
    play.gets(request())
    play.gets(Cancel(id="a"))
    assert play.sends(JobLost("a", began=True, decision="cancel")) == [Canceled(id="a")]


def test_a_restart_of_the_host_is_never_resumed() -> None:
    play = online()
    play.gets(request(class_="System", method="reboot", args=Raw(b"{}")))
    assert code(play.sends(JobLost("a", began=True, decision=None))) == "interrupted"


def test_a_result_found_after_a_crash_is_reported() -> None:
    play = online()
    play.gets(request())
    play.crash()
    play.does(JobEnded("a", success()))
    assert code(play.connects()) == "Succeeded"


def test_a_call_whose_request_was_lost_from_the_journal_is_never_run_again() -> None:
    play = online()
    play.gets(request())
    del play.lines[0]  # the record that it was taken; that it began is still there
    play.crash()
    assert play.other() == [AdoptJob("a")]
    assert code(play.connects()) if play.does(JobLost("a", began=True, decision=None)) else False
    assert play.gets(request()) and play.started() == []


# --- profile and renewal ---


def test_a_profile_is_sent_when_it_differs_until_it_has_arrived() -> None:
    play = online()
    profile = Profile(hash="h1", packages=[])
    assert play.sends(ProfileRead("h1", [])) == [profile]
    assert play.connects() == [profile]
    play.does(ProfileDelivered("h1"))
    assert play.connects() == [] and play.sends(ProfileRead("h1", [])) == []
    play.crash()
    play.connects()
    assert play.sends(ProfileRead("h1", [])) == []
    assert play.sends(ProfileRead("h2", [])) == [Profile(hash="h2", packages=[])]


def test_a_renewal_is_asked_for_until_it_is_answered() -> None:
    play = online()
    assert play.sends(RenewalDue("csr")) == [Renew(csr="csr")]
    assert play.connects() == [Renew(csr="csr")]
    play.gets(Renewed(certificate="cert", ca=["ca"]))
    assert play.other() == [StoreCertificate("cert", ["ca"])]
    assert play.connects() == []


def test_a_replan_that_opens_at_once_starts_at_once() -> None:
    play = online()
    play.gets(windowed(begin=HOUR, end=2 * HOUR))
    replan = Replan(id="a", plan=2, window=None, expires=T0 + DAY)
    assert play.gets(replan) == [Accepted(id="a", state="ready"), Started(id="a", at=T0)]
    assert isinstance(play.ends()[0], Succeeded)
