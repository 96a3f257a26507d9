"""The contract of a package back end: what install, update, remove, update_all and profile do, with real packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from package_host import Host, spec
from package_hosts import HOSTS, need
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import handlers

from pulp.rmi import interfaces
from pulp.rmi.interfaces import (
    PACKAGE_ERRORS,
    Change,
    PackagesArgs,
    PackageSpec,
    PackagesResult,
)


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    need(request.param)
    host = HOSTS[request.param](tmp_path)
    yield host
    host.open_gate()


def told(result: PackagesResult) -> set[tuple[str, str, str | None, str | None, str]]:
    """The changes without their particulars."""
    return {(c.name, c.action, c.from_, c.to, c.outcome) for c in result.changes}


def change(result: PackagesResult, name: str) -> Change:
    return next(c for c in result.changes if c.name == name)


def refused(code: str, work: Any, *args: Any, **options: Any) -> HandlerError:
    """The error that a call must end in."""
    with pytest.raises(HandlerError) as caught:
        work(*args, **options)
    assert caught.value.code == code in PACKAGE_ERRORS
    assert isinstance(caught.value.details, PackagesResult)
    return caught.value


# --- install ---


def test_install_brings_dependencies_and_tells_them(host: Host) -> None:
    result = host.install("demo")
    assert told(result) == {
        ("demo", "install", None, "1.1", "done"),
        ("demolib", "install", None, "2.0", "done"),
    }
    assert result.changed
    assert result.backend == host.backend
    assert change(result, "demo").requested
    assert not change(result, "demolib").requested
    assert change(result, "demolib").automatic
    assert change(result, "demo").repo == "stable"
    assert host.installed() == {"demo": "1.1", "demolib": "2.0"}


def test_install_of_a_version(host: Host) -> None:
    host.install("demo=1.0", "demolib=1.0")
    assert host.installed() == {"demo": "1.0", "demolib": "1.0"}


def test_install_twice_changes_nothing_the_second_time(host: Host) -> None:
    host.install("demo")
    before = host.profile()
    again = host.install("demo")
    assert (again.changed, again.changes) == (False, [])
    assert host.profile() == before


def test_install_of_an_older_version_needs_leave(host: Host) -> None:
    host.give("demo")
    error = refused("dependency", host.install, "demo=1.0")
    assert "1.1" in str(error) and "allow_downgrade" in str(error)
    result = host.install("demo=1.0", allow_downgrade=True)
    assert told(result) == {("demo", "downgrade", "1.1", "1.0", "done")}


def test_recommended_packages_follow_the_policy(host: Host) -> None:
    host.install("demosuite", recommends="no")
    assert "democonf" not in host.installed()
    host.remove("demosuite")
    host.install("demosuite", recommends="os")
    assert "democonf" in host.installed()


def test_progress_covers_the_whole_call_and_never_falls(host: Host) -> None:
    job = host.job()
    host.install("demo", job=job)
    percents = [percent for _, percent, _ in job.reports]
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)
    phases = list(dict.fromkeys(phase for phase, _, _ in job.reports))
    assert phases == ["refresh", "plan", "download", "commit", "verify"]
    assert any("demo" in message for phase, _, message in job.reports if phase == "commit")


def test_result_has_the_log_and_the_time_of_each_phase(host: Host) -> None:
    result = host.install("demo")
    assert host.setting_up.format("demo") in result.log
    assert {"refresh", "plan", "download", "commit", "verify"} == result.phases.keys()


def test_result_has_the_end_of_a_long_log(host: Host) -> None:
    lines = 'i=0; while [ $i -lt 3000 ]; do echo "line $i of a long story"; i=$((i+1)); done'
    host.publish("demochatty", "1.0", scripts={"postinst": lines})
    log = host.install("demochatty", "demo").log
    assert len(log.encode()) <= 64 * 1024
    assert "line 2999 of a long story" in log
    assert "line 0 of a long story" not in log


# --- what cannot be had ---


def test_unknown_package_is_named_and_nothing_is_installed(host: Host) -> None:
    error = refused("not-found", host.install, "no-such-thing", "demo")
    assert "no-such-thing" in str(error) and "demo," not in str(error)
    assert error.details.unknown == ["no-such-thing"]
    assert host.installed() == {}


def test_unknown_version_is_named(host: Host) -> None:
    error = refused("not-found", host.install, "demo=9.9")
    assert "9.9" in str(error) and "demo" in str(error)


MISREAD = ("demo-", "demo+", "demo0.", "demolib.", "demo0.+", "Demo", "de_mo", "demo.0")
"""What apt-get would take for a removal, a mark or a pattern, and the wire lets pass."""
REFUSED = ("-o", "--purge", "demo0*", "?name(demo)", "~ndemo", "./x.deb", "/x", "demo=1", "")
"""What the wire refuses; the handler does not rely on it."""


def test_a_name_that_the_tool_would_read_otherwise_is_just_unknown(host: Host) -> None:
    host.give("demo", "demo00")
    before = host.installed()
    for name in MISREAD:
        assert name in str(refused("not-found", host.install, name, dry_run=True))
    refused("not-found", host.install, *MISREAD)
    refused("not-found", host.update, *MISREAD)
    assert host.remove(*MISREAD).changes == []
    assert host.installed() == before


def test_the_back_end_itself_refuses_patterns_paths_and_options(host: Host) -> None:
    host.give("demo", "demo00")
    before = host.installed()
    install = handlers(host.settings)[interfaces.INSTALL]
    for name in REFUSED:
        args = PackagesArgs(packages=[PackageSpec(name=name)], dry_run=True)
        error = refused("not-found", install, args, host.job())
        assert error.details.unknown == [name]
    refused("not-found", install, PackagesArgs(packages=list(map(spec, REFUSED))), host.job())
    assert host.installed() == before


def test_missing_dependency_is_explained(host: Host) -> None:
    error = refused("dependency", host.install, "demobroken")
    assert "no-such-package" in str(error)


def test_conflict_that_would_remove_needs_leave(host: Host) -> None:
    host.give("demo")
    error = refused("would-remove", host.install, "democonflict")
    assert "remove demo" in str(error)
    assert ("demo", "remove", "1.1", None, "planned") in told(error.details)
    assert "demo" in host.installed()
    result = host.install("democonflict", allow_remove=True)
    assert ("demo", "remove", "1.1", None, "done") in told(result)
    assert "demo" not in host.installed()


# --- update ---


def test_update_raises_only_what_was_named(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0")
    result = host.update("demo")
    assert told(result) == {("demo", "upgrade", "1.0", "1.1", "done")}
    assert host.installed() == {"demo": "1.1", "demolib": "1.0"}
    assert host.update("demo").changes == []


def test_update_of_what_is_not_installed_is_not_found(host: Host) -> None:
    host.give("demo")
    error = refused("not-found", host.update, "demo", "demofat")
    assert "demofat" in str(error)
    assert host.installed() == {"demo": "1.1", "demolib": "2.0"}


def test_update_sees_what_was_published_since(host: Host) -> None:
    host.install("demo")
    host.publish("demo", "1.2", depends="demolib (>= 2.0)")
    assert told(host.update("demo")) == {("demo", "upgrade", "1.1", "1.2", "done")}


def test_update_all(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0", "democonf=1.0")
    result = host.update_all()
    assert told(result) == {
        ("demo", "upgrade", "1.0", "1.1", "done"),
        ("demolib", "upgrade", "1.0", "2.0", "done"),
        ("democonf", "upgrade", "1.0", "2.0", "done"),
    }
    assert host.update_all().changes == []


def test_security_only_takes_the_fixes_that_newer_versions_hide(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0", "democonf=1.0")
    result = host.update_all(security_only=True)
    assert told(result) == {
        ("demo", "upgrade", "1.0", "1.0+sec1", "done"),
        ("demolib", "upgrade", "1.0", "1.0+sec1", "done"),
    }
    assert all(c.security for c in result.changes)
    assert host.installed()["democonf"] == "1.0"


def test_a_newer_version_mends_what_the_fix_mends(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0", "democonf=1.0")
    planned = host.update("demo", dry_run=True)
    assert [c.security for c in planned.changes] == [True]
    result = host.update_all()
    assert {c.name: c.security for c in result.changes} == {
        "demo": True,
        "demolib": True,
        "democonf": False,
    }


def test_a_version_from_before_the_fix_mends_nothing(host: Host) -> None:
    host.publish("demo", "1.0+a", depends="demolib")
    host.give("demo=1.0", "demolib=1.0")
    assert not change(host.update("demo=1.0+a"), "demo").security


def test_what_is_new_on_the_host_mends_nothing_on_it(host: Host) -> None:
    result = host.install("demo=1.0+sec1")
    assert (change(result, "demo").action, change(result, "demo").security) == ("install", False)


# --- held packages ---


def test_a_held_package_is_kept_unless_allowed_and_is_held_again(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0")
    host.hold("demo")
    error = refused("held", host.update, "demo")
    assert "demo" in str(error) and "allow_held" in str(error)
    assert host.installed()["demo"] == "1.0"
    result = host.update("demo", allow_held=True)
    assert told(result) == {("demo", "upgrade", "1.0", "1.1", "done")}
    assert host.held() == {"demo"}


def test_update_all_keeps_back_what_is_held_and_tells_it(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0")
    host.hold("demo")
    result = host.update_all()
    assert {(kept.name, kept.reason) for kept in result.kept_back} == {("demo", "held")}
    assert host.installed() == {"demo": "1.0", "demolib": "2.0"}
    host.update_all(allow_held=True)
    assert host.installed()["demo"] == "1.1"
    assert host.held() == {"demo"}


# --- remove ---


def test_remove_and_remove_again(host: Host) -> None:
    host.give("demo", "demo00")
    result = host.remove("demo", "never-heard-of")
    assert told(result) == {("demo", "remove", "1.1", None, "done")}
    assert "demo" not in host.installed()
    assert host.remove("demo").changes == []


def test_remove_of_what_others_need_requires_leave(host: Host) -> None:
    host.give("demo")
    error = refused("would-remove", host.remove, "demolib")
    assert "demo" in str(error)
    result = host.remove("demolib", allow_remove=True)
    assert {c.name for c in result.changes} == {"demo", "demolib"}
    assert host.installed() == {}


def test_autoremove_takes_what_nothing_needs_any_more(host: Host) -> None:
    host.install("demo", "demo00")
    result = host.remove("demo", autoremove=True)
    assert told(result) == {
        ("demo", "remove", "1.1", None, "done"),
        ("demolib", "remove", "2.0", None, "done"),
    }
    assert host.installed() == {"demo00": "1.0"}


def test_autoremove_gives_no_leave_to_remove_what_is_in_use(host: Host) -> None:
    host.install("demo")
    refused("would-remove", host.install, "democonflict", autoremove=True)
    refused("would-remove", host.remove, "demolib", autoremove=True)
    assert host.installed() == {"demo": "1.1", "demolib": "2.0"}


def test_remove_takes_no_version(host: Host) -> None:
    host.give("demo")
    refused("unsupported", host.remove, "demo=1.0")
    assert "demo" in host.installed()


# --- dry run ---


def test_dry_run_tells_the_plan_and_touches_neither_state_nor_locks(host: Host) -> None:
    host.give("demo=1.0", "demolib=1.0")
    before = host.fingerprint()
    with host.locked(), host.locked(metadata=True):
        result = host.install("demo", "demofat", dry_run=True)
        updates = host.update_all(dry_run=True)
        removal = host.remove("demo", dry_run=True)
    assert told(result) == {
        ("demo", "upgrade", "1.0", "1.1", "planned"),
        ("demofat", "install", None, "1.0", "planned"),
    }
    assert (result.dry_run, result.changed) == (True, False)
    assert {c.name for c in updates.changes} == {"demo", "demolib"}
    assert told(removal) == {("demo", "remove", "1.0", None, "planned")}
    assert host.fingerprint() == before


def test_dry_run_fails_as_the_real_run_would(host: Host) -> None:
    host.give("demo")
    refused("not-found", host.install, "no-such-thing", dry_run=True)
    error = refused("would-remove", host.install, "democonflict", dry_run=True)
    assert error.details.dry_run


def test_dry_run_on_a_fresh_host_fetches_the_metadata_it_lacks(host: Host) -> None:
    assert {c.name for c in host.install("demo", dry_run=True).changes} == {"demo", "demolib"}


# --- configuration files ---


@pytest.mark.parametrize(
    ("policy", "text", "decision"),
    [("keep", "mine\n", "keep"), ("new", "setting = 2.0\n", "install")],
)
def test_changed_configuration_files(host: Host, policy: str, text: str, decision: str) -> None:
    host.give("democonf=1.0")
    file = host.root / "etc/democonf.conf"
    file.write_text("mine\n")
    result = host.update("democonf", config_files=policy)
    assert file.read_text() == text
    assert [(c.path, c.decision) for c in result.config_files] == [
        (f"/{file.relative_to(host.root)}", decision)
    ]


# --- scripts, restarts, profile ---


def test_failing_script_is_named_and_the_others_are_done(host: Host) -> None:
    error = refused("script", host.install, "demofail", "demo")
    assert "demofail" in str(error) and "cannot reach its database" in str(error)
    result = error.details
    assert result.changed
    assert result.scripts_failed == ["demofail"]
    assert change(result, "demofail").outcome == "failed"
    assert change(result, "demo").outcome == "done"
    assert host.installed() == {
        "demo": "1.1",
        "demolib": "2.0",
        **host.left_by_failed_script("demofail"),
    }


def test_only_who_has_a_failed_script_is_told_as_such(host: Host) -> None:
    """What waits for its dependency failed too, but by no script of its own."""
    host.publish("demouser", "1.0", depends="demofail")
    result = refused("script", host.install, "demouser").details
    assert result.scripts_failed == ["demofail"]


def test_a_package_broken_before_fails_only_those_who_ask_for_it(host: Host) -> None:
    refused("script", host.install, "demofail")
    if not host.remembers_failed_scripts:
        assert host.install("demofail").changes == []
        return
    result = host.install("demo00")
    assert told(result) == {("demo00", "install", None, "1.0", "done")}
    assert result.scripts_failed == ["demofail"]
    refused("script", host.install, "demofail")
    (host.root / "etc/allow-demofail").touch()
    repaired = host.install("demofail")
    assert told(repaired) == {("demofail", "configure", "1.0", "1.0", "done")}
    assert host.installed().keys() == {"demo00", "demofail"}


def test_need_of_a_restart_is_told(host: Host) -> None:
    assert not host.install("demo").reboot_needed
    result = host.install("demoreboot")
    assert result.reboot_needed
    assert result.reboot_reasons == ["demoreboot"]
    assert not result.rebooting, "only where the policy says so"


@pytest.mark.parametrize("wish", ["if_needed", "always"])
def test_a_restart_follows_where_the_policy_says_so(host: Host, wish: Any) -> None:
    assert host.install("demo", reboot=wish).rebooting == (wish == "always")
    assert not host.install("demoreboot", reboot=wish, dry_run=True).rebooting
    assert host.install("demoreboot", reboot=wish).rebooting


def test_profile_lists_what_is_installed_and_its_hash_follows(host: Host) -> None:
    host.give("demo=1.0", "demo00")
    host.hold("demo00")
    first = host.profile()
    assert [p.name for p in first.packages] == ["demo", "demo00", "demolib"]
    assert [p.name for p in first.packages if p.held] == ["demo00"]
    assert first.packages[0].version == "1.0"
    assert host.profile() == first
    host.give("demo=1.1")
    second = host.profile()
    assert second.hash != first.hash
    assert len(first.hash) == 64
