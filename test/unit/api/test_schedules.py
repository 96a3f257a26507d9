"""Schedules through the API and their runner, in virtual time over a real store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rest_world import NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.calendar import Recurring
from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, HOUR, MINUTE, parse_time, to_datetime
from pulp.common.windows import Window
from pulp.rmi.interfaces import Policy
from pulp.rmi.versions import FEATURES
from pulp.server.api import schedule_runs
from pulp.server.api.errors import Conflict, Forbidden, KeyReused, NotFound
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.schedule_runs import ScheduleRunner
from pulp.server.api.schedule_types import OwnWindow, PatchScheduleBody, ScheduleBody, ScheduleView
from pulp.server.db.base import TaskFilter, UnitOfWork
from pulp.server.domain.task import TaskError, TaskRecord, TaskState
from pulp.server.domain.window import NamedWindow, WindowRole
from pulp.server.tasking.task import TaskKinds

FIRST = parse_time("2027-01-16T02:00:00Z")
"""The first occurrence after NOON, which is 2027-01-15T08:00Z."""


def body(**changes: Any) -> ScheduleBody:
    values: dict[str, Any] = {
        "name": "nightly",
        "action": "update-all",
        "consumers": ["web1"],
        "rrule": "FREQ=DAILY",
        "dtstart": "2027-01-01T02:00",
        "zone": "UTC",
    }
    return ScheduleBody(**values | changes)


def create(rest: Rest, **changes: Any) -> ScheduleView:
    return rest.schedules.create(OPERATOR, body(**changes))


def change(rest: Rest, **changes: Any) -> ScheduleView:
    return rest.schedules.change(OPERATOR, "nightly", PatchScheduleBody(**changes))


def show(rest: Rest) -> ScheduleView:
    return rest.schedules.show(VIEWER, "nightly")


def faults(rest: Rest, **changes: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        create(rest, **changes)
    assert rest.schedules.list(VIEWER, after=None, limit=10).items == []
    return {e.field: e.message for e in refused.value.errors}


def at(rest: Rest, moment: int) -> int | None:
    """A look by the runner at that moment."""
    rest.clock.ms = moment
    kinds = TaskKinds(TASK_CLASSES)
    return ScheduleRunner(rest.store, kinds, rest.queue).step(moment)


def tasks(rest: Rest, **where: Any) -> list[TaskRecord]:
    """Oldest first."""
    page = rest.store.read(lambda uow: uow.tasks.page(TaskFilter(**where), None, 1000))
    return page.items[::-1]


def end(rest: Rest, state: TaskState = TaskState.FINISHED) -> None:
    """All that is open ends."""
    for record in tasks(rest):
        if not record.state.final:
            error = None if state is TaskState.FINISHED else TaskError(code="x", message="x")
            over = {"deadline": None, "finished_at": rest.clock.ms, "phase": ""}
            rest.change_task(record.id, state=state, error=error, **over)


@pytest.fixture(autouse=True)
def hosts(rest: Rest) -> None:
    for name in ("web1", "web2"):
        rest.register(name, agent=agent_info(), online=True)


# --- making one ---


def test_a_schedule_shows_what_it_does_and_when_it_is_next_due(rest: Rest) -> None:
    made = create(
        rest,
        security_only=True,
        consumers=["web2", "web1"],
        runs=3,
        failure_threshold=2,
        missed="once",
        window=OwnWindow(duration="4h"),
    )
    assert (made.name, made.created_by, made.action) == ("nightly", "olga", "update-all")
    assert msgspec.json.decode(made.args)["security_only"] is True
    assert (made.enabled, made.why_disabled) == (True, "")
    assert made.next_due == datetime(2027, 1, 16, 2, tzinfo=UTC)
    assert (made.runs_left, made.failure_threshold, made.missed) == (3, 2, "once")
    assert made.window == OwnWindow(duration="4h")
    assert (made.deliver_within, made.timeout) == ("7d", "2h")
    assert show(rest) == made
    assert rest.schedules.list(VIEWER, after=None, limit=10).items == [made]


def test_package_groups_recur_like_packages(rest: Rest) -> None:
    made = create(rest, action="install-group", groups=["web-server"])
    assert made.action == "install-group"
    assert msgspec.json.decode(made.args)["groups"] == ["web-server"]
    at(rest, FIRST)
    assert [task.kind for task in tasks(rest)] == ["packages.install_group"]


@pytest.mark.parametrize("action", ["repair", "refresh"])
def test_upkeep_recurs_too(rest: Rest, action: str) -> None:
    create(rest, action=action)
    at(rest, FIRST)
    assert [task.kind for task in tasks(rest)] == [f"packages.{action}"]


def test_restarts_recur_too_and_only_they_have_a_condition(rest: Rest) -> None:
    assert faults(rest, action="reboot", dry_run=True).keys() == {"dry_run"}
    assert "only for reboot" in faults(rest, if_needed=True)["if_needed"]
    made = create(rest, action="reboot", if_needed=True)
    assert made.action == "reboot"
    args = msgspec.json.decode(made.args)
    assert args == {"delay": 0, "if_needed": True, "back_within": 30 * MINUTE}


@pytest.mark.parametrize("action", ["repair", "refresh"])
def test_upkeep_takes_no_packages_and_no_dry_run(rest: Rest, action: str) -> None:
    found = faults(rest, action=action, dry_run=True, packages=["x"])
    assert list(found) == ["packages", "dry_run"]


def test_a_schedule_may_be_limited_to_advisories(rest: Rest) -> None:
    rest.register("dnf1", agent=agent_info(features=sorted(FEATURES)), online=True)
    create(rest, consumers=["dnf1"], advisories=["RHSA-2026:1"], policy=Policy(minimal=True))
    at(rest, FIRST)
    (task,) = tasks(rest)
    assert msgspec.json.decode(task.args)["advisories"] == ["RHSA-2026:1"]


def test_a_schedule_is_limited_to_advisories_or_to_security(rest: Rest) -> None:
    assert list(faults(rest, advisories=["A"], security_only=True)) == ["advisories"]
    found = faults(rest, action="install", packages=["nginx"], advisories=["A"])
    assert found == {"advisories": "is only for update-all: leave it out"}


def test_viewers_only_look(rest: Rest) -> None:
    create(rest)
    with pytest.raises(Forbidden):
        rest.schedules.create(VIEWER, body(name="other"))
    with pytest.raises(Forbidden):
        rest.schedules.change(VIEWER, "nightly", PatchScheduleBody(enabled=False))
    with pytest.raises(Forbidden):
        rest.schedules.delete(VIEWER, "nightly")
    assert show(rest).enabled


def test_a_name_exists_once_and_a_repeated_request_makes_one(rest: Rest) -> None:
    first = rest.schedules.create(OPERATOR, body(), key="k")
    assert rest.schedules.create(OPERATOR, body(), key="k") == first
    with pytest.raises(KeyReused):
        rest.schedules.create(OPERATOR, body(name="other"), key="k")
    with pytest.raises(Conflict, match="a schedule nightly already"):
        create(rest)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"rrule": "FREQ=MINUTELY"}, "rrule", "use HOURLY or slower"),
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rrule", "no day within ten years"),
        ({"rrule": "FREQ=DAILY;UNTIL=20270110"}, "rrule", "move UNTIL to a later day"),
        ({"dtstart": "2027-01-01T02:00:00"}, "dtstart", "to the minute"),
        ({"zone": "Europe/Berlim"}, "zone", "did you mean Europe/Berlin"),
        ({"zone": "host"}, "zone", "the server starts the runs"),
        ({"window": OwnWindow(duration="25h")}, "window.duration", "is not over when the next"),
        ({"window": OwnWindow(duration="90s")}, "window.duration", "whole minutes"),
        ({"consumers": ["web1", "web2", "web1"]}, "consumers[2]", "after consumers[0]"),
        ({"action": "install"}, "packages", "is missing"),
        ({"packages": ["nginx"]}, "packages", "is not for update-all"),
        (
            {"action": "install", "packages": ["a"], "security_only": True},
            "security_only",
            "only for update-all",
        ),
        ({"action": "refresh-profile", "dry_run": True}, "dry_run", "leave it out"),
        ({"action": "install", "packages": ["a", "a"]}, "packages[1]", "drop one"),
        ({"timeout": "30d"}, "timeout", "from 1s to 7d"),
    ],
)
def test_wrong_input_is_refused_with_what_to_change(
    rest: Rest, changes: dict[str, Any], field: str, sentence: str
) -> None:
    found = faults(rest, **changes)
    assert sentence in found[field]
    assert len(found) == 1


def test_every_bad_field_is_named_at_once(rest: Rest) -> None:
    wrong = {"timeout": "30d", "zone": "Mars", "rrule": "FREQ=DAILY;X=1", "action": "install"}
    assert set(faults(rest, **wrong)) == {"timeout", "zone", "rrule", "packages"}


# --- its runs ---


def test_at_its_time_there_is_one_task_for_each_consumer(rest: Rest) -> None:
    create(rest, consumers=["web1", "web2"], security_only=True, timeout="10m", deliver_within="1h")
    assert at(rest, FIRST - 1) == FIRST
    assert tasks(rest) == []
    assert at(rest, FIRST + 30) == FIRST + DAY
    made = tasks(rest)
    assert {record.consumer_id for record in made} == {"web1", "web2"}
    for record in made:
        assert record.kind == "packages.update_all"
        assert msgspec.json.decode(record.args)["security_only"] is True
        assert record.requested_by == "schedule:nightly (olga)"
        assert (record.state, record.not_before) == (TaskState.WAITING, FIRST)
        assert (record.timeout, record.accept_by) == (10 * MINUTE, FIRST + 30 + HOUR)
        assert record.window is None
    seen = show(rest)
    assert (seen.counts.runs, seen.last_due) == (1, to_datetime(FIRST))
    assert seen.last_tasks == {r.consumer_id: r.id for r in made}


def test_looking_again_makes_no_second_one(rest: Rest) -> None:
    create(rest)
    for later in (0, 1, MINUTE, HOUR):
        at(rest, FIRST + later)
    assert len(tasks(rest)) == 1


def test_the_window_of_a_run_begins_with_it_and_the_host_keeps_it(rest: Rest) -> None:
    create(rest, window=OwnWindow(duration="4h"))
    at(rest, FIRST + 30)
    (record,) = tasks(rest)
    assert record.window is not None
    assert (record.window.begin, record.window.end) == (FIRST, FIRST + 4 * HOUR)
    assert record.accept_by == record.expires == FIRST + 4 * HOUR


def test_a_restored_store_makes_the_same_task_again_and_not_another(rest: Rest) -> None:
    """The agent that has carried it out answers by its id."""
    create(rest)
    before = rest.store.read(lambda uow: uow.schedules.get("nightly"))
    at(rest, FIRST)
    (first,) = tasks(rest)

    def restore(uow: UnitOfWork) -> None:
        uow.schedules.remove("nightly")
        assert before is not None
        uow.schedules.add(before)

    rest.store.write(restore)
    at(rest, FIRST + 1)
    assert [record.id for record in tasks(rest)] == [first.id]
    assert show(rest).last_tasks == {"web1": first.id}


def test_after_a_downtime_there_is_no_burst(rest: Rest) -> None:
    create(rest)
    create(rest, name="once", missed="once", consumers=["web2"])
    at(rest, FIRST + 9 * DAY + HOUR)
    (only,) = tasks(rest)
    assert (only.consumer_id, only.not_before) == ("web2", FIRST + 9 * DAY)
    assert (show(rest).counts.runs, show(rest).counts.missed) == (0, 10)
    once = rest.schedules.show(VIEWER, "once")
    assert (once.counts.runs, once.counts.missed) == (1, 9)


def test_a_run_that_is_still_open_is_not_doubled(rest: Rest) -> None:
    create(rest, consumers=["web1", "web2"])
    at(rest, FIRST)
    for record in tasks(rest, consumer_id="web2"):
        over = {"state": TaskState.FINISHED, "deadline": None, "finished_at": FIRST}
        rest.change_task(record.id, **over)
    at(rest, FIRST + DAY)
    assert [r.consumer_id for r in tasks(rest)].count("web1") == 1
    assert [r.consumer_id for r in tasks(rest)].count("web2") == 2
    assert (show(rest).counts.runs, show(rest).counts.skipped_open) == (2, 1)
    end(rest)
    at(rest, FIRST + 2 * DAY)
    assert len(tasks(rest)) == 5


def test_a_consumer_that_cannot_is_counted_and_named_and_the_others_run(rest: Rest) -> None:
    rest.change("web1", agent=agent_info(methods={"Packages.install": [1]}))
    create(rest, consumers=["web1", "web9", "web2"])
    at(rest, FIRST)
    assert [record.consumer_id for record in tasks(rest)] == ["web2"]
    seen = show(rest)
    assert (seen.counts.runs, seen.counts.refused) == (1, 2)
    assert "cannot take Packages.update_all" in seen.problems["web1"]
    assert seen.problems["web9"] == "there is no consumer 'web9'"


def test_runs_are_counted_down_to_the_last(rest: Rest) -> None:
    create(rest, runs=2)
    at(rest, FIRST)
    end(rest)
    assert (show(rest).runs_left, show(rest).enabled) == (1, True)
    at(rest, FIRST + DAY)
    end(rest)
    seen = show(rest)
    assert (seen.runs_left, seen.enabled, seen.next_due) == (0, False, None)
    assert seen.why_disabled == "It has no runs left."
    at(rest, FIRST + 2 * DAY)
    assert len(tasks(rest)) == 2


def test_consecutive_failures_disable_it_with_the_reason(rest: Rest) -> None:
    create(rest, failure_threshold=2)
    outcomes = (TaskState.ERROR, TaskState.FINISHED, TaskState.MISSED, TaskState.TIMED_OUT)
    for day, outcome in enumerate(outcomes):
        at(rest, FIRST + day * DAY)
        end(rest, outcome)
    assert len(tasks(rest)) == 4
    at(rest, FIRST + 4 * DAY)
    assert len(tasks(rest)) == 4, "a success between counts from the start"
    seen = show(rest)
    assert (seen.enabled, seen.failures) == (False, 2)
    assert seen.why_disabled == "Its last 2 runs failed, and its failure_threshold is 2."


def test_one_that_fails_inside_keeps_no_other_waiting(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(rest)
    create(rest, name="other", consumers=["web2"])
    real = schedule_runs.turn

    def turn(schedule: Any, now: int) -> Any:
        if schedule.name == "nightly":
            raise RuntimeError("a bug")
        return real(schedule, now)

    monkeypatch.setattr(schedule_runs, "turn", turn)
    assert at(rest, FIRST) == FIRST + DAY
    assert [record.consumer_id for record in tasks(rest)] == ["web2"]
    assert (show(rest).enabled, "log tells more" in show(rest).why_disabled) == (False, True)


# --- changing one ---


def test_disabled_it_makes_nothing_and_enabled_it_makes_up_for_nothing(rest: Rest) -> None:
    create(rest, missed="once")
    assert change(rest, enabled=False).why_disabled == "Disabled by olga."
    at(rest, FIRST + 5 * DAY)
    assert tasks(rest) == []
    again = change(rest, enabled=True)
    assert (again.next_due, again.why_disabled) == (to_datetime(FIRST + 6 * DAY), "")
    at(rest, FIRST + 6 * DAY)
    assert len(tasks(rest)) == 1


def test_one_can_be_made_disabled(rest: Rest) -> None:
    made = create(rest, enabled=False)
    assert (made.enabled, made.next_due, made.why_disabled) == (False, None, "Disabled by olga.")


def test_another_rule_counts_from_now_on(rest: Rest) -> None:
    create(rest)
    changed = change(rest, rrule="FREQ=WEEKLY;BYDAY=MO", zone="Europe/Berlin")
    assert changed.next_due == datetime(2027, 1, 18, 1, tzinfo=UTC)
    assert (changed.rrule, changed.zone) == ("FREQ=WEEKLY;BYDAY=MO", "Europe/Berlin")
    with pytest.raises(InvalidInput, match="ten years"):
        change(rest, rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    assert show(rest) == changed


def test_absent_fields_stay_and_null_lifts_a_limit(rest: Rest) -> None:
    create(rest, runs=5, failure_threshold=3)
    assert (change(rest, missed="once").runs_left, show(rest).failure_threshold) == (5, 3)
    lifted = change(rest, runs=None, failure_threshold=None, consumers=["web2"])
    assert (lifted.runs_left, lifted.failure_threshold) == (None, None)
    assert (lifted.consumers, lifted.missed) == (["web2"], "once")


def test_without_runs_it_is_enabled_only_with_new_ones(rest: Rest) -> None:
    create(rest, runs=1)
    at(rest, FIRST)
    end(rest)
    with pytest.raises(InvalidInput, match="runs: none are left"):
        change(rest, enabled=True)
    assert change(rest, enabled=True, runs=1).next_due == to_datetime(FIRST + DAY)


def test_a_consumer_that_is_taken_out_is_forgotten(rest: Rest) -> None:
    create(rest, consumers=["web1", "web9"])
    at(rest, FIRST)
    changed = change(rest, consumers=["web2"])
    assert (changed.last_tasks, changed.problems) == ({}, {})
    at(rest, FIRST + DAY)
    assert show(rest).counts.skipped_open == 0


def test_deleted_it_makes_nothing_and_what_it_made_goes_on(rest: Rest) -> None:
    create(rest)
    at(rest, FIRST)
    rest.schedules.delete(OPERATOR, "nightly")
    at(rest, FIRST + DAY)
    (left,) = tasks(rest)
    assert left.state is TaskState.WAITING
    for call in (
        lambda: show(rest),
        lambda: rest.schedules.delete(OPERATOR, "nightly"),
        lambda: change(rest, enabled=True),
        lambda: rest.schedules.preview(VIEWER, "nightly", count=1),
    ):
        with pytest.raises(NotFound, match="no schedule 'nightly'"):
            call()


def test_the_preview_tells_both_clocks_over_the_night_without_two_oclock(rest: Rest) -> None:
    rest.clock.ms = parse_time("2027-03-27T12:00:00Z")
    create(rest, dtstart="2027-01-01T02:30", zone="Europe/Berlin")
    seen = rest.schedules.preview(VIEWER, "nightly", count=2)
    assert [(o.at.isoformat(), o.local) for o in seen.occurrences] == [
        ("2027-03-28T01:00:00+00:00", "2027-03-28T03:00"),
        ("2027-03-29T00:30:00+00:00", "2027-03-29T02:30"),
    ]
    assert rest.clock.ms != NOON


# --- in windows, and on enforced hosts ---


def with_nights(rest: Rest, *hosts: str, **changes: Any) -> None:
    """A window from 04:00 to 06:00, bound to the hosts; their agents are of today."""
    span = Recurring(
        name="nights", rrule="FREQ=DAILY", dtstart="2027-01-01T04:00", zone="UTC", duration="2h"
    )
    made = NamedWindow(
        name="nights", role=WindowRole.WINDOW, span=span, created_by="admin", created_at=NOON
    )
    rest.store.write(lambda uow: uow.windows.add(made))
    for host in hosts:
        agent = agent_info(version="0.2.0", features=sorted(FEATURES))
        rest.change(host, agent=agent, windows=["nights"], **changes)


def test_the_work_of_a_run_is_done_in_the_next_opening_of_a_window(rest: Rest) -> None:
    with_nights(rest, "web1")
    made = create(
        rest,
        window="nights",
        window_missed="grace",
        grace="1h",
        expected="20m",
        predownload=True,
    )
    assert (made.window, made.window_missed, made.grace, made.expected, made.predownload) == (
        "nights",
        "grace",
        "1h",
        "20m",
        True,
    )
    assert show(rest) == made
    at(rest, FIRST)
    (record,) = tasks(rest)
    assert record.window == Window(FIRST + 2 * HOUR, FIRST + 4 * HOUR)
    assert record.rule is not None
    assert (record.rule.asked, record.rule.missed, record.rule.late) == (
        "nights",
        "grace",
        FIRST + 5 * HOUR,
    )
    assert (record.rule.expected, record.rule.predownload) == (20 * MINUTE, True)


def test_next_is_each_hosts_own(rest: Rest) -> None:
    with_nights(rest, "web1")
    create(rest, window="next", consumers=["web1", "web2"])
    at(rest, FIRST)
    (record,) = tasks(rest)
    assert record.consumer_id == "web1"
    assert record.rule is not None and record.rule.missed == "next"
    assert "web2 has no window: bind one" in show(rest).problems["web2"]


def test_an_enforced_host_is_told_as_a_problem_and_keeps_no_other(rest: Rest) -> None:
    with_nights(rest, "web1", enforced=True)
    create(rest, consumers=["web1", "web2"])
    at(rest, FIRST)
    assert [record.consumer_id for record in tasks(rest)] == ["web2"]
    seen = show(rest)
    assert seen.counts.refused == 1
    assert "web1 are enforced" in seen.problems["web1"]
    assert "--window next" in seen.problems["web1"]


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"window": "weekends"}, "window", "there is no window of this name"),
        ({"window_missed": "miss"}, "window_missed", "only for work in a window"),
        ({"expected": "1h"}, "expected", "only for work in a window"),
        ({"window": "next", "window_missed": "grace"}, "grace", "is missing"),
        ({"window": "next", "grace": "1h"}, "grace", "missed with grace"),
        (
            {"window": OwnWindow(duration="4h"), "window_missed": "next"},
            "window_missed",
            "opens once",
        ),
    ],
)
def test_what_does_not_go_with_its_window_is_refused(
    rest: Rest, changes: dict[str, Any], field: str, sentence: str
) -> None:
    found = faults(rest, **changes)
    assert list(found) == [field]
    assert sentence in found[field]


def test_a_due_time_of_a_clock_that_was_far_ahead_is_mended_at_the_next_start(rest: Rest) -> None:
    create(rest, window=OwnWindow(duration="4h"))
    at(rest, FIRST + 200 * DAY + 5 * HOUR)
    assert show(rest).next_due == to_datetime(FIRST + 201 * DAY)
    assert at(rest, FIRST - HOUR) == FIRST
    at(rest, FIRST)
    assert [record.not_before for record in tasks(rest)] == [FIRST]


def test_a_clock_that_goes_back_is_noticed_by_the_running_server(rest: Rest) -> None:
    create(rest)
    runner = ScheduleRunner(rest.store, TaskKinds(TASK_CLASSES), rest.queue)
    runner.step(FIRST + 200 * DAY + HOUR)
    assert runner.step(FIRST - HOUR) == FIRST
