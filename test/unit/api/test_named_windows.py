"""Named windows and freezes through the API, in virtual time over a real store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, HOUR, to_datetime, to_ms
from pulp.rmi.versions import FEATURES
from pulp.server.api import window_bindings, window_hosts
from pulp.server.api.errors import Conflict, Forbidden, KeyReused, NotFound, Unsupported
from pulp.server.api.types import PatchConsumerBody
from pulp.server.api.window_types import (
    HostPreview,
    NamedWindowBody,
    NamedWindowView,
    PatchNamedWindowBody,
)
from pulp.server.api.windows import WindowApi
from pulp.server.db import base
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.window import WindowRole

# NOON is Friday, 2027-01-15T08:00Z.

NIGHTS: dict[str, Any] = {
    "rrule": "FREQ=DAILY",
    "dtstart": "2027-01-01T22:00",
    "zone": "Europe/Berlin",
    "duration": "4h",
}


def once(begin: int, length: int) -> dict[str, Any]:
    """Hours from NOON on."""
    start = NOON + begin * HOUR
    return {"begin": to_datetime(start), "end": to_datetime(start + length * HOUR)}


def make(rest: Rest, name: str = "nights", **fields: Any) -> NamedWindowView:
    values = fields if {"begin", "rrule"} & set(fields) else NIGHTS | fields
    return rest.windows.create(ADMIN, NamedWindowBody(name=name, **values))


def freeze(rest: Rest, name: str = "audit", **fields: Any) -> NamedWindowView:
    return make(rest, name, role="freeze", **fields)


def change(rest: Rest, name: str = "nights", **fields: Any) -> NamedWindowView:
    return rest.windows.change(ADMIN, name, PatchNamedWindowBody(**fields))


def bind(rest: Rest, name: str, *hosts: str) -> None:
    for host in hosts:
        rest.windows.bind(ADMIN, name, host)


def enforce(rest: Rest, host: str, enforced: bool = True) -> None:
    rest.consumers.patch(ADMIN, host, PatchConsumerBody(enforced=enforced))


def names(rest: Rest, role: WindowRole | None = None) -> list[str]:
    return [each.name for each in rest.windows.list(VIEWER, role, after=None, limit=10).items]


def preview(rest: Rest, name: str, *consumers: str, count: int = 2) -> list[HostPreview]:
    page = rest.windows.preview(
        VIEWER, name, consumers=consumers, count=count, after=None, limit=100
    )
    return page.items


def opens(item: HostPreview) -> list[str]:
    return [f"{each.begin:%d %H:%M}-{each.end:%d %H:%M}" for each in item.openings]


def refused(action: Any, *args: Any, **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        action(*args, **fields)
    return {e.field: e.message for e in caught.value.errors}


def history(rest: Rest, host: str) -> list[tuple[str, Any]]:
    page = rest.store.read(lambda uow: uow.history.page(host, newest_first=False))
    found = [e for e in page.items if e.type.value == "windows_changed"]
    return [(e.originator, msgspec.json.decode(e.details)) for e in found]


Told = list[tuple[str | None, list[str] | None]]


class RecordingPlans:
    """What the plans are told, and what they find written by then."""

    def __init__(self) -> None:
        self.told: Told = []
        self.seen: list[Any] = []

    def changed(
        self, uow: UnitOfWork, name: str | None, consumer_ids: Sequence[str] | None, now: int
    ) -> None:
        self.told.append((name, None if consumer_ids is None else list(consumer_ids)))
        window = uow.windows.get(name) if name else None
        consumer = uow.consumers.get("web1")
        self.seen.append((window and window.revision, consumer and consumer.windows))


@pytest.fixture
def plans(rest: Rest) -> RecordingPlans:
    made = RecordingPlans()
    rest.windows = WindowApi(rest.store, rest.clock, made)
    return made


@pytest.fixture(autouse=True)
def hosts(rest: Rest) -> None:
    features = sorted(FEATURES)
    for host, zone in (("web1", "Europe/Berlin"), ("web2", "America/New_York")):
        rest.register(host, agent=agent_info(timezone=zone, features=features), online=True)


# --- making, looking, changing ---


def test_one_that_recurs_and_one_that_happens_once_are_shown_as_they_were_made(rest: Rest) -> None:
    made = make(rest, cutoff="30m", offset_days=-2)
    assert (made.name, made.role, made.revision, made.created_by) == (
        "nights",
        "window",
        1,
        "admin",
    )
    assert (made.rrule, made.dtstart, made.zone) == (
        "FREQ=DAILY",
        "2027-01-01T22:00",
        "Europe/Berlin",
    )
    assert (made.duration, made.cutoff, made.offset_days) == ("4h", "30m", -2)
    assert (made.begin, made.end, made.everywhere, made.hosts) == (None, None, False, 0)
    assert rest.windows.show(VIEWER, "nights") == made

    audit = freeze(rest, begin=to_datetime(NOON), duration="36h", everywhere=True)
    assert (audit.role, audit.everywhere, audit.rrule, audit.duration) == (
        "freeze",
        True,
        None,
        None,
    )
    assert (audit.begin, audit.end) == (to_datetime(NOON), to_datetime(NOON + 36 * HOUR))


def test_lists_are_by_name_and_may_be_of_one_role(rest: Rest) -> None:
    make(rest)
    freeze(rest, **once(0, 8))
    assert names(rest) == ["audit", "nights"]
    assert names(rest, WindowRole.FREEZE) == ["audit"]
    assert names(rest, WindowRole.WINDOW) == ["nights"]


def test_only_admins_change_and_everybody_looks(rest: Rest) -> None:
    make(rest)
    api = rest.windows
    for attempt in (
        lambda: api.create(OPERATOR, NamedWindowBody(name="x", **NIGHTS)),
        lambda: api.change(OPERATOR, "nights", PatchNamedWindowBody(cutoff="5m")),
        lambda: api.bind(OPERATOR, "nights", "web1"),
        lambda: api.unbind(OPERATOR, "nights", "web1"),
        lambda: api.delete(OPERATOR, "nights", force=True),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert names(rest) == ["nights"]
    assert api.consumers(VIEWER, "nights", after=None, limit=5).items == []
    assert preview(rest, "nights")


def test_a_taken_name_is_refused_whatever_its_role(rest: Rest) -> None:
    make(rest)
    with pytest.raises(Conflict, match="nights"):
        freeze(rest, "nights", **once(0, 8))


def test_a_repeated_request_gets_what_the_first_one_made(rest: Rest) -> None:
    body = NamedWindowBody(name="nights", everywhere=True, **NIGHTS)
    first = rest.windows.create(ADMIN, body, key="k")
    assert rest.windows.create(ADMIN, body, key="k") == first
    assert plans_of(rest, "web1") == [1]
    with pytest.raises(KeyReused):
        rest.windows.create(ADMIN, NamedWindowBody(name="other", **NIGHTS), key="k")


def plans_of(rest: Rest, *hosts: str) -> list[int]:
    found = [rest.store.read(lambda uow, h=host: uow.consumers.get(h)) for host in hosts]
    return [each.keep_plan for each in found]


def test_what_is_not_there_is_not_found(rest: Rest) -> None:
    make(rest)
    api = rest.windows
    for attempt in (
        lambda: api.show(VIEWER, "x"),
        lambda: change(rest, "x", cutoff="5m"),
        lambda: api.delete(ADMIN, "x", force=True),
        lambda: api.bind(ADMIN, "x", "web1"),
        lambda: api.bind(ADMIN, "nights", "web9"),
        lambda: api.unbind(ADMIN, "nights", "web1"),
        lambda: api.consumers(VIEWER, "x", after=None, limit=5),
        lambda: preview(rest, "x"),
        lambda: preview(rest, "nights", "web9"),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_change_leaves_what_it_does_not_name(rest: Rest) -> None:
    make(rest, cutoff="30m")
    changed = change(rest, duration="2h", rrule="FREQ=WEEKLY;BYDAY=SA")
    assert (changed.rrule, changed.duration, changed.cutoff) == (
        "FREQ=WEEKLY;BYDAY=SA",
        "2h",
        "30m",
    )
    assert (changed.zone, changed.revision) == ("Europe/Berlin", 2)
    assert change(rest, cutoff=None).cutoff is None
    assert change(rest, everywhere=True).everywhere is True
    assert change(rest).revision == 4
    assert change(rest, duration="2h").revision == 4


def test_one_that_happens_once_is_moved_by_its_begin_its_end_or_its_length(rest: Rest) -> None:
    make(rest, "move", **once(10, 2))
    assert change(rest, "move", end=to_datetime(NOON + 14 * HOUR)).end == to_datetime(
        NOON + 14 * HOUR
    )
    moved = change(rest, "move", begin=to_datetime(NOON + HOUR), duration="1h")
    assert (moved.begin, moved.end) == (to_datetime(NOON + HOUR), to_datetime(NOON + 2 * HOUR))
    longer = change(rest, "move", duration="5h")
    assert (longer.begin, longer.end) == (to_datetime(NOON + HOUR), to_datetime(NOON + 6 * HOUR))


def test_the_examples_of_the_page_for_people_are_taken(rest: Rest) -> None:
    page = (Path(__file__).parents[3] / "docs" / "windows.md").read_text(encoding="utf-8")
    recurs = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    once = re.findall(r'`(\{"name": "move".*?\})`', page)
    assert (len(recurs), len(once)) == (1, 1)
    rest.clock.ms = to_ms(datetime(2026, 11, 24, tzinfo=UTC))
    for example in (*recurs, *once):
        rest.windows.create(ADMIN, msgspec.json.decode(example, type=NamedWindowBody))
    assert names(rest, WindowRole.WINDOW) == ["move", "patch-nights"]


# --- what is refused ---

BAD = {
    "nothing said": ({"begin": None}, {"rrule": "is missing"}),
    "half a rule": (
        {"rrule": "FREQ=DAILY"},
        {"dtstart": "is missing", "zone": "is missing", "duration": "is missing"},
    ),
    "both sorts": (NIGHTS | once(1, 1), {"begin": "one or the other", "end": "one or the other"}),
    "end before begin": (once(5, -1), {"end": "must come after begin"}),
    "no end": ({"begin": to_datetime(NOON)}, {"end": "either end or duration"}),
    "no begin": ({"end": to_datetime(NOON)}, {"begin": "is missing"}),
    "end and duration": (once(1, 1) | {"duration": "1h"}, {"duration": "beside end"}),
    "over": (once(-5, 2), {"end": "it is past"}),
    "over by its length": (
        {"begin": to_datetime(NOON - DAY), "duration": "1h"},
        {"begin": "it is past"},
    ),
    "far": ({"begin": datetime(2040, 1, 1, tzinfo=UTC), "duration": "1h"}, {"begin": "ten years"}),
    "never": (NIGHTS | {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, {"rrule": "no day"}),
    "rule over": (NIGHTS | {"rrule": "FREQ=DAILY;UNTIL=20270105"}, {"rrule": "move UNTIL"}),
    "unreadable": (NIGHTS | {"rrule": "FREQ=SECONDLY"}, {"rrule": "HOURLY"}),
    "unknown zone": (NIGHTS | {"zone": "Europe/Berln"}, {"zone": "Europe/Berlin"}),
    "seconds": (NIGHTS | {"dtstart": "2027-01-01T22:00:30"}, {"dtstart": "to the minute"}),
    "faster than itself": (NIGHTS | {"duration": "25h"}, {"duration": "1d at most"}),
    "no whole minutes": (NIGHTS | {"duration": "90s"}, {"duration": "whole number of minutes"}),
    "cutoff too long": (NIGHTS | {"cutoff": "4h"}, {"cutoff": "shorter than 4h"}),
    "cutoff in seconds": (NIGHTS | {"cutoff": "90s"}, {"cutoff": "whole number of minutes"}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_fields_are_named_with_what_to_change(rest: Rest, case: str) -> None:
    fields, expected = BAD[case]
    said = refused(lambda: rest.windows.create(ADMIN, NamedWindowBody(name="nights", **fields)))
    assert said.keys() == expected.keys()
    for field, words in expected.items():
        assert words in said[field]
    assert names(rest) == []


def test_a_freeze_has_no_cutoff_and_reserved_words_are_no_names(rest: Rest) -> None:
    assert "leave it out" in refused(freeze, rest, cutoff="30m")["cutoff"]
    for word in ("next", "NEXT", "none"):
        assert "choose another" in refused(make, rest, word)["name"]


def test_a_bad_change_is_refused_like_a_bad_new_one(rest: Rest) -> None:
    make(rest)
    make(rest, "move", **once(10, 2))
    assert "1d at most" in refused(change, rest, duration="25h")["duration"]
    assert "Mars" in refused(change, rest, zone="Mars")["zone"]
    assert "never changes" in refused(change, rest, begin=to_datetime(NOON))["begin"]
    assert "rrule" in refused(change, rest, "move", rrule="FREQ=DAILY")
    assert "after begin" in refused(change, rest, "move", end=to_datetime(NOON))["end"]
    rest.clock.go(2 * DAY)
    assert "it is past" in refused(change, rest, "move", cutoff="5m")["end"]
    assert change(rest, "move", everywhere=True).everywhere is True


def test_a_freeze_that_would_leave_nothing_of_a_hosts_windows_is_not_bound(rest: Rest) -> None:
    make(rest)
    freeze(
        rest, "always", rrule="FREQ=DAILY", dtstart="2027-01-01T20:00", zone="host", duration="8h"
    )
    bind(rest, "nights", "web1")
    said = refused(bind, rest, "always", "web1")["consumer"]
    assert said.startswith("always would leave nothing of nights on web1")
    assert rest.consumers.show(VIEWER, "web1").windows == ["nights"]
    assert plans_of(rest, "web1") == [1]
    bind(rest, "nights", "web2")
    bind(rest, "always", "web2")  # 20:00 in New York is not 22:00 in Berlin


def test_a_window_that_the_hosts_freezes_cover_is_not_bound(rest: Rest) -> None:
    freeze(rest, **once(0, 24))
    make(rest, "move", **once(3, 2))
    bind(rest, "audit", "web1")
    assert (
        "audit would leave nothing of move on web1"
        in refused(bind, rest, "move", "web1")["consumer"]
    )


def test_no_freeze_that_leaves_nothing_is_made_to_hold_everywhere(rest: Rest) -> None:
    make(rest, "move", **once(3, 2))
    bind(rest, "move", "web2")
    said = refused(freeze, rest, **once(0, 24), everywhere=True)
    assert "audit would leave nothing of move on web2" in said["everywhere"]
    assert names(rest) == ["move"]
    freeze(rest, **once(0, 24))
    assert "move on web2" in refused(change, rest, "audit", everywhere=True)["everywhere"]
    freeze(rest, "short", **once(0, 4), everywhere=True)
    said = refused(change, rest, "short", end=to_datetime(NOON + 6 * HOUR))
    assert "short would leave nothing of move on web2" in said["end"]


def test_no_window_is_moved_under_a_freeze(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_hosts, "PAGE", 1)
    make(rest, "move", **once(30, 2))
    freeze(rest, **once(0, 24))
    for name in ("move", "audit"):
        bind(rest, name, "web2")
    said = refused(change, rest, "move", begin=to_datetime(NOON + 3 * HOUR), duration="2h")
    assert "audit would leave nothing of move on web2" in said["end"]
    assert rest.windows.show(VIEWER, "move").revision == 1


def test_a_host_where_nothing_opens_any_more_hinders_nobody(rest: Rest) -> None:
    make(rest, "move", **once(3, 2))
    bind(rest, "move", "web1")
    enforce(rest, "web1")
    rest.clock.go(DAY)
    freeze(rest, **once(48, 24), everywhere=True)
    change(rest, "audit", end=to_datetime(NOON + 60 * HOUR))
    bind(rest, "audit", "web1")
    rest.windows.unbind(ADMIN, "audit", "web1")


# --- binding ---


def test_binding_is_kept_once_and_its_hosts_are_listed_and_counted(rest: Rest) -> None:
    make(rest)
    freeze(rest, **once(0, 8))
    bind(rest, "nights", "web2", "web1", "web1")
    bind(rest, "audit", "web1")
    assert rest.consumers.show(VIEWER, "web1").windows == ["audit", "nights"]
    page = rest.windows.consumers(VIEWER, "nights", after=None, limit=1)
    rest_of = rest.windows.consumers(VIEWER, "nights", after=page.next, limit=1)
    assert [c.id for c in page.items + rest_of.items] == ["web1", "web2"]
    assert rest.windows.show(VIEWER, "nights").hosts == 2
    shown = rest.windows.unbind(ADMIN, "nights", "web1")
    assert shown.windows == ["audit"]
    assert rest.windows.show(VIEWER, "nights").hosts == 1


def test_the_hosts_history_says_who_changed_its_windows(rest: Rest) -> None:
    make(rest)
    bind(rest, "nights", "web1", "web1")
    enforce(rest, "web1")
    enforce(rest, "web1", False)
    rest.windows.unbind(ADMIN, "nights", "web1")
    assert history(rest, "web1") == [
        ("admin", {"bound": "nights"}),
        ("admin", {"enforced": True}),
        ("admin", {"enforced": False}),
        ("admin", {"unbound": "nights"}),
    ]


def test_a_binding_that_was_changed_meanwhile_is_not_written_over(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(rest)
    freeze(rest, **once(0, 8))

    def meanwhile(*args: Any) -> None:
        rest.change("web1", windows=["audit"])

    monkeypatch.setattr(window_bindings, "refuse_closing", meanwhile)
    with pytest.raises(base.Conflict):
        bind(rest, "nights", "web1")
    assert rest.consumers.show(VIEWER, "web1").windows == ["audit"]


# --- enforcing ---


def test_windows_are_enforced_only_where_one_opens(rest: Rest) -> None:
    said = refused(enforce, rest, "web1")["enforced"]
    assert said == (
        "no window would open any more on web1, whose windows are enforced: bind a window that opens first"
    )
    make(rest)
    bind(rest, "nights", "web1")
    enforce(rest, "web1")
    said = refused(rest.windows.unbind, ADMIN, "nights", "web1")["consumer"]
    assert "no window would open any more on web1" in said
    make(rest, "days", everywhere=True, dtstart="2027-01-01T10:00")
    rest.windows.unbind(ADMIN, "nights", "web1")
    assert "web1" in refused(change, rest, "days", everywhere=False)["everywhere"]


def test_windows_that_are_taken_away_while_they_are_looked_at_are_not_enforced(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(rest)
    bind(rest, "nights", "web1")
    looked = window_bindings.refuse_closing

    def meanwhile(*args: Any) -> None:
        looked(*args)
        monkeypatch.undo()
        rest.windows.unbind(ADMIN, "nights", "web1")

    monkeypatch.setattr(window_bindings, "refuse_closing", meanwhile)
    with pytest.raises(base.Conflict):
        enforce(rest, "web1")
    assert not rest.consumers.show(VIEWER, "web1").enforced


def test_an_agent_that_cannot_enforce_windows_is_not_asked_to(rest: Rest) -> None:
    rest.register("old", agent=agent_info())
    make(rest)
    bind(rest, "nights", "old")
    with pytest.raises(
        Unsupported, match=r"enforced-windows \(agents have it from version 0.2.0 on\)"
    ):
        enforce(rest, "old")
    enforce(rest, "old", False)
    rest.register("new")  # an agent that never said hello is given the chance
    bind(rest, "nights", "new")
    enforce(rest, "new")


def test_what_recurs_cannot_be_made_to_happen_once_nor_the_other_way_round(rest: Rest) -> None:
    make(rest)
    freeze(rest, **once(0, 8))
    told = refused(change, rest, **once(0, 8))
    assert list(told) == ["begin", "end"]
    assert told["begin"] == (
        "is of one that happens once, and nights recurs, which never changes: make another window"
    )
    told = refused(change, rest, "audit", rrule="FREQ=DAILY")
    assert told == {
        "rrule": "is of one that recurs, and audit happens once, which never changes: make another freeze"
    }


# --- deleting ---


def test_one_that_is_bound_is_deleted_only_by_force(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_bindings, "BATCH", 2)
    rest.register("web3")
    make(rest)
    bind(rest, "nights", "web1", "web2", "web3")
    with pytest.raises(Conflict, match=r"nights is bound to 3 hosts.*with force"):
        rest.windows.delete(ADMIN, "nights", force=False)
    assert names(rest) == ["nights"]
    rest.windows.delete(ADMIN, "nights", force=True)
    assert names(rest) == []
    assert [rest.consumers.show(VIEWER, host).windows for host in ("web1", "web3")] == [[], []]
    assert plans_of(rest, "web1", "web2", "web3") == [2, 2, 2]
    assert history(rest, "web3")[-1] == ("admin", {"unbound": "nights"})


def test_one_that_is_bound_to_nothing_is_just_deleted(rest: Rest) -> None:
    make(rest)
    rest.windows.delete(ADMIN, "nights", force=False)
    assert names(rest) == []


def test_one_that_holds_everywhere_is_deleted_only_by_force(rest: Rest) -> None:
    freeze(rest, **once(0, 8), everywhere=True)
    with pytest.raises(Conflict, match="audit holds everywhere, for 2 hosts"):
        rest.windows.delete(ADMIN, "audit", force=False)
    rest.windows.delete(ADMIN, "audit", force=True)
    assert names(rest) == []


# --- who is told ---


def test_the_plans_are_told_of_every_change_of_what_hosts_calendars_say(
    rest: Rest, plans: RecordingPlans
) -> None:
    make(rest)
    assert plans.told == []
    bind(rest, "nights", "web1", "web1", "web2")
    change(rest, duration="2h")
    change(rest, duration="2h")
    change(rest, everywhere=True)
    change(rest, everywhere=False)
    rest.windows.unbind(ADMIN, "nights", "web2")
    rest.windows.delete(ADMIN, "nights", force=True)
    freeze(rest, **once(0, 8), everywhere=True)
    rest.windows.delete(ADMIN, "audit", force=True)
    assert plans.told == [
        ("nights", ["web1"]),
        ("nights", ["web2"]),
        ("nights", ["web1", "web2"]),
        ("nights", None),
        ("nights", None),
        ("nights", ["web2"]),
        ("nights", ["web1"]),
        ("nights", []),
        ("audit", None),
        ("audit", None),
    ]
    bound, unbound, gone = (1, ["nights"]), (4, []), (None, [])
    assert plans.seen[0] == bound
    assert plans.seen[2] == (2, ["nights"])
    assert plans.seen[6:8] == [unbound, gone]


def test_each_change_is_a_new_plan_for_the_hosts_it_concerns(rest: Rest) -> None:
    make(rest)
    bind(rest, "nights", "web1")
    change(rest, duration="2h")
    assert plans_of(rest, "web1", "web2") == [2, 0]
    freeze(rest, **once(0, 8), everywhere=True)
    assert plans_of(rest, "web1", "web2") == [3, 1]


# --- preview ---


def test_a_window_that_is_bound_to_nothing_is_previewed_by_itself_in_its_zone(rest: Rest) -> None:
    make(rest, cutoff="30m")
    (item,) = preview(rest, "nights")
    assert (item.consumer, item.zone, item.says) == (None, "Europe/Berlin", "")
    assert opens(item) == ["15 21:00-16 01:00", "16 21:00-17 01:00"]
    first = item.openings[0]
    assert (first.local_begin, first.local_end) == ("2027-01-15T22:00", "2027-01-16T02:00")
    assert first.cutoff_at == datetime(2027, 1, 16, 0, 30, tzinfo=UTC)
    freeze(rest, **once(0, 14), everywhere=True)
    assert opens(preview(rest, "nights")[0]) == ["15 22:00-16 01:00", "16 21:00-17 01:00"]


def test_a_window_in_the_hosts_own_zone_opens_on_each_by_its_clock(rest: Rest) -> None:
    make(rest, zone="host")
    assert "each host's own clock" in preview(rest, "nights")[0].says
    bind(rest, "nights", "web1", "web2")
    berlin, new_york = preview(rest, "nights", count=1)
    assert (berlin.consumer, berlin.zone, opens(berlin)) == (
        "web1",
        "Europe/Berlin",
        ["15 21:00-16 01:00"],
    )
    assert (new_york.zone, opens(new_york)) == ("America/New_York", ["16 03:00-16 07:00"])
    assert new_york.openings[0].local_begin == "2027-01-15T22:00"
    assert berlin.says == new_york.says == ""


def test_the_hosts_freezes_are_applied(rest: Rest) -> None:
    make(rest)
    freeze(rest, **once(0, 24))
    bind(rest, "nights", "web1", "web2")
    bind(rest, "audit", "web2")
    free, frozen = preview(rest, "nights", count=1)
    assert opens(free) == ["15 21:00-16 01:00"]
    assert opens(frozen) == ["16 21:00-17 01:00"]


def test_a_freeze_shows_when_it_is_on_and_what_is_left_of_the_hosts_windows(rest: Rest) -> None:
    make(rest)
    bind(rest, "nights", "web1")
    freeze(rest, **once(0, 24))
    (alone,) = preview(rest, "audit")
    assert (opens(alone), [f"{s.begin:%d %H:%M}" for s in alone.frozen]) == ([], ["15 08:00"])
    (item,) = preview(rest, "audit", "web1", count=1)
    assert opens(item) == ["16 21:00-17 01:00"]
    assert item.says == "It is not bound to web1."
    bind(rest, "audit", "web1")
    (bound,) = preview(rest, "audit", count=1)
    assert (bound.consumer, opens(bound), bound.says) == ("web1", opens(item), "")


def test_a_preview_says_why_there_is_nothing(rest: Rest) -> None:
    freeze(rest, **once(0, 24), everywhere=True)
    web1, _ = preview(rest, "audit")
    assert web1.says == "There is no window."
    make(rest, "move", **once(30, 2))
    bind(rest, "move", "web1")
    rest.clock.go(3 * DAY)
    (item,) = preview(rest, "move")
    assert (item.openings, item.says) == ([], "No window is open; none opens within ten years.")


def test_a_host_without_a_known_zone_is_previewed_in_utc_and_says_so(rest: Rest) -> None:
    rest.register("new")
    rest.register("odd", agent=agent_info(timezone="Mars/Base"))
    make(rest, zone="host")
    bind(rest, "nights", "new", "odd")
    new, odd = preview(rest, "nights", count=1)
    assert opens(new) == opens(odd) == ["15 22:00-16 02:00"]
    assert new.says == "new has not told its time zone yet: the times are those of UTC."
    assert "Mars/Base, is not known here" in odd.says


def test_a_preview_of_all_is_paged(rest: Rest) -> None:
    make(rest, everywhere=True)

    def page(after: str | None) -> Any:
        return rest.windows.preview(VIEWER, "nights", consumers=(), count=1, after=after, limit=1)

    first = page(None)
    second = page(first.next)
    assert [p.items[0].consumer for p in (first, second)] == ["web1", "web2"]
    assert second.next is None
    assert first.items[0].says == ""
