"""Which hosts have a package, over the web layer: what is taken, what is refused, what is answered."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rest_world import OPERATOR, VIEWER, Rest

from pulp.common.errors import InvalidInput
from pulp.server.db.base import PackageFilter
from pulp.server.domain.consumer import StoredProfile
from pulp.server.webservices.decoding import decode_query
from pulp.server.webservices.queries import PackagesQuery


def report(rest: Rest, consumer_id: str, **versions: str) -> None:
    packages = [{"name": n, "version": v, "arch": "amd64"} for n, v in versions.items()]
    profile = StoredProfile(
        consumer_id=consumer_id, hash="h", at=1, packages=msgspec.json.encode(packages)
    )
    rest.store.write(lambda uow: uow.consumers.save_profile(profile))


def hosts(rest: Rest, **where: Any) -> list[str]:
    page = rest.packages.list(VIEWER, PackageFilter(**where), after=None, limit=100)
    return [item.consumer_id for item in page.items]


def test_a_viewer_sees_who_has_a_package_and_in_which_versions(rest: Rest) -> None:
    for name, version in (("web1", "1"), ("web2", "2"), ("web3", "2")):
        rest.register(name)
        report(rest, name, openssl=version, bash="5")
    assert hosts(rest, name="openssl") == ["web1", "web2", "web3"]
    assert hosts(rest, name="openssl", version="2") == ["web2", "web3"]
    spread = rest.packages.spread(VIEWER, "openssl")
    assert (spread.name, spread.hosts, spread.reported) == ("openssl", 3, 3)
    assert [(v.version, v.hosts) for v in spread.versions] == [("2", 2), ("1", 1)]


def test_a_package_that_nobody_has_is_no_error(rest: Rest) -> None:
    assert hosts(rest, name="nothing") == []
    spread = rest.packages.spread(VIEWER, "nothing")
    assert (spread.hosts, spread.reported, spread.versions) == (0, 0, [])


def test_an_unregistered_host_has_nothing(rest: Rest) -> None:
    rest.register("web1")
    report(rest, "web1", openssl="1")
    rest.consumers.unregister(OPERATOR, "web1")
    assert hosts(rest, name="openssl") == []
    assert rest.packages.spread(VIEWER, "openssl").reported == 0


def test_a_cursor_that_is_none_is_a_bad_after(rest: Rest) -> None:
    with pytest.raises(InvalidInput) as refused:
        rest.packages.list(VIEWER, PackageFilter(name="a"), after="nonsense", limit=2)
    assert refused.value.errors[0].field == "after"


@pytest.mark.parametrize("name", ["openssl", "libstdc%2B%2B6", "libssl*", "a", "x.y-z_1:amd64"])
def test_a_name_or_the_beginning_of_names_is_taken(name: str) -> None:
    query = decode_query(f"name={name}", PackagesQuery)
    assert query.name == name.replace("%2B", "+")


@pytest.mark.parametrize(
    "query", ["", "name=", "name=*", "name=a*b", "name=a**", "name=a%20b", "name=a%0A", "version=1"]
)
def test_other_patterns_are_refused_with_what_is_taken(query: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_query(query, PackagesQuery)
    assert [error.field for error in refused.value.errors] == ["name"]
