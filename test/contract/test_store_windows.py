"""The contract of WindowRepository, and of what binds windows to consumers."""

from __future__ import annotations

import msgspec
import pytest
from store_samples import add_tasks, agent_info, consumer, task

from pulp.common.calendar import Calendar, OneOff, Recurring
from pulp.common.windows import Window
from pulp.server.db.base import BadCursor, Conflict, ConsumerFilter, Duplicate, Store
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskState
from pulp.server.domain.window import NamedWindow, WindowRole, calendar_of


def window(name: str = "nights", **given) -> NamedWindow:
    values = {
        "role": WindowRole.WINDOW,
        "span": Recurring(
            name=name,
            rrule="FREQ=DAILY",
            dtstart="2026-01-01T22:00",
            zone="host",
            duration="4h",
            cutoff="30m",
        ),
        "created_by": "ada",
        "created_at": 1,
    }
    return NamedWindow(name=name, **values | given)


def freeze(name: str = "audit", **given) -> NamedWindow:
    return window(name, role=WindowRole.FREEZE, span=OneOff(name=name, begin=5, end=9), **given)


def add(store: Store, *windows: NamedWindow) -> None:
    store.write(lambda uow: [uow.windows.add(each) for each in windows])


def get(store: Store, name: str = "nights") -> NamedWindow | None:
    return store.read(lambda uow: uow.windows.get(name))


def bound(store: Store, name: str) -> list[str]:
    return store.read(lambda uow: uow.consumers.bound_to(name))


@pytest.mark.parametrize("given", [window(), freeze("nights", everywhere=True, revision=3)])
def test_what_is_added_is_read_back_whole(store: Store, given: NamedWindow):
    assert get(store) is None
    add(store, given)
    assert get(store) == given


def test_a_name_that_exists_is_a_duplicate(store: Store):
    add(store, window())
    with pytest.raises(Duplicate):
        add(store, freeze("nights"))
    assert get(store) == window()


def test_save_stores_every_field_once_per_revision(store: Store):
    add(store, window())
    changed = freeze("nights", created_by="bob", created_at=2, everywhere=True)
    saved = store.write(lambda uow: uow.windows.save(changed))
    assert saved == msgspec.structs.replace(changed, revision=2) == get(store)
    for stale in (changed, window("none")):
        with pytest.raises(Conflict):
            store.write(lambda uow, stale=stale: uow.windows.save(stale))


def test_remove(store: Store):
    add(store, window(), freeze())
    store.write(lambda uow: uow.windows.remove("nights"))
    assert get(store) is None
    assert get(store, "audit") == freeze()


def test_pages_are_by_name(store: Store):
    add(store, *map(window, ("c", "a", "B")))
    first = store.read(lambda uow: uow.windows.page(None, None, 2))
    rest = store.read(lambda uow: uow.windows.page(None, first.next, 2))
    assert [each.name for each in first.items + rest.items] == ["B", "a", "c"]
    assert rest.next is None
    with pytest.raises(BadCursor):
        store.read(lambda uow: uow.windows.page(None, "a", 2))


def test_a_page_may_be_of_one_role(store: Store):
    add(store, window("a"), freeze("b"), window("c"), freeze("d"))
    freezes = store.read(lambda uow: uow.windows.page(WindowRole.FREEZE, None, 1))
    rest = store.read(lambda uow: uow.windows.page(WindowRole.FREEZE, freezes.next, 1))
    assert freezes.items + rest.items == [freeze("b"), freeze("d")]
    assert rest.next is None


def test_those_that_hold_everywhere(store: Store):
    add(store, window("c", everywhere=True), freeze("b", everywhere=True), window("a"))
    found = store.read(lambda uow: uow.windows.everywhere())
    assert found == [freeze("b", everywhere=True), window("c", everywhere=True)]


def test_a_consumer_has_what_is_bound_to_it_and_what_holds_everywhere(store: Store):
    host = consumer(windows=["nights", "audit"])
    everywhere = freeze("xmas", everywhere=True)
    add(store, window(), freeze(), everywhere, window("others"))
    theirs = store.read(lambda uow: uow.windows.of(host))
    assert theirs == [freeze(), window(), everywhere]
    expected = Calendar(windows=(window().span,), freezes=(freeze().span, everywhere.span))
    assert calendar_of(host, theirs) == expected == calendar_of(host, [window("others"), *theirs])
    assert store.read(lambda uow: uow.windows.of(consumer())) == [everywhere]


def test_consumers_are_counted_and_listed_by_what_is_bound_to_them(store: Store):
    hosts = [consumer("c", windows=["nights"]), consumer("a", windows=["nights"]), consumer("b")]
    store.write(lambda uow: [uow.consumers.add(each) for each in hosts])
    counts = [store.read(lambda uow, n=n: uow.consumers.count(n)) for n in ("nights", "x", None)]
    assert counts == [2, 0, 3]
    where = ConsumerFilter(window="nights")
    first = store.read(lambda uow: uow.consumers.page(where, None, 1))
    rest = store.read(lambda uow: uow.consumers.page(where, first.next, 1))
    assert first.items + rest.items == [hosts[1], hosts[0]]
    assert rest.next is None


def test_one_of_those_whose_calendars_say_the_same_stands_for_them(store: Store):
    berlin, tokyo = (
        msgspec.structs.replace(agent_info(), timezone=zone)
        for zone in ("Europe/Berlin", "Asia/Tokyo")
    )
    hosts = [
        consumer("a", windows=["nights"], agent=berlin),
        consumer("b", windows=["nights"], agent=berlin, online=True),
        consumer("c", windows=["nights"], agent=tokyo),
        consumer("d", windows=["nights"]),
        consumer("e", windows=["nights", "audit"], agent=tokyo),
        consumer("f", windows=["nights"], agent=berlin, enforced=True),
        consumer("g", agent=berlin),
        consumer("h", agent=berlin),
    ]
    store.write(lambda uow: [uow.consumers.add(each) for each in reversed(hosts)])
    found = {n: store.read(lambda uow, n=n: uow.consumers.unlike(n)) for n in ("nights", None, "x")}
    bound = [each for each in hosts if each.id in "acdef"]
    assert found == {"nights": bound, None: [*bound, hosts[6]], "x": []}


def test_bound_to_follows_every_change_of_a_consumer(store: Store):
    web1, web2 = consumer("web1", windows=["nights"]), consumer("web2")
    store.write(lambda uow: [uow.consumers.add(each) for each in (web2, web1)])
    assert bound(store, "nights") == ["web1"]
    store.write(lambda uow: uow.consumers.save(web2.replace(windows=["nights", "audit"])))
    assert (bound(store, "nights"), bound(store, "audit")) == (["web1", "web2"], ["web2"])
    store.write(lambda uow: uow.consumers.save(web1.replace(windows=[], online=True)))
    assert bound(store, "nights") == ["web2"]
    store.write(lambda uow: uow.consumers.remove("web2"))
    assert bound(store, "nights") == bound(store, "audit") == []


def test_hosts_whose_calendar_changed_wait_to_be_planned_anew(store: Store):
    hosts = [consumer(name) for name in ("web1", "web2", "web3")]
    store.write(lambda uow: [uow.consumers.add(each) for each in hosts])
    assert to_replan(store) == []
    store.write(lambda uow: uow.consumers.raise_keep_plan(["web3", "web1", "gone"]))
    assert to_replan(store) == ["web1", "web3"]
    assert to_replan(store, limit=1) == ["web1"]
    store.write(lambda uow: uow.consumers.save(host(store, "web1").replace(replanned=1)))
    assert to_replan(store) == ["web3"]
    store.write(lambda uow: uow.consumers.raise_keep_plan(None))
    assert [host(store, each.id).keep_plan for each in hosts] == [2, 1, 2]
    assert to_replan(store) == ["web1", "web2", "web3"]


def test_what_went_back_outruns_every_plan_that_was_made_since(store: Store):
    hosts = [consumer("web1", keep_plan=3, replanned=3), consumer("web2", keep_plan=90)]
    store.write(lambda uow: [uow.consumers.add(each) for each in hosts])
    opening = Window(1, 9)
    records = add_tasks(
        store,
        task(state=TaskState.HELD, phase="", window=opening, plan=7),
        task(window=opening, plan=80),
        task(),
        task(state=TaskState.MISSED, phase="", deadline=None, window=opening),
    )
    store.write(lambda uow: (uow.consumers.outrun(50), uow.tasks.outrun(50)))
    assert [host(store, each.id).keep_plan for each in hosts] == [50, 91]
    after = store.read(lambda uow: [uow.tasks.get(each.id) for each in records])
    assert [each.plan for each in after if each] == [50, 81, 1, 1]
    stale = records[0]
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.tasks.save(stale))


def to_replan(store: Store, *, limit: int = 10) -> list[str]:
    return store.read(lambda uow: uow.consumers.to_replan(limit))


def host(store: Store, consumer_id: str) -> Consumer:
    found = store.read(lambda uow: uow.consumers.get(consumer_id))
    assert found is not None
    return found
