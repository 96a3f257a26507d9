"""The contract of ConsumerRepository."""

from __future__ import annotations

import pytest
from store_samples import agent_info, consumer, event

from pulp.common.ids import new_id
from pulp.server.db.base import BadCursor, Conflict, ConsumerFilter, Duplicate, Store
from pulp.server.domain.consumer import CLOCK_SKEW, Consumer, StoredProfile


def add(store: Store, *consumers: Consumer) -> None:
    def job(uow):
        for each in consumers:
            uow.consumers.add(each)

    store.write(job)


def get(store: Store, consumer_id: str = "web1") -> Consumer | None:
    return store.read(lambda uow: uow.consumers.get(consumer_id))


def full_consumer(**given) -> Consumer:
    values = {
        "display_name": "Wébserver Nº1",
        "notes": {"site.name": "vienna", '"$quoted"': "yes", "empty": ""},
        "online": True,
        "last_seen": 5,
        "clock_offset": -700,
        "agent": agent_info(),
        "flags": [CLOCK_SKEW],
        "windows": ["audit", "nights"],
        "enforced": True,
        "keep_plan": 7,
        "replanned": 6,
        "fingerprints": ["aa", "bb"],
    }
    return consumer(**values | given)


@pytest.mark.parametrize("make", [consumer, full_consumer])
def test_what_is_added_is_read_back_whole(store: Store, make):
    given = make()
    add(store, given)
    assert get(store) == given
    assert store.read(lambda uow: uow.consumers.by_uid(given.uid)) == given


def test_unknown_ones_are_none(store: Store):
    assert get(store) is None
    assert store.read(lambda uow: uow.consumers.by_uid(new_id())) is None
    assert store.read(lambda uow: uow.consumers.profile("web1")) is None


def test_an_id_or_uid_that_exists_is_a_duplicate(store: Store):
    first = consumer()
    add(store, first)
    with pytest.raises(Duplicate):
        add(store, consumer())
    with pytest.raises(Duplicate):
        add(store, consumer("web2", uid=first.uid))
    assert get(store) == first
    assert get(store, "web2") is None


def test_save_stores_every_field(store: Store):
    add(store, consumer())
    changed = full_consumer(registered_at=9, csr_fingerprint="dd", certificate="PEM")
    store.write(lambda uow: uow.consumers.save(changed))
    assert get(store) == changed
    bare = consumer(uid=changed.uid)
    store.write(lambda uow: uow.consumers.save(bare))
    assert get(store) == bare


def test_save_of_one_that_is_not_stored_is_a_conflict(store: Store):
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.consumers.save(consumer()))


def test_save_with_another_ones_uid_is_a_duplicate(store: Store):
    first, second = consumer(), consumer("web2")
    add(store, first, second)
    with pytest.raises(Duplicate):
        store.write(lambda uow: uow.consumers.save(second.replace(uid=first.uid)))


def test_remove_takes_the_profile_along_and_leaves_the_history(store: Store):
    add(store, consumer())

    def job(uow):
        uow.history.add(event())
        uow.consumers.save_profile(
            StoredProfile(consumer_id="web1", hash="h", at=1, packages=b"[]")
        )

    store.write(job)
    store.write(lambda uow: uow.consumers.remove("web1"))
    assert get(store) is None
    assert store.read(lambda uow: uow.consumers.profile("web1")) is None
    assert store.read(lambda uow: uow.history.knows("web1"))
    store.write(lambda uow: uow.consumers.remove("web1"))


def test_an_id_can_be_taken_again_after_remove(store: Store):
    add(store, consumer())
    store.write(lambda uow: uow.consumers.remove("web1"))
    successor = consumer()
    add(store, successor)
    assert get(store) == successor


def found(store: Store, limit: int = 100, **where) -> list[str]:
    page = store.read(lambda uow: uow.consumers.page(ConsumerFilter(**where), None, limit))
    return [each.id for each in page.items]


def test_pages_are_by_id(store: Store):
    add(store, *(consumer(name) for name in ("c", "a", "e", "B", "d")))
    first = store.read(lambda uow: uow.consumers.page(ConsumerFilter(), None, 2))
    add(store, consumer("aa"), consumer("cc"))
    rest = store.read(lambda uow: uow.consumers.page(ConsumerFilter(), first.next, 10))
    assert [each.id for each in first.items] == ["B", "a"]
    assert [each.id for each in rest.items] == ["aa", "c", "cc", "d", "e"]
    assert rest.next is None


def test_a_full_last_page_has_no_next(store: Store):
    add(store, consumer("a"), consumer("b"))
    assert store.read(lambda uow: uow.consumers.page(ConsumerFilter(), None, 2)).next is None


def test_the_filter_chooses_by_presence(store: Store):
    add(store, consumer("a", online=True), consumer("b"), consumer("c", online=True))
    assert found(store, online=True) == ["a", "c"]
    assert found(store, online=False) == ["b"]


@pytest.mark.parametrize(
    ("q", "ids"),
    [
        ("WEB", ["web-1", "x2"]),
        ("wien äußere", ["x2"]),
        ("WIEN ÄUSSERE", ["x2"]),
        ("b-1", ["web-1"]),
        ("%", []),
        ("_", ["db_3"]),
        ("nothing", []),
    ],
)
def test_q_is_part_of_the_id_or_display_name_in_any_case(store: Store, q, ids):
    add(
        store,
        consumer("web-1"),
        consumer("x2", display_name="Web Wien Äußere Stadt"),
        consumer("db_3"),
    )
    assert found(store, q=q) == ids


def test_q_sees_a_display_name_that_was_saved_later(store: Store):
    add(store, consumer())
    stored = get(store)
    assert stored
    store.write(lambda uow: uow.consumers.save(stored.replace(display_name="Frontend")))
    assert found(store, q="front") == ["web1"]


def test_all_notes_given_must_be_there(store: Store):
    add(
        store,
        consumer("a", notes={"site.x": "vienna", '$"k': "1"}),
        consumer("b", notes={"site.x": "graz", '$"k': "1"}),
        consumer("c"),
    )
    assert found(store, notes={'$"k': "1"}) == ["a", "b"]
    assert found(store, notes={"site.x": "vienna", '$"k': "1"}) == ["a"]
    assert found(store, notes={"site.x": "Vienna"}) == []
    assert found(store, notes={"site": "vienna"}) == []


def test_conditions_join(store: Store):
    add(store, consumer("web1", online=True, notes={"k": "v"}), consumer("web2", notes={"k": "v"}))
    assert found(store, online=True, q="web", notes={"k": "v"}) == ["web1"]


@pytest.mark.parametrize("after", ["", "a", "bm9uZQ"])
def test_a_cursor_that_was_not_given_out_is_refused(store: Store, after):
    with pytest.raises(BadCursor, match="after"):
        store.read(lambda uow: uow.consumers.page(ConsumerFilter(), after, 10))


def test_set_offline_says_how_many_were_online(store: Store):
    add(store, consumer("a", online=True), consumer("b"), consumer("c", online=True))
    assert store.write(lambda uow: uow.consumers.set_offline()) == 2
    assert found(store, online=True) == []
    assert store.write(lambda uow: uow.consumers.set_offline()) == 0


def test_a_profile_replaces_the_one_before(store: Store):
    first = StoredProfile(consumer_id="web1", hash="h1", at=1, packages=b'[{"name":"a"}]')
    second = StoredProfile(consumer_id="web1", hash="h2", at=2, packages=b"[]")
    for profile in (first, second):
        store.write(lambda uow, profile=profile: uow.consumers.save_profile(profile))
        assert store.read(lambda uow: uow.consumers.profile("web1")) == profile
    assert store.read(lambda uow: uow.consumers.profile("web2")) is None
