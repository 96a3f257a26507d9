"""The contract of PackageRepository: it says what the stored profiles say."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from store_samples import consumer

from pulp.server.db.base import BadCursor, PackageFilter, Store
from pulp.server.domain.consumer import StoredProfile
from pulp.server.domain.package import Spread, VersionCount

Package = tuple[str, str, str]


def profile(consumer_id: str, *packages: Package) -> StoredProfile:
    listed = [{"name": n, "version": v} | ({"arch": a} if a else {}) for n, v, a in packages]
    encoded = msgspec.json.encode(listed)
    return StoredProfile(consumer_id=consumer_id, hash=str(hash(encoded)), at=1, packages=encoded)


def report(store: Store, consumer_id: str, *packages: Package) -> None:
    store.write(lambda uow: uow.consumers.save_profile(profile(consumer_id, *packages)))


def rows(store: Store, name: str, *, limit: int = 1_000, **where) -> list[tuple[str, ...]]:
    """All pages, each `limit` long but the last."""
    found, after = [], None
    while True:
        page = store.read(
            lambda uow, after=after: uow.packages.page(
                PackageFilter(name=name, **where), after, limit
            )
        )
        found += [(i.consumer_id, i.name, i.version, i.arch) for i in page.items]
        if page.next is None:
            return found
        assert len(page.items) == limit
        after = page.next


def hosts(store: Store, name: str, **where) -> list[str]:
    return [row[0] for row in rows(store, name, **where)]


def spread(store: Store, name: str) -> Spread:
    return store.read(lambda uow: uow.packages.spread(name))


SSL = ("openssl", "3.0.11", "amd64")
NEW_SSL = ("openssl", "3.0.15", "amd64")
BASH = ("bash", "5.2", "amd64")


def test_a_package_is_found_on_the_hosts_that_reported_it(store: Store):
    report(store, "web2", SSL, BASH)
    report(store, "web1", NEW_SSL)
    report(store, "db1", BASH)
    assert rows(store, "openssl") == [("web2", *SSL), ("web1", *NEW_SSL)]
    assert rows(store, "openss") == []


def test_a_package_without_an_architecture_is_found(store: Store):
    report(store, "web1", ("tzdata", "2024a", ""))
    assert rows(store, "tzdata") == [("web1", "tzdata", "2024a", "")]
    assert rows(store, "tzdata", arch="") == [("web1", "tzdata", "2024a", "")]


def test_version_and_arch_choose_and_are_compared_as_text(store: Store):
    i386 = ("openssl", "3.0.11", "i386")
    report(store, "web1", SSL, i386)
    report(store, "web2", NEW_SSL)
    assert rows(store, "openssl", version="3.0.11") == [("web1", *SSL), ("web1", *i386)]
    assert rows(store, "openssl", arch="i386") == [("web1", *i386)]
    assert rows(store, "openssl", version="3.0.15", arch="amd64") == [("web2", *NEW_SSL)]
    assert rows(store, "openssl", version="3.0.11.0") == []


def test_a_prefix_finds_every_name_that_begins_so(store: Store):
    names = ("libssl", "libssl3", "libssl3-dev", "libsslé", "libst", "lib", "LIBSSL9")
    report(store, "web1", *((name, "1", "all") for name in names))
    found = [row[1] for row in rows(store, "libssl", prefix=True)]
    assert found == ["libssl", "libssl3", "libssl3-dev", "libsslé"]
    assert [row[1] for row in rows(store, "libssl")] == ["libssl"]


@pytest.mark.parametrize("mark", ["%", "_", "*", "?", "["])
def test_a_prefix_is_no_pattern(store: Store, mark: str):
    report(store, "web1", ("bash", "1", "all"), (f"b{mark}x", "1", "all"))
    assert [row[1] for row in rows(store, f"b{mark}", prefix=True)] == [f"b{mark}x"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("prefix", [False, True])
def test_pages_join_without_gap_or_repetition(store: Store, limit: int, prefix: bool):
    for number in range(5):
        report(
            store, f"web{number}", SSL, (NEW_SSL if number % 2 else BASH), ("openssl-x", "1", "")
        )
    whole = rows(store, "openssl", prefix=prefix)
    assert len(whole) == (12 if prefix else 7)
    assert rows(store, "openssl", prefix=prefix, limit=limit) == whole


def test_what_goes_between_two_pages_leaves_no_gap(store: Store):
    for number in range(4):
        report(store, f"web{number}", SSL)
    where = PackageFilter(name="openssl")
    first = store.read(lambda uow: uow.packages.page(where, None, 2))
    store.write(lambda uow: uow.consumers.remove("web1"))  # the last of the first page
    report(store, "web4", SSL)
    rest = store.read(lambda uow: uow.packages.page(where, first.next, 10))
    assert [i.consumer_id for i in rest.items] == ["web2", "web3", "web4"]


@pytest.mark.parametrize("after", ["", "x", "bm9uZQ", "W10"])
def test_a_cursor_that_was_not_given_out_is_refused(store: Store, after: str):
    with pytest.raises(BadCursor, match="after"):
        store.read(lambda uow: uow.packages.page(PackageFilter(name="a"), after, 10))


def test_a_new_profile_takes_away_what_it_does_not_name(store: Store):
    report(store, "web1", SSL, BASH)
    report(store, "web1", NEW_SSL, BASH)
    assert rows(store, "openssl") == [("web1", *NEW_SSL)]
    assert hosts(store, "bash") == ["web1"]
    report(store, "web1")
    assert rows(store, "", prefix=True) == []
    assert spread(store, "bash").versions == []


def test_a_profile_that_names_a_package_twice_has_it_once(store: Store):
    report(store, "web1", SSL, SSL)
    assert hosts(store, "openssl") == ["web1"]
    report(store, "web1")
    assert hosts(store, "openssl") == []


def test_an_unregistered_host_has_no_packages(store: Store):
    store.write(lambda uow: uow.consumers.add(consumer("web1")))
    report(store, "web1", SSL, BASH)
    report(store, "web2", SSL)
    store.write(lambda uow: uow.consumers.remove("web1"))
    assert hosts(store, "openssl") == ["web2"]
    assert hosts(store, "bash") == []
    assert spread(store, "openssl").reported == 1


def test_a_name_that_is_taken_again_begins_anew(store: Store):
    report(store, "web1", SSL)
    store.write(lambda uow: uow.consumers.remove("web1"))
    report(store, "web1", BASH)
    assert hosts(store, "openssl") == []
    assert hosts(store, "bash") == ["web1"]


def test_a_job_that_fails_leaves_the_packages_as_they_were(store: Store):
    report(store, "web1", SSL)

    def job(uow):
        uow.consumers.save_profile(profile("web1", NEW_SSL))
        raise KeyError("web1")

    with pytest.raises(KeyError):
        store.write(job)
    assert rows(store, "openssl") == [("web1", *SSL)]


def test_what_is_no_package_is_passed_over(store: Store):
    """Stored by a release that did not check what an agent answered."""
    odd = b'[{"name":"a"},{"version":"1"},{"name":null,"version":"1"},{"name":"ok","version":"1","arch":7}]'
    stored = StoredProfile(consumer_id="web1", hash="h", at=1, packages=odd)
    store.write(lambda uow: uow.consumers.save_profile(stored))
    assert rows(store, "", prefix=True) == [("web1", "ok", "1", "")]
    report(store, "web1")
    assert rows(store, "", prefix=True) == []


def test_the_spread_of_a_package_counts_hosts_by_version(store: Store):
    for name in ("web1", "web2"):
        report(store, name, NEW_SSL, ("openssl", "3.0.11", "i386"))
    report(store, "web3", NEW_SSL)
    report(store, "db1", BASH)
    assert spread(store, "openssl") == Spread(
        hosts=3,
        reported=4,
        versions=[
            VersionCount(version="3.0.15", arch="amd64", hosts=3),
            VersionCount(version="3.0.11", arch="i386", hosts=2),
        ],
    )
    assert spread(store, "nothing") == Spread(hosts=0, reported=4, versions=[])


def test_a_profile_is_confirmed_by_its_hash(store: Store):
    report(store, "web1", SSL)
    stored = store.read(lambda uow: uow.consumers.profile("web1"))
    assert store.write(lambda uow: uow.consumers.confirm_profile("web1", stored.hash, 50))
    read = store.read(lambda uow: uow.consumers.profile("web1"))
    assert read == msgspec.structs.replace(stored, at=50)
    for name, hash_ in (("web1", "another"), ("web2", stored.hash)):
        assert not store.write(
            lambda uow, name=name, hash_=hash_: uow.consumers.confirm_profile(name, hash_, 90)
        )
    assert store.read(lambda uow: uow.consumers.profile("web1")) == read


def test_after_any_changes_the_rows_are_those_of_the_profiles(open_store: Callable[[], Store]):
    chance, said, store = random.Random(7), {}, open_store()
    pool = [(f"p{n % 4}", str(n % 3), "all" if n % 2 else "") for n in range(24)]
    for _ in range(150):
        name = f"web{chance.randrange(5)}"
        if chance.random() < 0.2:
            store.write(lambda uow, name=name: uow.consumers.remove(name))
            said.pop(name, None)
        else:
            said[name] = set(chance.sample(pool, chance.randrange(8)))
            report(store, name, *said[name])
    store.close()
    found = rows(open_store(), "p", prefix=True, limit=3)
    assert sorted(found) == sorted((h, *p) for h, packages in said.items() for p in packages)
