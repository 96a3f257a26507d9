"""Profiles that agents tell unasked: kept, confirmed by their hash, asked for where they are not known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw
from server_world import DAY, HOUR, World

from pulp.rmi.messages import InstalledPackage, Profile, ProfileHash, Succeeded, WantProfile
from pulp.server.api.packages import TASK_CLASSES, NoArguments, RefreshProfile
from pulp.server.db.base import PackageFilter
from pulp.server.domain.consumer import StoredProfile
from pulp.server.tasking.deadlines import Timing

BASH = InstalledPackage(name="bash", version="5.2", arch="amd64")


def stored(world: World, name: str = "web1") -> StoredProfile | None:
    return world.store.read(lambda uow: uow.consumers.profile(name))


def hosts(world: World, package: str) -> list[str]:
    where = PackageFilter(name=package)
    page = world.store.read(lambda uow: uow.packages.page(where, None, 100))
    return [each.consumer_id for each in page.items]


def answers(world: World) -> list[object]:
    """What the agent was sent, once everything that was handed in is committed."""
    world.store.write(lambda uow: None)
    return world.take_sent()


def test_a_profile_tells_which_hosts_have_a_package(world: World) -> None:
    world.consumer()
    peer = world.hello()
    world.reply(peer, Profile(hash="h1", packages=[BASH]))
    assert hosts(world, "bash") == ["web1"]


def test_a_known_hash_says_that_the_profile_still_holds(world: World) -> None:
    world.consumer()
    peer = world.hello()
    world.reply(peer, Profile(hash="h1", packages=[BASH]))
    world.take_sent()
    first = stored(world)
    world.clock.at += 5
    world.reply(peer, ProfileHash(hash="h1"))
    assert answers(world) == []
    assert first is not None
    assert stored(world) == msgspec.structs.replace(first, at=world.now)
    assert world.events() == []


def test_the_profile_behind_an_unknown_hash_is_asked_for(world: World) -> None:
    world.consumer()
    peer = world.hello()
    world.take_sent()
    world.reply(peer, ProfileHash(hash="h1"))
    assert answers(world) == [WantProfile()]
    world.reply(peer, Profile(hash="h1", packages=[]))
    world.reply(peer, ProfileHash(hash="h2"))
    assert answers(world) == [WantProfile()]
    kept = stored(world)
    assert kept is not None and kept.hash == "h1"


def test_who_is_no_longer_registered_leaves_no_profile(world: World) -> None:
    world.consumer()
    peer = world.hello()
    world.take_sent()
    world.store.write(lambda uow: uow.consumers.remove("web1"))
    world.reply(peer, Profile(hash="h1", packages=[BASH]), ProfileHash(hash="h1"))
    assert stored(world) is None
    assert hosts(world, "bash") == []
    assert answers(world) == []


def test_who_was_replaced_does_not_speak_for_its_successor(world: World) -> None:
    world.consumer()
    peer = world.hello()
    old = world.store.read(lambda uow: uow.consumers.get("web1"))
    assert old is not None
    world.store.write(lambda uow: uow.consumers.save(old.replace(uid="uid-new")))
    world.reply(peer, Profile(hash="h1", packages=[BASH]))
    assert stored(world) is None


def test_a_profile_that_is_none_is_kept_raw_and_named(world: World, caplog: object) -> None:
    world.consumer()
    peer = world.hello()
    world.reply(peer, Profile(hash="h1", packages=[BASH]))
    body = (
        b'{"type":"profile","v":1,"hash":"h2","packages":[{"name":"a","version":"1"},{"name":"b"}]}'
    )
    world.raw(peer, body)
    world.step()
    kept = stored(world)
    assert kept is not None and kept.hash == "h1"
    assert world.store.read(lambda uow: uow.unreadable.count()) == 1
    [record] = [r for r in caplog.records if r.name.endswith("replies")]  # type: ignore[attr-defined]
    assert record.consumer_id == "web1"
    assert "packages[1]" in record.why and "version" in record.why


@pytest.mark.parametrize(
    ("value", "truncated", "why"),
    [
        (b'{"hash":"h2","packages":[]}', True, "too large to be sent whole"),
        (b'{"hash":"h2","packages":[{"name":"a"}]}', UNSET, "packages[0]"),
    ],
)
def test_an_asked_for_profile_that_is_cut_or_bad_replaces_nothing(
    world: World, value: bytes, truncated: Any, why: str
) -> None:
    world.build(TASK_CLASSES)
    world.consumer()
    peer = world.hello()
    world.reply(peer, Profile(hash="h1", packages=[BASH]))
    record = RefreshProfile.new(
        NoArguments(),
        consumer_id="web1",
        requested_by="ann",
        now=world.now,
        timing=Timing(deliver_within=DAY, timeout=HOUR),
    )
    task_id = world.store.write(lambda uow: world.queue.enqueue(uow, record)).id
    world.step()
    done = Succeeded(
        id=task_id, value=Raw(value), started=world.now, finished=world.now, truncated=truncated
    )
    world.reply(peer, done)
    error = world.task(task_id).error
    assert error is not None and error.code == "unreadable-result"
    assert why in error.message
    kept = stored(world)
    assert kept is not None and kept.hash == "h1"
    assert hosts(world, "bash") == ["web1"]
