"""The rule of schedules, in virtual time: what is run, what is passed over, when a schedule ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp.common.calendar import Recurrence
from pulp.common.ids import is_uuid
from pulp.common.times import DAY, HOUR, MINUTE, parse_time
from pulp.server.domain.schedule import (
    PUNCTUAL,
    Missed,
    Schedule,
    Turn,
    after_run,
    enabled,
    has_failed_enough,
    judged,
    mended,
    next_after,
    occurrences,
    passed_over,
    task_id,
    turn,
)
from pulp.server.domain.task import TaskState

MONDAY = parse_time("2027-03-01T02:00:00Z")
NIGHTLY = Recurrence(rrule="FREQ=DAILY", dtstart="2027-01-01T02:00", zone="UTC")


def schedule(**changes: Any) -> Schedule:
    values: dict[str, Any] = {
        "id": "6f2c1f0e-94ac-4c88-9f0b-0a7d5c4f1e11",
        "name": "nightly",
        "created_by": "ann",
        "created_at": MONDAY - DAY,
        "recurrence": NIGHTLY,
        "consumers": ["web1", "web2"],
        "kind": "packages.update_all",
        "version": 1,
        "args": b"{}",
        "deliver_within": HOUR,
        "timeout": HOUR,
        "next_due": MONDAY,
    }
    return Schedule(**values | changes)


def test_nothing_is_due_before_its_time_and_nothing_of_a_disabled_one() -> None:
    assert turn(schedule(), MONDAY - 1) is None
    assert turn(schedule(next_due=None), MONDAY) is None


@pytest.mark.parametrize("missed", Missed)
def test_it_is_run_at_its_time(missed: Missed) -> None:
    assert turn(schedule(missed=missed), MONDAY) == Turn(
        run=MONDAY, missed=0, next_due=MONDAY + DAY
    )
    late = MONDAY + PUNCTUAL
    assert turn(schedule(missed=missed), late) == Turn(run=MONDAY, missed=0, next_due=MONDAY + DAY)


def test_after_a_downtime_skip_runs_none_and_once_the_newest() -> None:
    now = MONDAY + 3 * DAY + HOUR
    after = MONDAY + 4 * DAY
    assert turn(schedule(), now) == Turn(run=None, missed=4, next_due=after)
    once = turn(schedule(missed=Missed.ONCE), now)
    assert once == Turn(run=MONDAY + 3 * DAY, missed=3, next_due=after)


def test_what_is_punctual_again_is_run_under_skip_too() -> None:
    now = MONDAY + 3 * DAY + MINUTE
    assert turn(schedule(), now) == Turn(run=MONDAY + 3 * DAY, missed=3, next_due=MONDAY + 4 * DAY)


def test_a_run_whose_own_window_is_over_is_missed_under_every_rule() -> None:
    once = schedule(missed=Missed.ONCE, open_for=HOUR)
    assert turn(once, MONDAY + HOUR) == Turn(run=None, missed=1, next_due=MONDAY + DAY)
    at_last = turn(once, MONDAY + HOUR - 1)
    assert at_last is not None
    assert at_last.run == MONDAY


def test_a_rule_that_is_over_disables_and_says_so() -> None:
    last = NIGHTLY.__class__(rrule="FREQ=DAILY;COUNT=60", dtstart="2027-01-01T02:00", zone="UTC")
    turned = turn(schedule(recurrence=last), MONDAY)
    assert turned == Turn(run=MONDAY, missed=0, next_due=None)
    ran = after_run(schedule(recurrence=last), turned, made={}, problems={})
    assert (ran.enabled, ran.why_disabled) == (False, "It is over: its rule names no later time.")


def test_the_night_without_the_hour_and_the_night_with_two_run_once() -> None:
    berlin = Recurrence(rrule="FREQ=DAILY", dtstart="2026-01-01T02:30", zone="Europe/Berlin")
    spring, autumn = parse_time("2026-03-28T12:00:00Z"), parse_time("2026-10-24T12:00:00Z")
    assert next_after(berlin, spring) == parse_time("2026-03-29T01:00:00Z")
    (only,) = occurrences(berlin, since=autumn, before=autumn + DAY)
    assert only == parse_time("2026-10-25T00:30:00Z")


def ran(before: Schedule, made: dict[str, str], problems: dict[str, str]) -> Schedule:
    turned = turn(before, MONDAY)
    assert turned is not None
    return after_run(before, turned, made=made, problems=problems)


def test_a_run_is_counted_with_what_it_made_left_alone_and_could_not_make() -> None:
    before = schedule(consumers=["a", "b", "c"], last_tasks={"b": "old"}, runs_left=2)
    after = ran(before, {"a": "t1"}, {"c": "no such host"})
    counts = after.counts
    assert (counts.runs, counts.skipped_open, counts.refused, counts.missed) == (1, 1, 1, 0)
    assert after.last_tasks == {"a": "t1", "b": "old"}
    assert (after.problems, after.runs_left) == ({"c": "no such host"}, 1)
    assert (after.last_due, after.next_due) == (MONDAY, MONDAY + DAY)


def test_the_last_run_disables_and_says_so() -> None:
    after = ran(schedule(runs_left=1), {"web1": "t1", "web2": "t2"}, {})
    assert (after.runs_left, after.enabled, after.why_disabled) == (
        0,
        False,
        "It has no runs left.",
    )


def test_what_is_passed_over_takes_no_run_away() -> None:
    before = schedule(runs_left=2)
    after = passed_over(before, Turn(run=None, missed=4, next_due=MONDAY + DAY))
    assert (after.runs_left, after.counts.runs, after.counts.missed) == (2, 0, 4)


F, E, C = TaskState.FINISHED, TaskState.ERROR, TaskState.CANCELED


@pytest.mark.parametrize(
    ("ended", "problems", "failures"),
    [
        ({"web1": F, "web2": F}, {}, 0),
        ({"web1": F, "web2": E}, {}, 3),
        ({"web1": TaskState.MISSED}, {}, 3),
        ({"web1": F}, {"web2": "gone"}, 3),
        ({}, {"web2": "gone"}, 3),
        ({}, {}, 2),
        ({"web1": C, "web2": None}, {}, 2),
        ({"web1": C, "web2": F}, {}, 0),
    ],
)
def test_consecutive_failures_are_counted(
    ended: dict[str, TaskState | None], problems: dict[str, str], failures: int
) -> None:
    before = schedule(
        failures=2, last_tasks={"web1": "a", "web2": "b"}, problems=problems, failure_threshold=3
    )
    after = judged(before, ended)
    assert after.failures == failures
    assert has_failed_enough(after) is (failures == 3)
    assert set(after.last_tasks) == {"web1", "web2"} - set(ended)
    assert judged(after, {}).failures == failures, "nothing is counted twice"


def test_without_a_threshold_it_goes_on() -> None:
    assert not has_failed_enough(schedule(failures=1000))


def test_enabling_starts_anew_from_now_on() -> None:
    off = schedule(next_due=None, why_disabled="It failed.", failures=5, problems={"web1": "x"})
    on = enabled(off, MONDAY + 9 * DAY)
    assert (on.next_due, on.failures, on.why_disabled, on.problems) == (
        MONDAY + 10 * DAY,
        0,
        "",
        {},
    )


def test_a_runs_task_has_one_id_and_another_schedule_of_the_name_another() -> None:
    first = schedule()
    assert is_uuid(task_id(first, "web1", MONDAY))
    assert task_id(first, "web1", MONDAY) == task_id(first.replace(failures=1), "web1", MONDAY)
    others = {
        task_id(first, "web2", MONDAY),
        task_id(first, "web1", MONDAY + DAY),
        task_id(first.replace(id="00000000-94ac-4c88-9f0b-0a7d5c4f1e11"), "web1", MONDAY),
    }
    assert len(others | {task_id(first, "web1", MONDAY)}) == 4


RULES = ("FREQ=HOURLY", "FREQ=DAILY", "FREQ=DAILY;BYHOUR=2,14", "FREQ=WEEKLY;BYDAY=MO,TH")


@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES),
    zone=st.sampled_from(("UTC", "Europe/Berlin", "Australia/Lord_Howe")),
    missed=st.sampled_from(Missed),
    pauses=st.lists(st.integers(0, 9 * DAY) | st.integers(0, 20 * MINUTE), max_size=30),
)
def test_every_occurrence_is_run_or_missed_once_and_never_two_at_a_time(
    rule: str, zone: str, missed: Missed, pauses: list[int]
) -> None:
    """However unsteadily the server looks."""
    recurrence = Recurrence(rrule=rule, dtstart="2027-01-01T02:00", zone=zone)
    begin = next_after(recurrence, MONDAY)
    current = schedule(recurrence=recurrence, missed=missed, next_due=begin)
    now, runs = MONDAY, list[int]()
    for pause in pauses:
        now += pause
        turned = turn(current, now)
        if turned is None:
            continue
        if turned.run is None:
            current = passed_over(current, turned)
        else:
            runs.append(turned.run)
            late = now - turned.run
            assert late >= 0
            assert late <= PUNCTUAL or missed is Missed.ONCE
            current = after_run(current, turned, made={}, problems={})
        assert turn(current, now) is None, "one look is enough: no burst"
    passed = list(occurrences(recurrence, since=MONDAY + 1, before=now + 1))
    assert runs == sorted(set(runs))
    assert set(runs) <= set(passed)
    assert (current.counts.runs, current.counts.missed) == (len(runs), len(passed) - len(runs))


def test_a_due_time_of_a_clock_that_was_far_ahead_is_mended() -> None:
    far = schedule(next_due=MONDAY + 300 * DAY)
    right = mended(far, MONDAY - HOUR)
    assert right is not None
    assert right == far.replace(next_due=MONDAY)


@pytest.mark.parametrize("due", [MONDAY, MONDAY + DAY, None])
def test_a_due_time_that_is_right_or_right_again_soon_stays(due: int | None) -> None:
    """With the clock a little back, what it has run just now is not due once more."""
    assert mended(schedule(next_due=due), MONDAY - HOUR) is None
