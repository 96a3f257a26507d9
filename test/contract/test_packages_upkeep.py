"""The contract of a back end's repair and refresh as operations of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mirror import Mirror
from package_host import Host, wait_until
from package_hosts import HOSTS, need
from package_job import PackageJob
from pulp_agent.handlers.base import HandlerError
from test_packages import change, refused, told
from test_packages_faults import kill_all, session_of

from pulp.rmi import interfaces
from pulp.rmi.interfaces import RepairArgs
from pulp.rmi.reports import RefreshResult


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    need(request.param)
    host = HOSTS[request.param](tmp_path)
    yield host
    host.open_gate()


def leave_half_done(host: Host, *packages: str) -> None:
    """As a power cut in the script of demogate does."""
    host.close_gate()
    spool = host.folder / "cut"
    with host.spawn_install(*packages, spool=spool) as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
        kill_all(session_of(spool))
    assert host.interrupted()


# --- repair ---


def test_a_host_in_order_is_left_as_it_is(host: Host) -> None:
    host.give("demo", "demo00")
    before = host.fingerprint()
    result = host.repair()
    assert (result.changed, result.repaired, result.changes) == (False, False, [])
    assert host.fingerprint() == before


def test_what_was_cut_off_is_brought_to_its_end(host: Host) -> None:
    leave_half_done(host, "demogate", "demo")
    host.open_gate()
    job = host.job()
    result = host.repair(job=job)
    assert result.changed and result.repaired
    assert {c.outcome for c in result.changes} == {"done"}
    assert change(result, "demogate").action == "configure"
    assert "demogate" in host.installed()
    assert not host.interrupted()
    assert host.audit() == ""
    percents = [percent for _, percent, _ in job.reports]
    assert percents == sorted(percents)
    assert host.repair().changes == []


@pytest.mark.parametrize("status", ["half-installed", "unpacked"])
def test_a_package_cut_off_in_its_unpacking_is_put_back(host: Host, status: str) -> None:
    host.give("demo", "demo00")
    host.cut_off_unpacking("demo00", status)
    result = host.repair()
    assert told(result) == {("demo00", "configure", "1.0", "1.0", "done")}
    assert host.audit() == ""


def test_a_script_that_failed_is_run_again_and_its_failure_told(host: Host) -> None:
    refused("script", host.install, "demofail", "demo00")
    if not host.remembers_failed_scripts:
        assert host.repair().changes == []
        return
    error = refused("script", host.repair)
    assert "cannot reach its database" in str(error)
    assert told(error.details) == {("demofail", "configure", "1.0", "1.0", "failed")}
    assert error.details.scripts_failed == ["demofail"]
    (host.root / "etc/allow-demofail").touch()
    assert told(host.repair()) == {("demofail", "configure", "1.0", "1.0", "done")}


def test_a_repair_waits_for_the_lock_and_names_its_holder(host: Host) -> None:
    leave_half_done(host, "demogate")
    host.open_gate()
    host.configure(lock_timeout=0.3)
    with host.locked():
        error = refused("locked", host.repair)
    assert "python" in str(error)
    assert host.interrupted()
    host.configure(lock_timeout=20.0)
    with host.locked():
        started = host.start(lambda job: host.repair(job=job))
        wait_until(lambda: any(p == "wait" for p, _, _ in started.job.reports), "it waits")
    assert change(started.outcome(), "demogate").outcome == "done"


def test_another_programs_transaction_is_not_taken_for_broken(host: Host) -> None:
    host.close_gate()
    other = host.start_install("demogate")
    host.wait_for_gate()
    started = host.start(lambda job: host.repair(job=job))
    wait_until(lambda: any(p == "wait" for p, _, _ in started.job.reports), "the repair waits")
    host.open_gate()
    assert change(other.outcome(), "demogate").outcome == "done"
    assert started.outcome().changes == []
    assert host.scripts_run("demogate") == 1


def test_a_repair_that_is_killed_is_resumed_and_tells_all(host: Host) -> None:
    leave_half_done(host, "demogate", "demo")
    (host.root / "run/demogate.reached").unlink()
    spool = host.folder / "killed"
    with host.spawn(interfaces.REPAIR, RepairArgs(), spool=spool) as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
        kill_all(session_of(spool))
    host.open_gate()
    result = host.repair(job=PackageJob(spool, resumed=True))
    assert result.changed and result.repaired
    assert change(result, "demogate").outcome == "done"
    assert host.audit() == ""
    assert not host.interrupted()


def test_a_repair_that_is_canceled_before_it_begins_changes_nothing(host: Host) -> None:
    leave_half_done(host, "demogate")
    host.open_gate()
    job = host.job()
    assert job.cancel()
    refused("canceled", host.repair, job=job)
    assert host.interrupted()


# --- refresh ---


@pytest.fixture(params=sorted(HOSTS))
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """Its repository is elsewhere: apt reads one that is a folder in place."""
    need(request.param)
    mirror = Mirror(tmp_path / "repository")
    family: Any = HOSTS[request.param]
    yield family(tmp_path, uri=mirror.uri)
    mirror.close()


def test_a_refresh_shows_what_was_published_since(remote: Host) -> None:
    host = remote
    host.give("demo00")
    host.publish("demo00", "2.0")
    assert host.updates().updates == []
    job = host.job()
    result = host.refresh(job=job)
    assert (result.backend, result.phases.keys()) == (host.backend, {"refresh"})
    assert {phase for phase, _, _ in job.reports} == {"refresh"}
    assert [u.to for u in host.updates().updates] == ["2.0"]
    assert host.installed() == {"demo00": "1.0"}


def test_a_refresh_of_repositories_that_do_not_answer_fails(host: Host) -> None:
    host.give("demo00")
    host.repository.path.rename(host.folder / "hidden")
    with pytest.raises(HandlerError) as caught:
        host.refresh()
    assert caught.value.code == "fetch"
    assert isinstance(caught.value.details, RefreshResult)
    assert caught.value.details.log


def test_a_refresh_waits_for_the_metadatas_lock(host: Host) -> None:
    if not host.locks_metadata:
        pytest.skip(f"{host.backend} has no lock on the metadata")
    host.give("demo00")
    with host.locked(metadata=True):
        started = host.start(lambda job: host.refresh(job=job))
        wait_until(lambda: any(p == "wait" for p, _, _ in started.job.reports), "it waits")
    assert started.outcome().backend == host.backend


def test_a_refresh_can_be_canceled(host: Host) -> None:
    job = host.job()
    assert job.cancel()
    with pytest.raises(HandlerError) as caught:
        host.refresh(job=job)
    assert caught.value.code == "canceled"
