"""The contract of a back end's list of available updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from package_host import Host
from package_hosts import HOSTS, need
from pulp_agent.handlers.base import HandlerError

from pulp.rmi.reports import UpdatesResult


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    need(request.param)
    host = HOSTS[request.param](tmp_path)
    yield host
    host.open_gate()


def told(result: UpdatesResult) -> dict[str, tuple[str, str, str, str]]:
    """Name → from, to, the fix, why it is kept back."""
    return {u.name: (u.from_, u.to, u.fix, u.kept_back) for u in result.updates}


def test_updates_are_told_with_the_fixes_that_newer_versions_hide(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0", "democonf=1.0", "demo00")
    result = host.updates()
    assert result.backend == host.backend
    assert told(result) == {
        "demo": ("1.0", "1.1", "1.0+sec1", ""),
        "demolib": ("1.0", "2.0", "1.0+sec1", ""),
        "democonf": ("1.0", "2.0", "", ""),
    }
    assert {u.name for u in result.updates if u.security} == {"demo", "demolib"}
    assert {u.repo for u in result.updates} == {"stable"}


def test_what_is_held_is_told_with_its_newer_version(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0")
    host.hold("demo")
    assert told(host.updates())["demo"] == ("1.0", "1.1", "1.0+sec1", "held")
    assert host.held() == {"demo"}


def test_what_cannot_be_updated_says_so(host: Host) -> None:
    host.give("demo00", "demo01")
    host.publish("demo00", "2.0", depends="no-such-package")
    found = told(host.updates(refresh=True))
    assert found["demo00"][0] == "1.0"
    assert found["demo00"][3] == "dependency"


def test_the_look_changes_nothing_and_waits_for_no_lock(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0")
    before = host.fingerprint()
    with host.locked(), host.locked(metadata=True):
        assert host.updates().updates
    assert host.fingerprint() == before


def test_what_was_published_since_is_seen_after_a_refresh(host: Host) -> None:
    host.give("demo00")
    assert host.updates().updates == []
    host.publish("demo00", "2.0")
    (update,) = host.updates(refresh=True).updates
    assert (update.name, update.from_, update.to, update.repo) == ("demo00", "1.0", "2.0", "stable")
    assert (update.security, update.kept_back) == (False, "")


def test_a_fresh_host_fetches_what_it_lacks(host: Host) -> None:
    assert host.updates().updates == []


def test_without_repositories_and_metadata_nothing_is_known(host: Host) -> None:
    host.repository.path.rename(host.folder / "hidden")
    with pytest.raises(HandlerError) as caught:
        host.updates()
    assert caught.value.code == "fetch"
