"""Updates by advisory, by CVE and by the smallest step: what dnf has, and the sentences of who has it not."""

from __future__ import annotations

from pathlib import Path

import pytest
from package_host import Host
from package_hosts import AptHost, Dnf5Host, DnfHost, need
from rpmrepo import DEMO_ADVISORIES, Advisory, Package
from test_packages import change, refused, told

TOOLS = Advisory("DEMO-2026:3", "security", ("demo00-1.5-1",), cves=("CVE-2026-0003",))
FIXES = {
    ("demo", "upgrade", "1.0", "1.0+sec1", "done"),
    ("demolib", "upgrade", "1.0", "1.0+sec1", "done"),
}


@pytest.fixture(params=[DnfHost, Dnf5Host])
def family(request: pytest.FixtureRequest) -> type[DnfHost]:
    need(request.param.backend)
    return request.param


@pytest.fixture
def host(family: type[DnfHost], tmp_path: Path) -> DnfHost:
    return family(tmp_path)


def give_old(host: DnfHost) -> None:
    host.give("demo=1.0", "demolib=1.0", "democonf=1.0", "demo00=1.0")


def publish_more(host: DnfHost) -> None:
    """A fix of demo00, and newer versions that no advisory names."""
    versions = {"demo00": ("1.5", "2.0"), "demo": ("1.2",)}
    packages = [
        Package(name=n, version=v, tags=_NEEDS.get(n, ())) for n in versions for v in versions[n]
    ]
    host.repository.publish(*packages, advisories=(*DEMO_ADVISORIES, TOOLS))


_NEEDS = {"demo": ["Requires: demolib >= 1.0"]}


@pytest.mark.parametrize("family", [AptHost, DnfHost, Dnf5Host])
def test_what_is_mended_is_not_raised_further(tmp_path: Path, family: type[Host]) -> None:
    """There are newer versions, which mend nothing that the fix does not."""
    need(family.backend)
    host = family(tmp_path)
    host.give("demo=1.0", "demolib=1.0")
    assert told(host.update_all(security_only=True)) == FIXES
    assert host.update_all(security_only=True).changes == []
    assert [u.name for u in host.updates().updates if u.security] == []
    assert not any(c.security for c in host.update_all().changes)


# --- by advisory and by CVE ---


def test_updates_name_their_advisories_and_what_those_are_about(host: DnfHost) -> None:
    give_old(host)
    result = host.updates()
    named = {update.name: update.advisories for update in result.updates}
    assert named == {
        "demo": ["DEMO-2026:1", "DEMO-2026:2"],
        "demolib": ["DEMO-2026:1", "DEMO-2026:2"],
        "democonf": [],
    }
    fix, feature = result.advisories
    assert (fix.id, fix.kind, fix.severity) == ("DEMO-2026:1", "security", "Important")
    assert (fix.title, fix.cves) == ("DEMO-2026:1", ["CVE-2026-0001", "CVE-2026-0002"])
    assert (feature.id, feature.kind, feature.cves) == ("DEMO-2026:2", "enhancement", [])


def test_an_advisory_that_is_installed_is_not_told_again(host: DnfHost) -> None:
    give_old(host)
    host.update_all(security_only=True)
    found = {update.name: update.advisories for update in host.updates().updates}
    assert found["demo"] == ["DEMO-2026:2"]


@pytest.mark.parametrize("name", ["DEMO-2026:1", "CVE-2026-0001", "CVE-2026-0002"])
def test_an_advisory_or_cve_brings_its_fixes_and_no_more(host: DnfHost, name: str) -> None:
    give_old(host)
    publish_more(host)
    result = host.update_all(advisories=[name])
    assert told(result) == FIXES
    assert change(result, "demo").advisories == ["DEMO-2026:1"]
    assert change(result, "demo").security
    assert host.installed()["demo00"] == "1.0"


def test_several_are_mended_at_once(host: DnfHost) -> None:
    give_old(host)
    publish_more(host)
    result = host.update_all(advisories=["CVE-2026-0003", "DEMO-2026:2"])
    assert told(result) == {
        ("demo00", "upgrade", "1.0", "1.5", "done"),
        ("demo", "upgrade", "1.0", "1.1", "done"),
        ("demolib", "upgrade", "1.0", "2.0", "done"),
    }
    assert change(result, "demo").advisories == ["DEMO-2026:1", "DEMO-2026:2"]
    assert host.update_all(advisories=["CVE-2026-0003", "DEMO-2026:2"]).changes == []


def test_unknown_advisories_are_named_and_nothing_is_changed(host: DnfHost) -> None:
    give_old(host)
    asked = ["DEMO-2026:1", "DEMO-1999:1", "CVE-1999-0001", "demo"]
    error = refused("not-found", host.update_all, advisories=asked)
    assert "no advisory on DEMO-1999:1, CVE-1999-0001, demo" in str(error)
    assert error.details.unknown == asked[1:]
    assert host.installed()["demo"] == "1.0"


def test_an_advisory_on_what_is_not_installed_changes_nothing(host: DnfHost) -> None:
    host.give("democonf=1.0")
    assert host.update_all(advisories=["DEMO-2026:1"]).changes == []


def test_a_held_package_keeps_its_advisory_back(host: DnfHost) -> None:
    give_old(host)
    host.hold("demo")
    result = host.update_all(advisories=["DEMO-2026:1"])
    assert {c.name for c in result.changes} == {"demolib"}
    assert [(kept.name, kept.reason) for kept in result.kept_back] == [("demo", "held")]


def test_security_and_advisories_exclude_each_other(host: DnfHost) -> None:
    refused("unsupported", host.update_all, security_only=True, advisories=["DEMO-2026:1"])


# --- the smallest step ---


def test_minimal_goes_to_the_newest_version_that_an_advisory_names(host: DnfHost) -> None:
    give_old(host)
    publish_more(host)
    assert told(host.update_all(minimal=True)) == {
        ("demo", "upgrade", "1.0", "1.1", "done"),
        ("demolib", "upgrade", "1.0", "2.0", "done"),
        ("demo00", "upgrade", "1.0", "1.5", "done"),
    }
    assert host.update_all(minimal=True).changes == []
    assert host.update_all().changes != []


def test_minimal_holds_for_named_packages(host: DnfHost) -> None:
    give_old(host)
    publish_more(host)
    assert told(host.update("demo", "democonf", minimal=True)) == {
        ("demo", "upgrade", "1.0", "1.1", "done")
    }


@pytest.mark.parametrize("security_only", [False, True])
def test_minimal_is_what_dnf_itself_calls_so(
    family: type[DnfHost], tmp_path: Path, security_only: bool
) -> None:
    ours, theirs = family(tmp_path / "ours"), family(tmp_path / "theirs")
    for one in (ours, theirs):
        later = Advisory("DEMO-2026:4", "security", ("demo00-1.7-1",))
        packages = [Package(name="demo00", version=v) for v in ("1.5", "1.7", "2.0")]
        one.repository.publish(*packages, advisories=(*DEMO_ADVISORIES, TOOLS, later))
        give_old(one)
    ours.update_all(minimal=True, security_only=security_only)
    theirs.dnf("upgrade-minimal", *(["--security"] if security_only else []))
    assert ours.installed() == theirs.installed()
    assert ours.installed()["demo00"] == "1.7"


def test_minimal_is_for_updates_without_a_version(host: DnfHost) -> None:
    give_old(host)
    refused("unsupported", host.install, "demo01", minimal=True)
    refused("unsupported", host.remove, "demo00", minimal=True)
    refused("unsupported", host.install_group, "demotools", minimal=True)
    error = refused("unsupported", host.update, "demo=1.1", minimal=True)
    assert "demo=1.1" in str(error)


# --- apt ---


@pytest.mark.parametrize("dry_run", [False, True])
def test_apt_refuses_what_its_repositories_do_not_tell(tmp_path: Path, dry_run: bool) -> None:
    host = AptHost(tmp_path)
    host.give("demo=1.0", "demolib=1.0")
    error = refused("unsupported", host.update_all, advisories=["DLA-1-1"], dry_run=dry_run)
    assert "no advisories" in str(error) and "security_only" in str(error)
    for verb, names in ((host.update_all, ()), (host.update, ("demo",))):
        error = refused("unsupported", verb, *names, minimal=True, dry_run=dry_run)
        assert "policy.minimal" in str(error) and "version" in str(error)
    assert host.installed() == {"demo": "1.0", "demolib": "1.0"}
