"""What the agent tells of its packages: all of them when they changed, else a hash, to a server that reads it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from agent_plays import Play, online
from pulp_agent import errands as errands_module
from pulp_agent.errands import Errands
from pulp_agent.events import Disconnected, Event, ProfileDelivered, ProfileRead, ReadProfile
from pulp_agent.home import Home

from pulp.rmi.messages import MOST_PACKAGES, Profile, ProfileHash, WantProfile
from pulp.rmi.versions import PROFILE_HASH

A, B = Profile(hash="a", packages=[]), Profile(hash="b", packages=[])


def read(hash_: str) -> ProfileRead:
    return ProfileRead(hash_, [])


def known(features: tuple[str, ...] = (PROFILE_HASH,)) -> Play:
    """An agent whose profile `a` has arrived, connected to a server with these features."""
    play = online()
    play.connects(features=list(features))
    assert play.sends(read("a")) == [A]
    play.does(ProfileDelivered("a"))
    return play


def test_what_has_not_changed_is_told_by_its_hash() -> None:
    play = known()
    for _ in range(2):
        assert play.sends(read("a")) == [ProfileHash(hash="a")]
    assert play.sends(read("b")) == [B]


def test_a_server_that_does_not_read_hashes_gets_none() -> None:
    play = known(features=())
    assert play.sends(read("a")) == []
    assert play.connects(features=[PROFILE_HASH]) == [ProfileHash(hash="a")]  # after its upgrade
    assert play.connects(features=[PROFILE_HASH]) == []


def test_a_hash_that_could_not_be_said_is_said_at_the_next_welcome() -> None:
    play = known()
    play.does(Disconnected())
    assert play.sends(read("a")) == []
    assert play.connects(features=[PROFILE_HASH]) == [ProfileHash(hash="a")]


def test_while_a_profile_is_under_way_no_hash_of_it_is_said() -> None:
    play = known()
    assert play.sends(read("b")) == [B]
    assert play.sends(read("b")) == []
    assert play.connects(features=[PROFILE_HASH]) == [B]


def test_what_changed_back_while_a_profile_was_under_way_is_told() -> None:
    play = known()
    assert play.sends(read("b")) == [B]
    assert play.sends(read("a")) == [A]
    play.does(ProfileDelivered("b"))
    assert play.connects(features=[PROFILE_HASH]) == [A]
    play.does(ProfileDelivered("a"))
    assert play.sends(read("a")) == [ProfileHash(hash="a")]


def test_a_server_that_wants_the_profile_gets_it() -> None:
    play = known()
    assert play.gets(WantProfile()) == []
    assert play.other() == [ReadProfile()]
    assert play.sends(read("a")) == [A]
    play.does(ProfileDelivered("a"))
    assert play.sends(read("a")) == [ProfileHash(hash="a")]


def test_a_crash_before_the_wanted_profile_was_sent_forgets_nothing() -> None:
    play = known()
    play.gets(WantProfile())
    play.crash()
    play.connects(features=[PROFILE_HASH])
    assert play.sends(read("a")) == [A]


# --- reading it ---


def outputs(monkeypatch: pytest.MonkeyPatch, errands: Errands, *texts: bytes | None) -> None:
    waiting = list(texts)

    async def run(*_arguments: str) -> bytes | None:
        return waiting.pop(0)

    monkeypatch.setattr(errands, "_run", run)


@pytest.mark.parametrize(
    ("packages", "why"),
    [
        ([{"name": "", "version": "1"}], "length >= 1"),
        ([{"name": "a" * 513, "version": "1"}], "length <= 512"),
        ([{"name": "a", "version": 1}], "Expected `str`, got `int`"),
        ([{"name": "a", "version": "1"}] * (MOST_PACKAGES + 1), f"length <= {MOST_PACKAGES}"),
    ],
)
def test_a_profile_that_cannot_be_told_is_logged_with_what_is_wrong(
    packages: list[object],
    why: str,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    posted: list[Event] = []
    errands = Errands(home, posted.append)
    outputs(monkeypatch, errands, msgspec.json.encode({"hash": "h", "packages": packages}))
    asyncio.run(errands._read_profile())
    assert posted == []
    [record] = caplog.records
    assert record.getMessage() == "The package profile cannot be read"
    assert why in record.error  # type: ignore[attr-defined]


def test_it_is_read_again_and_again_at_moments_of_its_own(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    reads: list[None] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 50:
            raise asyncio.CancelledError

    monkeypatch.setattr(errands_module.asyncio, "sleep", sleep)
    errands = Errands(home, lambda event: None)
    monkeypatch.setattr(errands, "read_profile", lambda: reads.append(None))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(errands._read_regularly(60_000))
    assert len(reads) == 49
    assert len(set(slept)) == 50
    assert 30 <= min(slept) < 40 < 80 < max(slept) <= 90


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)
