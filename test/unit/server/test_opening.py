"""From what was asked of a window to the opening and rule that a task is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pulp.common.calendar import Calendar, OneOff, Recurring, Span
from pulp.common.times import DAY, HOUR, MINUTE, parse_time
from pulp.common.windows import Window
from pulp.server.domain.consumer import AgentInfo, Consumer
from pulp.server.domain.task import TaskOverride, TaskRecord, WindowRule
from pulp.server.domain.window import NamedWindow, WindowRole
from pulp.server.tasking.opening import CARRIED_FOR, Opened, Refused, open_for
from pulp.server.tasking.wanted import NEXT, Wanted, wanted_of

MON = parse_time("2026-12-07T00:00:00Z")  # a Monday
NOW = MON + 6 * HOUR
TEN = 10 * MINUTE


def at(text: str, day: int = 0) -> int:
    hours, minutes = text.split(":")
    return MON + day * DAY + int(hours) * HOUR + int(minutes) * MINUTE


def nightly(name: str, begins: str, lasts: str, zone: str = "UTC", **more: Any) -> Recurring:
    return Recurring(
        name=name,
        rrule="FREQ=DAILY",
        dtstart=f"2026-12-01T{begins}",
        zone=zone,
        duration=lasts,
        **more,
    )


def named(span: Span, role: WindowRole = WindowRole.WINDOW, **more: Any) -> NamedWindow:
    return NamedWindow(name=span.name, role=role, span=span, created_by="ada", created_at=0, **more)


def freeze(name: str, begin: int, end: int) -> NamedWindow:
    return named(OneOff(name=name, begin=begin, end=end), WindowRole.FREEZE)


def host(*bound: NamedWindow, zone: str | None = "UTC") -> Consumer:
    agent = AgentInfo(
        version="0.2.0",
        protocols=[1],
        methods={},
        features=[],
        boot_id="b",
        timezone=zone or "",
        os={},
        journal_id="j",
        journal_seq=1,
    )
    return Consumer(
        id="web1",
        uid="u",
        registered_at=0,
        fingerprints=[],
        csr_fingerprint="",
        certificate="",
        agent=agent if zone is not None else None,
        windows=[each.name for each in bound],
    )


NIGHTS = named(nightly("nights", "22:00", "4h"))


def opened(wanted: Wanted, *bound: NamedWindow, now: int = NOW, zone: str = "UTC") -> Opened:
    found = open_for(wanted, host(*bound, zone=zone), bound, at=now)
    assert isinstance(found, Opened), found
    return found


def refused(
    wanted: Wanted, *bound: NamedWindow, now: int = NOW, zone: str | None = "UTC"
) -> Refused:
    found = open_for(wanted, host(*bound, zone=zone), bound, at=now)
    assert isinstance(found, Refused), found
    return found


def once(begin: int, end: int, **more: Any) -> Wanted:
    return Wanted(window=Window(begin, end), **more)


# --- a window by its name, and next ---


def test_a_named_window_opens_next_and_is_carried_over():
    found = opened(Wanted(asked="nights", expected=TEN), NIGHTS)
    assert found.window == Window(at("22:00"), at("2:00", 1))
    assert found.rule == WindowRule(
        asked="nights",
        names=["nights"],
        calendar=Calendar(windows=(NIGHTS.span,)),
        missed="next",
        expected=TEN,
    )
    assert found.expires == at("2:00", 1) + CARRIED_FOR


def test_a_monthly_window_is_carried_over_though_its_next_opening_is_five_weeks_away():
    tuesdays = named(
        Recurring(
            name="third",
            rrule="FREQ=MONTHLY;BYDAY=3TU",
            dtstart="2026-12-01T22:00",
            zone="UTC",
            duration="4h",
        )
    )
    first = opened(Wanted(asked="third"), tuesdays, now=parse_time("2027-02-20T00:00:00Z"))
    second = opened(Wanted(asked="third"), tuesdays, now=first.window.end)
    assert second.window.begin - first.window.begin == 35 * DAY
    assert second.window.end < first.expires


def test_an_opening_that_is_on_is_taken_as_long_as_the_work_fits():
    wanted = Wanted(asked="nights", expected=TEN)
    assert opened(wanted, NIGHTS, now=at("1:50", 1)).window.begin == at("22:00")
    assert opened(wanted, NIGHTS, now=at("1:51", 1)).window.begin == at("22:00", 1)


def test_the_cutoff_is_told_and_counted():
    late = named(nightly("late", "22:00", "1h", cutoff="30m"))
    found = opened(Wanted(asked="late", expected=TEN), late)
    assert found.rule.cutoff_at == at("22:30")
    assert opened(Wanted(asked="late", expected=TEN), late, now=at("22:21")).window == Window(
        at("22:00", 1), at("23:00", 1)
    )


def test_work_that_fits_in_no_opening_may_start_in_the_first_half_of_each():
    short = named(nightly("short", "22:00", "5m"))
    found = opened(Wanted(asked="short", expected=TEN), short)
    assert found.window.begin == at("22:00")
    assert found.rule.expected == 150_000


def test_work_for_what_is_left_of_an_opening_may_start_in_the_first_half_of_that():
    once = Wanted(window=Window(NOW - 6 * MINUTE, NOW + 4 * MINUTE), expected=TEN)
    assert opened(once).rule.expected == 2 * MINUTE


def test_only_the_named_window_counts_but_all_freezes():
    other = named(nightly("days", "08:00", "4h"))
    xmas = freeze("xmas", at("0:00"), at("12:00", 1))
    found = opened(Wanted(asked="nights"), NIGHTS, other, xmas)
    assert found.window.begin == at("22:00", 1)
    assert found.rule.names == ["nights", "xmas"]
    assert found.rule.calendar == Calendar(windows=(NIGHTS.span,), freezes=(xmas.span,))


def test_next_takes_the_first_of_all_windows():
    days = named(nightly("days", "08:00", "4h"))
    found = opened(Wanted(asked=NEXT), NIGHTS, days)
    assert found.window.begin == at("8:00")
    assert (found.rule.asked, found.rule.names) == ("next", ["days", "nights"])


def test_windows_count_in_the_zone_of_the_host_where_they_say_so():
    theirs = named(nightly("theirs", "22:00", "4h", zone="host"))
    found = opened(Wanted(asked="theirs"), theirs, zone="America/New_York")
    assert found.window.begin == at("3:00")  # 22:00 of the day before, five hours behind


def test_a_host_that_never_said_its_zone_has_windows_with_one_of_their_own():
    assert isinstance(
        open_for(Wanted(asked="nights"), host(NIGHTS, zone=None), [NIGHTS], at=MON), Opened
    )
    theirs = named(nightly("theirs", "22:00", "4h", zone="host"))
    said = refused(Wanted(asked="theirs"), theirs, zone=None).message
    assert said == (
        "counts theirs in the zone of web1, which is not known yet: let its agent connect once, "
        "or give that window a zone of its own"
    )
    assert "Mars/Base" in refused(Wanted(asked="theirs"), theirs, zone="Mars/Base").message


def test_a_window_that_is_not_bound_is_refused_with_the_way_to_bind_it():
    other = named(nightly("days", "08:00", "4h"))
    said = refused(Wanted(asked="nights"), other)
    assert said.field == "window"
    assert "'pulp-admin window bind nights web1'" in said.message


def test_next_without_a_window_is_refused():
    said = refused(Wanted(asked=NEXT), freeze("xmas", MON, MON + DAY)).message
    assert said.startswith("is next, and web1 has no window: bind one")


def test_a_freeze_is_no_window():
    said = refused(Wanted(asked="xmas"), NIGHTS, freeze("xmas", MON, MON + DAY)).message
    assert said == "is xmas, a freeze, in which nothing starts: name a window"


def test_a_window_that_opens_no_more_or_too_late():
    over = named(OneOff(name="over", begin=MON - DAY, end=MON - 1))
    assert "does not open any more" in refused(Wanted(asked="over"), over).message
    far = named(OneOff(name="far", begin=MON + 400 * DAY, end=MON + 401 * DAY))
    assert "more than 366 days ahead" in refused(Wanted(asked="far"), far).message


def test_a_named_window_that_is_frozen_for_good_names_the_freeze():
    span = named(OneOff(name="move", begin=NOW, end=NOW + HOUR))
    said = refused(Wanted(asked="move"), span, freeze("xmas", MON - DAY, MON + DAY)).message
    assert said == (
        "is frozen for web1 as long as it lasts, by xmas: shorten a freeze, or name another window"
    )


# --- a window by its times ---


def test_a_window_by_its_times_is_missed_at_its_end():
    found = opened(once(at("8:00"), at("9:00"), expected=TEN))
    assert found.window == Window(at("8:00"), at("9:00"))
    assert found.rule == WindowRule(missed="miss", expected=TEN)
    assert found.expires == at("9:00")


def test_freezes_cut_a_window_by_its_times():
    found = opened(once(at("8:00"), at("12:00")), freeze("demo", at("7:00"), at("9:00")))
    assert found.window == Window(at("9:00"), at("12:00"))
    assert (found.rule.names, found.rule.missed) == (["demo"], "miss")


def test_the_pieces_of_a_window_by_its_times_are_one_chance():
    """What is missed before a freeze may start after it, and not later."""
    wanted, demo = once(at("8:00"), at("12:00")), freeze("demo", at("9:00"), at("10:00"))
    found = opened(wanted, demo)
    assert found.window == Window(at("8:00"), at("9:00"))
    assert (found.rule.missed, found.expires) == ("next", at("12:00"))
    assert opened(wanted, demo, now=at("9:30")).rule.missed == "miss"


def test_a_freeze_that_leaves_nothing_is_named():
    said = refused(once(at("8:00"), at("9:00")), freeze("demo", at("7:00"), at("10:00")))
    assert said.message == ("is frozen for web1 as long as it lasts, by demo: choose other times")


def test_an_override_is_not_cut():
    wanted = once(at("8:00"), at("9:00"), unfrozen_until=at("8:30"))
    assert opened(wanted, freeze("demo", MON, MON + DAY)).window.begin == at("8:00")


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(asked="nights"),
        Wanted(asked=NEXT, missed="grace", grace=HOUR),
        once(at("22:00"), at("23:30")),
    ],
)
def test_nothing_starts_in_a_freeze_when_the_override_is_over(wanted: Wanted):
    """Neither later in its opening nor carried over to others."""
    wanted, over = replace(wanted, unfrozen_until=at("22:30")), at("22:30")
    assert opened(wanted, NIGHTS, freeze("xmas", MON, MON + 9 * DAY)).expires == over


def test_where_the_override_is_over_before_the_work_can_start_freezes_cut_it():
    wanted, xmas = (
        Wanted(asked="nights", unfrozen_until=at("22:30")),
        freeze("xmas", MON, MON + DAY),
    )
    found = opened(wanted, NIGHTS, xmas, now=at("22:30"))
    assert (found.window.begin, found.rule.names) == (MON + DAY, ["nights", "xmas"])
    assert found.expires > found.window.end


def test_one_that_is_over_by_the_start_of_the_work():
    said = refused(once(at("8:00"), at("9:00")), now=at("9:00"))
    assert said == Refused("window.end", "is over before the work may start: give a later end")


# --- grace ---


def test_a_grace_ends_where_a_freeze_begins():
    wanted = once(at("8:00"), at("9:00"), missed="grace", grace=2 * HOUR)
    found = opened(wanted)
    assert (found.rule.late, found.expires, found.rule.grace) == (
        at("11:00"),
        at("11:00"),
        2 * HOUR,
    )
    found = opened(wanted, freeze("demo", at("10:00"), at("12:00")))
    assert (found.rule.late, found.expires, found.rule.grace) == (
        at("10:00"),
        at("10:00"),
        2 * HOUR,
    )
    found = opened(wanted, freeze("demo", at("8:30"), at("12:00")))
    assert found.window == Window(at("8:00"), at("8:30"))
    assert (found.rule.late, found.expires) == (at("8:30"), at("8:30"))


# --- what was asked, read back ---


def record(found: Opened, **more: Any) -> TaskRecord:
    return TaskRecord(
        id="t",
        kind="k",
        version=1,
        args=b"{}",
        requested_by="ada",
        created_at=0,
        accept_by=0,
        expires=found.expires,
        timeout=1,
        window=found.window,
        rule=found.rule,
        **more,
    )


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(asked="nights", missed="next", expected=TEN, predownload=True),
        Wanted(asked="nights", missed="grace", grace=HOUR),
        Wanted(asked=NEXT, missed="miss"),
        once(at("8:00"), at("12:00"), missed="miss", expected=TEN),
        once(at("8:00"), at("12:00"), missed="grace", grace=HOUR),
    ],
)
@pytest.mark.parametrize("frozen", [False, True])
def test_what_was_asked_can_be_asked_again(wanted: Wanted, frozen: bool):
    bound = (
        NIGHTS,
        freeze("demo", at("9:00"), at("10:00")),
        freeze("xmas", at("23:00"), at("23:30")),
    )
    found = opened(wanted, *(bound if frozen else bound[:1]))
    assert wanted_of(record(found)) == wanted


def test_without_a_window_nothing_was_asked():
    plain = record(opened(once(at("8:00"), at("9:00"))))
    assert wanted_of(plain.replace(window=None, rule=None)) is None
    assert wanted_of(plain.replace(rule=None)) == once(at("8:00"), at("9:00"))


def test_an_overridden_window_stays_uncut():
    found = opened(once(at("8:00"), at("9:00"), unfrozen_until=at("12:00")))
    override = TaskOverride(reason="hole", by="ada", until=at("12:00"))
    again = wanted_of(record(found, override=override))
    assert again is not None
    assert again.unfrozen_until == at("12:00")
