"""Actions in a named window, in the host's next opening, and outside of enforced windows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.calendar import Calendar, OneOff, Recurring, Span
from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, HOUR, MINUTE, format_time, to_datetime
from pulp.common.windows import Window
from pulp.rmi.versions import FEATURES
from pulp.server.api.errors import Forbidden, OutsideWindows, Unsupported
from pulp.server.api.types import (
    ActionBody,
    OverrideBody,
    PackagesActionBody,
    RetryBody,
    TaskView,
    UpdatesBody,
    WindowBody,
)
from pulp.server.db.base import TaskFilter
from pulp.server.domain.task import TaskError, TaskOverride, TaskRecord, TaskState
from pulp.server.domain.user import Principal
from pulp.server.domain.window import NamedWindow, WindowRole
from pulp.server.tasking.opening import CARRIED_FOR

# NOON is 2027-01-15T08:00Z, a Friday.
OPENS, CLOSES = NOON + 14 * HOUR, NOON + 18 * HOUR
NIGHTS = Recurring(
    name="nights",
    rrule="FREQ=DAILY",
    dtstart="2026-12-01T22:00",
    zone="UTC",
    duration="4h",
    cutoff="30m",
)
NEW = agent_info(version="0.2.0", features=sorted(FEATURES))
OLD = agent_info(version="0.1.0")


def at(offset: int) -> datetime:
    return to_datetime(NOON + offset)


def store_window(
    rest: Rest, span: Span, role: WindowRole = WindowRole.WINDOW, *hosts: str, **more: Any
) -> None:
    made = NamedWindow(
        name=span.name, role=role, span=span, created_by="admin", created_at=NOON, **more
    )
    rest.store.write(lambda uow: uow.windows.add(made))
    for host in hosts:
        consumer = rest.store.read(lambda uow, host=host: uow.consumers.get(host))
        assert consumer is not None
        rest.change(host, windows=[*consumer.windows, span.name])


def freeze(rest: Rest, name: str, begin: int, end: int) -> None:
    span = OneOff(name=name, begin=NOON + begin, end=NOON + end)
    store_window(rest, span, WindowRole.FREEZE, "web1")


def install(rest: Rest, who: Principal = OPERATOR, **body: Any) -> TaskView:
    wanted = PackagesActionBody(**{"packages": ["nginx"]} | body)
    return rest.consumers.install(who, "web1", wanted)


def planned(rest: Rest, **body: Any) -> TaskRecord:
    return rest.task(install(rest, **body).id)


def faults(rest: Rest, who: Principal = OPERATOR, **body: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        install(rest, who, **body)
    assert rest.tasks.list(VIEWER, TaskFilter(), after=None, limit=10).items == []
    return {e.field: e.message for e in refused.value.errors}


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=NEW, online=True)
    store_window(rest, NIGHTS, WindowRole.WINDOW, "web1")


# --- in a window ---


@pytest.mark.parametrize("asked", ["nights", "next"])
def test_work_is_planned_for_the_next_opening_and_carried_over(rest: Rest, asked: str) -> None:
    view = install(rest, window=asked)
    record = rest.task(view.id)
    assert record.window == Window(OPENS, CLOSES)
    assert record.expires == CLOSES + CARRIED_FOR
    assert record.accept_by == NOON + 7 * DAY
    rule = record.rule
    assert rule is not None
    assert (rule.asked, rule.names, rule.missed) == (asked, ["nights"], "next")
    assert (rule.cutoff_at, rule.expected) == (CLOSES - 30 * MINUTE, 10 * MINUTE)
    assert rule.calendar == Calendar(windows=(NIGHTS,))
    shown = view.window
    assert shown is not None
    assert (shown.asked, shown.missed, shown.expected) == (asked, "next", "10m")
    assert (shown.begin, shown.cutoff_at) == (to_datetime(OPENS), to_datetime(CLOSES - 30 * MINUTE))


def test_what_is_said_of_the_window_is_kept(rest: Rest) -> None:
    record = planned(
        rest, window="nights", missed="grace", grace="2h", expected="1h", predownload=True
    )
    assert record.rule is not None
    assert (record.rule.missed, record.rule.grace, record.rule.late) == (
        "grace",
        2 * HOUR,
        CLOSES + 2 * HOUR,
    )
    assert (record.rule.expected, record.rule.predownload) == (HOUR, True)
    assert record.expires == CLOSES + 2 * HOUR


def test_a_later_start_counts_from_then_on(rest: Rest) -> None:
    record = planned(rest, window="nights", not_before=at(2 * DAY))
    assert record.window == Window(OPENS + 2 * DAY, CLOSES + 2 * DAY)


def test_reads_and_dry_runs_are_not_expected_to_take_long(rest: Rest) -> None:
    body = UpdatesBody(window="nights")
    record = rest.task(rest.consumers.updates(OPERATOR, "web1", body).id)
    assert record.rule is not None and record.rule.expected == 0
    dry = planned(rest, window="nights", dry_run=True)
    assert dry.rule is not None and dry.rule.expected == 0


def test_expected_can_be_turned_off(rest: Rest) -> None:
    record = planned(rest, window="nights", expected="0s")
    assert record.rule is not None and record.rule.expected == 0


def test_work_that_no_opening_has_room_for_is_refused(rest: Rest) -> None:
    found = faults(rest, window="nights", expected="5h")
    assert list(found) == ["expected"]
    assert "leaves 3h30m" in found["expected"]
    window = WindowBody(begin=at(-HOUR), end=at(5 * MINUTE))
    assert list(faults(rest, window=window, expected="10m")) == ["expected"]


def test_the_freezes_of_the_host_cut_what_is_asked_for(rest: Rest) -> None:
    freeze(rest, "xmas", 0, DAY)
    freeze(rest, "demo", 2 * DAY, 2 * DAY + HOUR)
    assert planned(rest, window="nights").window == Window(OPENS + DAY, CLOSES + DAY)
    record = planned(rest, window=WindowBody(begin=at(2 * DAY), duration="3h"))
    assert record.window == Window(NOON + 2 * DAY + HOUR, NOON + 2 * DAY + 3 * HOUR)


def test_a_window_that_is_frozen_as_a_whole_is_refused_by_the_freezes_name(rest: Rest) -> None:
    freeze(rest, "xmas", 0, DAY)
    found = faults(rest, window=WindowBody(begin=at(0), duration="3h"))
    assert found == {
        "window": "is frozen for web1 as long as it lasts, by xmas: choose other times"
    }


def test_an_unknown_or_unbound_window_is_refused(rest: Rest) -> None:
    assert faults(rest, window="weekends") == {
        "window": "is weekends, and there is no window of this name"
    }
    store_window(rest, OneOff(name="weekends", begin=NOON, end=NOON + DAY))
    found = faults(rest, window="weekends")
    assert "'pulp-admin window bind weekends web1'" in found["window"]
    store_window(rest, OneOff(name="all", begin=NOON, end=NOON + DAY), everywhere=True)
    assert planned(rest, window="all").window == Window(NOON, NOON + DAY)


def test_next_without_a_window(rest: Rest) -> None:
    rest.change("web1", windows=[])
    assert "has no window: bind one" in faults(rest, window="next")["window"]


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"missed": "next"}, "missed", "only for work in a window"),
        ({"grace": "2h"}, "grace", "only for work in a window"),
        ({"expected": "2h"}, "expected", "only for work in a window"),
        ({"predownload": True}, "predownload", "only for work in a window"),
        ({"window": "nights", "missed": "grace"}, "grace", "is missing"),
        ({"window": "nights", "grace": "2h"}, "grace", "missed with grace"),
        ({"window": "nights", "missed": "grace", "grace": "8d"}, "grace", "from 1s to 7d"),
        ({"window": "nights", "expected": "8d"}, "expected", "from 1s to 7d"),
        (
            {"window": WindowBody(begin=at(0), duration="2h"), "missed": "next"},
            "missed",
            "opens once",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    rest: Rest, body: dict[str, Any], field: str, says: str
) -> None:
    found = faults(rest, **body)
    assert list(found) == [field]
    assert says in found[field]


# --- agents of the first release ---


def test_an_old_agent_is_not_asked_for_what_it_would_ignore(rest: Rest) -> None:
    rest.change("web1", agent=OLD)
    since = r"version 0\.1\.0, lacks.*window-rule \(agents have it from version 0\.2\.0 on\)"
    with pytest.raises(Unsupported, match=since):
        install(rest, window="nights")
    window = WindowBody(begin=at(0), duration="2h")
    with pytest.raises(Unsupported, match=since):
        install(rest, window=window, expected="10m")
    with pytest.raises(Unsupported, match="override"):
        install(rest, ADMIN, override=OverrideBody(reason="hole"))


def test_a_plain_window_is_still_for_every_agent(rest: Rest) -> None:
    rest.change("web1", agent=OLD)
    record = planned(rest, window=WindowBody(begin=at(0), duration="2h"))
    assert record.rule is not None
    assert record.rule.expected == 0


# --- enforced windows ---


def test_nothing_changes_an_enforced_host_outside_of_its_windows(rest: Rest) -> None:
    rest.change("web1", enforced=True)
    says = r"web1 are enforced.*--window next.*--override REASON"
    with pytest.raises(OutsideWindows, match=says):
        install(rest)
    with pytest.raises(OutsideWindows, match=says):
        install(rest, not_before=at(OPENS - NOON))
    with pytest.raises(OutsideWindows, match="none of them is open in the window"):
        install(rest, window=WindowBody(begin=at(0), duration="2h"))
    assert rest.tasks.list(VIEWER, TaskFilter(), after=None, limit=10).items == []


def test_an_enforced_host_takes_what_is_for_its_windows_or_changes_nothing(rest: Rest) -> None:
    rest.change("web1", enforced=True)
    assert planned(rest, window="next").window == Window(OPENS, CLOSES)
    assert planned(rest, window="nights").window == Window(OPENS, CLOSES)
    window = WindowBody(begin=at(12 * HOUR), duration="3h")  # an hour of it is theirs
    assert planned(rest, window=window).window == Window(NOON + 12 * HOUR, NOON + 15 * HOUR)
    assert install(rest, dry_run=True).state == "waiting"
    assert rest.consumers.refresh_profile(OPERATOR, "web1", ActionBody()).state == "waiting"


def test_an_admin_overrides_with_a_reason_for_a_while(rest: Rest) -> None:
    rest.change("web1", enforced=True)
    override = OverrideBody(reason="CVE-2026-1")
    with pytest.raises(Forbidden, match="role admin; olga is operator"):
        install(rest, override=override)
    view = install(rest, ADMIN, override=override)
    record = rest.task(view.id)
    assert record.override == TaskOverride(reason="CVE-2026-1", by="admin", until=NOON + 4 * HOUR)
    assert view.override is not None
    assert (view.override.reason, view.override.by) == ("CVE-2026-1", "admin")


def test_an_override_lasts_a_day_at_most_and_until_the_work_may_start(rest: Rest) -> None:
    found = faults(rest, ADMIN, override=OverrideBody(reason="hole", for_="25h"))
    assert list(found) == ["override.for"]
    found = faults(
        rest, ADMIN, override=OverrideBody(reason="hole", for_="1h"), not_before=at(2 * HOUR)
    )
    assert format_time(NOON + 2 * HOUR) in found["override.for"]
    window = WindowBody(begin=at(3 * HOUR), duration="2h")
    override = OverrideBody(reason="hole", for_="3h")
    assert list(faults(rest, ADMIN, override=override, window=window)) == ["override.for"]


def test_an_override_is_above_freezes(rest: Rest) -> None:
    freeze(rest, "xmas", 0, DAY)
    window = WindowBody(begin=at(0), duration="3h")
    view = install(rest, ADMIN, window=window, override=OverrideBody(reason="hole"))
    assert rest.task(view.id).window == Window(NOON, NOON + 3 * HOUR)


# --- once more ---


def failed(rest: Rest, **body: Any) -> TaskRecord:
    record = planned(rest, **body)
    error = TaskError(code="fetch", message="the mirror is away")
    return rest.store.write(lambda uow: rest.queue.end(uow, record, error, rest.clock.now()))


def again(rest: Rest, first: TaskRecord, **body: Any) -> TaskRecord:
    return rest.task(rest.tasks.retry(ADMIN, first.id, RetryBody(**body)).id)


def test_a_retry_keeps_the_rule_and_is_planned_anew(rest: Rest) -> None:
    first = failed(rest, window="nights", missed="grace", grace="2h", expected="1h")
    rest.clock.go(DAY)
    second = again(rest, first)
    assert second.window == Window(OPENS + DAY, CLOSES + DAY)
    assert (first.rule, second.rule) != (None, None)
    assert second.rule is not None and first.rule is not None
    assert second.rule.late == CLOSES + DAY + 2 * HOUR
    assert (second.rule.asked, second.rule.expected) == ("nights", HOUR)


def test_a_retry_says_anew_what_is_to_be_otherwise(rest: Rest) -> None:
    first = failed(rest, window="nights", missed="grace", grace="2h")
    second = again(rest, first, missed="next", expected="20m")
    assert second.rule is not None
    assert (second.rule.missed, second.rule.grace, second.rule.expected) == ("next", 0, 20 * MINUTE)
    assert again(rest, first, window=None).rule is None
    other = again(rest, first, window="next")
    assert other.rule is not None
    assert (other.rule.asked, other.rule.missed) == ("next", "next")


def test_a_retry_in_the_last_minutes_is_not_held_to_what_nobody_said(rest: Rest) -> None:
    first = failed(rest, window=WindowBody(begin=at(0), duration="2h"))
    rest.clock.go(2 * HOUR - MINUTE)
    assert again(rest, first).window == first.window


def test_a_retry_repeats_no_override(rest: Rest) -> None:
    rest.change("web1", enforced=True)
    view = install(rest, ADMIN, override=OverrideBody(reason="hole"))
    error = TaskError(code="fetch", message="the mirror is away")
    first = rest.store.write(
        lambda uow: rest.queue.end(uow, rest.task(view.id), error, rest.clock.now())
    )
    with pytest.raises(OutsideWindows):
        again(rest, first)
    assert again(rest, first, override=OverrideBody(reason="still")).override is not None


# --- why it waits ---


def held(rest: Rest, **body: Any) -> TaskRecord:
    record = planned(rest, **body)
    over = {"state": TaskState.HELD, "phase": "", "accepted_at": NOON}
    starts = record.window.begin if record.window else OPENS
    return rest.change_task(record.id, starts=starts, **over)


def test_a_held_task_names_the_window_it_waits_for(rest: Rest) -> None:
    waits = rest.tasks.show(VIEWER, held(rest, window="next").id).waiting_for
    assert waits is not None
    assert (waits.code, waits.until, waits.windows) == ("window", to_datetime(OPENS), ["nights"])
    assert (waits.freezes, waits.frozen_until) == ([], None)


def test_a_held_task_names_the_freeze_that_keeps_its_window_shut(rest: Rest) -> None:
    freeze(rest, "xmas", 0, DAY)
    waits = rest.tasks.show(VIEWER, held(rest, window="nights").id).waiting_for
    assert waits is not None
    assert (waits.until, waits.windows) == (to_datetime(OPENS + DAY), ["nights"])
    assert (waits.freezes, waits.frozen_until) == (["xmas"], at(DAY))
    window = WindowBody(begin=at(0), end=at(2 * DAY))
    waits = rest.tasks.show(VIEWER, held(rest, window=window).id).waiting_for
    assert waits is not None
    assert (waits.windows, waits.freezes) == ([], ["xmas"])


def test_work_that_the_hosts_own_windows_hold_back_names_them(rest: Rest) -> None:
    """Taken before they were enforced."""
    record = held(rest)
    rest.change("web1", enforced=True)
    waits = rest.tasks.show(VIEWER, record.id).waiting_for
    assert waits is not None
    assert (waits.code, waits.windows) == ("window", ["nights"])


def test_a_zone_that_cannot_be_read_is_no_reason_to_say_nothing(rest: Rest) -> None:
    span = Recurring(
        name="theirs", rrule="FREQ=DAILY", dtstart="2026-12-01T22:00", zone="host", duration="4h"
    )
    store_window(rest, span, WindowRole.WINDOW, "web1")
    record = held(rest, window="theirs")
    rest.change("web1", agent=agent_info(timezone="Mars/Base"))
    waits = rest.tasks.show(VIEWER, record.id).waiting_for
    assert waits is not None
    assert (waits.code, waits.windows) == ("window", [])
