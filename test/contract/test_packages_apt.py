"""What only the apt back end has: pins, an HTTP mirror, unprivileged use, Debian's words for errors."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debrepo
import pytest
from debrepo import Package
from mirror import Mirror
from package_host import wait_until
from package_hosts import AptHost
from package_job import PackageJob
from pulp_agent.handlers.packages import AptSettings, handlers
from pulp_agent.handlers.packages.apt.text import package_errors, problem
from pulp_agent.handlers.packages.processes import load_session
from test_packages import refused, told

FIXES = {
    ("demo", "upgrade", "1.0", "1.0+sec1", "done"),
    ("demolib", "upgrade", "1.0", "1.0+sec1", "done"),
}


@pytest.fixture
def host(tmp_path: Path) -> AptHost:
    return AptHost(tmp_path)


# --- security-only updates and the administrator's preferences ---


def prefer(host: AptHost, text: str, name: str = "preferences") -> None:
    (host.root / "etc/apt" / name).write_text(text)


def test_security_only_keeps_the_pins_of_single_packages(host: AptHost) -> None:
    host.give("demo=1.0", "demolib=1.0")
    prefer(host, "Package: demo\nPin: version 1.0\nPin-Priority: 1001\n")
    result = host.update_all(security_only=True)
    assert told(result) == {("demolib", "upgrade", "1.0", "1.0+sec1", "done")}


@pytest.mark.parametrize("name", ["preferences", "preferences.d/bar.pref"])
def test_security_only_keeps_barred_repositories_out(host: AptHost, name: str) -> None:
    """A dependency that only a barred repository has must not come in by the lowered priority of ours."""
    security = Package(name="demo", version="1.0+sec2", depends="demolib (>= 1.0), demo00")
    host.repository.publish(security, suite="stable-security")
    host.give("demo=1.0", "demolib=1.0")
    prefer(host, "# ours\nPackage: *\nPin: release l=Pulp\nPin-Priority: -1\n", name)
    result = host.update_all(security_only=True)
    assert told(result) == {("demolib", "upgrade", "1.0", "1.0+sec1", "done")}
    assert [kept.name for kept in result.kept_back] == ["demo"]


def test_security_only_is_not_widened_by_a_general_preference(host: AptHost) -> None:
    host.give("demo=1.0", "demolib=1.0", "democonf=1.0")
    prefer(host, "Package: *\nPin: release l=Pulp\nPin-Priority: 995\n")
    assert told(host.update_all(security_only=True)) == FIXES


def test_security_only_brings_a_new_dependency_from_anywhere(host: AptHost) -> None:
    security = Package(name="demo", version="1.0+sec2", depends="demolib (>= 1.0), demo00")
    host.repository.publish(security, suite="stable-security")
    host.give("demo=1.0", "demolib=1.0")
    result = host.update_all(security_only=True)
    assert ("demo00", "install", None, "1.0", "done") in told(result)


def test_security_only_leaves_repositories_without_a_label_alone(host: AptHost) -> None:
    host.give("demo=1.0", "demolib=1.0")
    release = host.repository.path / "dists/stable/Release"
    bare = [line for line in release.read_text().splitlines() if not line.startswith("Label")]
    release.write_text("\n".join(bare) + "\n")
    assert told(host.update_all(security_only=True)) == FIXES


# --- a mirror over HTTP ---


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "repository")
    yield mirror
    mirror.close()


@pytest.fixture
def remote(tmp_path: Path, mirror: Mirror) -> AptHost:
    return AptHost(tmp_path, uri=mirror.uri)


def test_a_cancel_in_the_download_ends_it_at_once_and_changes_nothing(
    remote: AptHost, mirror: Mirror
) -> None:
    remote.give("demo00")
    mirror.stalled = "demofat"
    started = remote.start_install("demofat")
    assert mirror.reached.wait(10)
    assert started.job.cancel()
    error = started.outcome()
    assert error.code == "canceled"
    assert not error.details.changed
    assert remote.installed() == {"demo00": "1.0"}
    mirror.go.set()
    mirror.stalled = ""
    assert {c.outcome for c in remote.install("demofat").changes} == {"done"}


def test_a_download_that_outlives_its_job_is_ended_by_the_resumed_one(
    remote: AptHost, mirror: Mirror
) -> None:
    remote.give("demo00")
    mirror.stalled = "demofat"
    spool = remote.folder / "killed"
    with remote.spawn_install("demofat", spool=spool) as process:
        assert mirror.reached.wait(10)
        os.killpg(process.pid, signal.SIGKILL)
    left = load_session(spool / "stoppable.json")
    assert left is not None and left.members()
    mirror.stalled = ""
    result = remote.install("demofat", job=PackageJob(spool, resumed=True))
    assert told(result) == {("demofat", "install", None, "1.0", "done")}
    assert not left.members()


def test_a_call_whose_time_ends_in_the_download_is_timed_out(
    remote: AptHost, mirror: Mirror
) -> None:
    remote.give("demo00")
    mirror.stalled = "demofat"
    refused("timeout", remote.install, "demofat", job=remote.job(timeout=2.0))
    assert remote.installed() == {"demo00": "1.0"}


def test_download_progress_is_told(remote: AptHost, mirror: Mirror) -> None:
    mirror.stalled = "demofat"
    started = remote.start_install("demofat")
    reports = started.job.reports
    wait_until(
        lambda: any(phase == "download" and 20 < percent < 40 for phase, percent, _ in reports),
        "half of the download is told",
    )
    mirror.go.set()
    assert {c.outcome for c in started.outcome().changes} == {"done"}


def test_metadata_is_refreshed_before_a_change_so_a_moved_mirror_does_no_harm(
    remote: AptHost,
) -> None:
    remote.give("demo=1.0", "demolib=2.0")
    remote.repository.withdraw("demo", "1.1", index=True)
    remote.publish("demo", "1.2", depends="demolib")
    assert told(remote.update("demo")) == {("demo", "upgrade", "1.0", "1.2", "done")}


def test_metadata_that_ages_between_plan_and_download_is_refreshed_once(
    remote: AptHost, mirror: Mirror
) -> None:
    """The mirror replaces demo 1.1 by 1.2 in the moment in which the planned 1.1 is asked for."""

    def replace_demo(path: str) -> None:
        if path.endswith("/demo_1.1_all.deb"):
            mirror.before_answer = lambda _: None
            remote.repository.withdraw("demo", "1.1", index=True)
            remote.publish("demo", "1.2", depends="demolib")

    mirror.before_answer = replace_demo
    assert told(remote.install("demo")) == {
        ("demo", "install", None, "1.2", "done"),
        ("demolib", "install", None, "2.0", "done"),
    }


def test_an_unsigned_repository_is_untrusted(host: AptHost) -> None:
    sources = host.root / "etc/apt/sources.list"
    sources.write_text(host.repository.sources(options="trusted=no"))
    error = refused("untrusted", host.install, "demo")
    assert "not signed" in str(error)
    assert host.installed() == {}


def test_a_package_that_does_not_match_its_hash_is_not_installed(remote: AptHost) -> None:
    remote.give("demo00")
    deb = remote.repository.path / "pool/stable/demofat_1.0_all.deb"
    blob = bytearray(deb.read_bytes())
    blob[-1] ^= 1
    deb.write_bytes(blob)
    refused("fetch", remote.install, "demofat")
    assert "demofat" not in remote.installed()


# --- no privileges needed, or given ---


def as_nobody(folder: Path, answer: Any) -> None:
    """In a forked process: become nobody for good, and install."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    os.chdir("/")
    hook = Path(debrepo.__file__).parent.parent / "agent/pulp_agent/handlers/packages/apt/hook.py"
    if not os.access(hook, os.R_OK):
        answer.send("unreadable")
        return
    result = AptHost(folder).install("demo", "demofat")
    answer.send(told(result))


@pytest.mark.skipif(os.geteuid() != 0, reason="this whole run is unprivileged already")
def test_a_private_root_needs_no_privileges() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pulp-nobody-"))
    try:
        shutil.chown(folder, "nobody")
        mine, theirs = multiprocessing.get_context("fork").Pipe()
        with mine, theirs:
            child = multiprocessing.get_context("fork").Process(
                target=as_nobody, args=(folder, theirs)
            )
            child.start()
            wait_until(lambda: mine.poll() or not child.is_alive(), "nobody has installed")
            answer = mine.recv() if mine.poll() else None
            child.join()
    finally:
        shutil.rmtree(folder)
    if answer == "unreadable":
        pytest.skip("nobody may not read this checkout")
    assert answer == {
        ("demo", "install", None, "1.1", "done"),
        ("demolib", "install", None, "2.0", "done"),
        ("demofat", "install", None, "1.0", "done"),
    }


def test_a_host_without_apt_gets_no_package_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert handlers(AptSettings()) == {}


# --- words ---


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "locked",
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (x)",
        ),
        ("locked", "dpkg: error: dpkg frontend lock was locked by another process with pid 1"),
        ("interrupted", "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'"),
        ("no-space", "E: You don't have enough free space in /var/cache/apt/archives/."),
        ("would-remove", "E: Packages need to be removed but remove is disabled."),
        ("would-remove", "E: Essential packages were removed and -y was used"),
        (
            "held",
            "E: Held packages were changed and -y was used without --allow-change-held-packages.",
        ),
        ("untrusted", "E: The repository 'http://x stable Release' is not signed."),
        ("untrusted", "E: There were unauthenticated packages and -y was used"),
        ("fetch", "E: Failed to fetch http://x/y.deb  404  Not Found [IP: 127.0.0.1 80]"),
        ("not-found", "E: Package 'demo' has no installation candidate"),
        ("not-found", "E: Version '9' for 'demo' was not found"),
        (
            "dependency",
            "The following packages have unmet dependencies:\n a : Depends: b\nE: Unable",
        ),
        ("internal", "E: something new"),
    ],
)
def test_what_apt_says_has_one_code(code: str, text: str) -> None:
    assert problem(text).code == code


def test_the_last_line_of_a_failed_script_is_told() -> None:
    text = (
        "Setting up a (1.0) ...\na: no database\n"
        "dpkg: error processing package a (--configure):\n installed a package script failed\n"
        "Unpacking b (1.0) ...\n"
        "dpkg: error processing archive /x/b_1.0_all.deb (--unpack):\n No space left on device\n"
        "dpkg: error processing package c:amd64 (--configure):\n dependency problems\n"
    )
    assert package_errors(text) == {
        "a": "installed a package script failed: a: no database",
        "b": "No space left on device",
        "c": "dependency problems",
    }
