"""The contract of a package back end when things go wrong: locks, lost files, cancels, hung scripts and killed processes."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from package_host import Host, wait_until
from package_hosts import HOSTS, need
from package_job import PackageJob
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.processes import Session, load_session
from pulp_agent.handlers.packages.record import Record
from test_packages import change, refused, told

from pulp.rmi.interfaces import PackagesResult


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    need(request.param)
    host = HOSTS[request.param](tmp_path)
    yield host
    host.open_gate()


GATED = {
    ("demogate", "install", None, "1.0", "done"),
    ("demo", "install", None, "1.1", "done"),
    ("demolib", "install", None, "2.0", "done"),
}


# --- locks ---


def test_a_lock_that_stays_held_ends_the_call_and_names_the_holder(host: Host) -> None:
    host.give("demo00")
    host.configure(lock_timeout=0.3)
    job = host.job()
    with host.locked():
        error = refused("locked", host.install, "demo", job=job)
    assert "python" in str(error)
    assert "wait" in {phase for phase, _, _ in job.reports}
    assert host.installed() == {"demo00": "1.0"}


@pytest.mark.parametrize("metadata", [False, True])
def test_a_lock_that_is_released_in_time_only_delays(host: Host, metadata: bool) -> None:
    if metadata and not host.locks_metadata:
        pytest.skip(f"{host.backend} has no lock on the metadata")
    host.give("demo00")
    with host.locked(metadata=metadata):
        started = host.start_install("demo")
        wait_until(lambda: any(p == "wait" for p, _, _ in started.job.reports), "it waits")
    phases = started.outcome().phases
    assert phases["wait"] > 0
    assert told(started.outcome()) == GATED - {("demogate", "install", None, "1.0", "done")}


def test_a_wait_for_a_lock_can_be_canceled(host: Host) -> None:
    host.give("demo00")
    with host.locked():
        started = host.start_install("demo")
        wait_until(lambda: any(p == "wait" for p, _, _ in started.job.reports), "it waits")
        assert started.job.cancel()
        assert started.outcome().code == "canceled"


# --- repositories out of step, or not there ---


def test_a_package_file_that_is_gone_is_a_failed_fetch(host: Host) -> None:
    host.give("demo00")
    host.repository.withdraw("demofat", "1.0", index=False)
    error = refused("fetch", host.install, "demofat", "demo")
    assert "demofat" in str(error)
    assert host.installed() == {"demo00": "1.0"}


def test_without_repositories_the_old_metadata_must_do(host: Host) -> None:
    """What needs no repository still works, and what is not found is blamed on the repositories."""
    host.give("demo00", "demo01")
    hidden = host.repository.path.rename(host.folder / "hidden")
    error = refused("fetch", host.install, "demofat")
    assert host.install("demo00").changes == []
    assert told(host.remove("demo01")) == {("demo01", "remove", "1.0", None, "done")}
    hidden.rename(host.repository.path)
    assert "demofat" in str(error)


def test_without_repositories_and_metadata_nothing_can_be_planned(host: Host) -> None:
    host.repository.path.rename(host.folder / "hidden")
    refused("fetch", host.install, "demo")
    refused("fetch", host.install, "demo", dry_run=True)


def test_a_full_disk_of_the_agent_is_told_as_such(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Record, "save", full)
    error = refused("no-space", host.install, "demo")
    assert "No space left" in str(error)
    assert host.installed() == {}


# --- cancel and time limits before the commit ---


def test_a_call_canceled_before_it_starts_changes_nothing(host: Host) -> None:
    job = host.job()
    assert job.cancel()
    refused("canceled", host.install, "demo", job=job)
    assert host.installed() == {}


class CanceledAtCommit(PackageJob):
    """A cancel that comes between the download and the commit."""

    def begin_commit(self) -> bool:
        self.cancel()
        return super().begin_commit()


def test_the_cancel_that_wins_the_race_against_the_commit_counts(host: Host) -> None:
    job = CanceledAtCommit(host.folder / "canceled")
    refused("canceled", host.install, "demo", job=job)
    assert host.installed() == {}


def test_a_call_whose_time_is_over_changes_nothing(host: Host) -> None:
    refused("timeout", host.install, "demo", job=host.job(timeout=0.0))
    assert host.installed() == {}


# --- the commit ---


def test_a_cancel_in_the_commit_comes_too_late(host: Host) -> None:
    host.close_gate()
    started = host.start_install("demogate", "demo")
    host.wait_for_gate()
    assert not started.job.cancel()
    host.open_gate()
    assert told(started.outcome()) == GATED


def test_a_hung_script_is_ended_at_the_time_limit_and_the_others_are_done(host: Host) -> None:
    error = refused("timeout", host.install, "demohang", "demo", job=host.job(timeout=3.0))
    assert "demohang" in str(error)
    assert change(error.details, "demohang").outcome == "failed"
    assert host.installed() == {
        "demo": "1.1",
        "demolib": "2.0",
        **host.left_by_failed_script("demohang"),
    }
    assert not host.interrupted()


def test_a_script_that_ignores_the_first_signal_is_killed(host: Host) -> None:
    deaf = 'trap "" TERM\nwhile :; do sleep 0.1; done'
    host.publish("demodeaf", "1.0", scripts={"postinst": deaf})
    host.configure(commit_timeout=0.5)
    refused("timeout", host.install, "demodeaf")
    assert not host.interrupted()
    host.remove("demodeaf")
    assert host.installed() == {}


# --- killed processes ---


def session_of(spool: Path) -> Session:
    session = load_session(spool / "session.json")
    assert session is not None
    return session


def kill_all(session: Session) -> None:
    for process in session.members():
        with suppress(ProcessLookupError):  # gone by itself meanwhile
            os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not session.members(), "the killed processes are gone")


def test_a_job_killed_in_a_script_is_resumed_and_tells_all_changes(host: Host) -> None:
    host.close_gate()
    spool = host.folder / "killed"
    with host.spawn_install("demogate", "demo", spool=spool) as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
        kill_all(session_of(spool))
    assert host.interrupted()
    host.open_gate()
    job = PackageJob(spool, resumed=True)
    result = host.install("demogate", "demo", job=job)
    assert told(result) == GATED
    assert result.repaired
    assert host.setting_up.format("demogate") in result.log
    assert host.audit() == ""
    assert not host.interrupted()


def test_a_transaction_that_outlives_its_job_is_waited_for_and_not_repeated(host: Host) -> None:
    host.close_gate()
    spool = host.folder / "killed"
    with host.spawn_install("demogate", "demo", spool=spool) as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
    assert session_of(spool).members()
    started = host.start_install("demogate", "demo", job=PackageJob(spool, resumed=True))
    wait_until(lambda: started.job.reports, "it waits for the transaction")
    assert started.at_work()
    host.open_gate()
    assert told(started.outcome()) == GATED
    assert host.scripts_run("demogate") == 1


def test_a_tool_killed_beneath_a_living_job_is_repaired_once_its_script_has_ended(
    host: Host,
) -> None:
    host.close_gate()
    started = host.start_install("demogate", "demo")
    host.wait_for_gate()
    session = session_of(Path(started.job.spool))
    for member in session.members():
        if host.is_tool(member, session):
            os.kill(member.pid, signal.SIGKILL)
    wait_until(lambda: any("interrupted" in m for _, _, m in started.job.reports), "it waits")
    host.open_gate()
    result = started.outcome()
    assert isinstance(result, PackagesResult), result
    assert told(result) == GATED
    assert result.repaired
    assert host.audit() == ""


def test_a_job_killed_before_its_commit_starts_afresh(host: Host) -> None:
    spool = host.folder / "killed"
    spool.mkdir()
    result = host.install("demo", job=PackageJob(spool, resumed=True))
    assert {c.name for c in result.changes} == {"demo", "demolib"}
    assert not result.repaired


def test_a_script_that_fails_in_the_resumed_run_is_told(host: Host) -> None:
    failing = {"postinst": "echo no luck >&2; exit 1"}
    host.publish("demolate", "1.0", depends="demogate", scripts=failing)
    host.close_gate()
    spool = host.folder / "killed"
    with host.spawn_install("demolate", spool=spool) as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
        kill_all(session_of(spool))
    host.open_gate()
    error = refused("script", host.install, "demolate", job=PackageJob(spool, resumed=True))
    assert "no luck" in str(error)
    assert told(error.details) == {
        ("demolate", "install", None, "1.0", "failed"),
        ("demogate", "install", None, "1.0", "done"),
    }
    assert error.details.scripts_failed == ["demolate"]
    assert error.details.repaired
    assert not host.interrupted()


@pytest.mark.parametrize("status", ["half-installed", "unpacked"])
def test_a_package_cut_off_in_its_unpacking_is_installed_anew(host: Host, status: str) -> None:
    host.give("demo", "demo00")
    host.cut_off_unpacking("demo00", status)
    result = host.install("demo01")
    assert told(result) == {
        ("demo01", "install", None, "1.0", "done"),
        ("demo00", "configure", "1.0", "1.0", "unplanned"),
    }
    assert (result.repaired, result.scripts_failed) == (True, [])
    assert host.installed().keys() == {"demo", "demolib", "demo00", "demo01"}
    assert host.audit() == ""


def test_what_somebody_else_left_half_done_is_repaired_first(host: Host) -> None:
    host.close_gate()
    with host.spawn_install("demogate", spool=host.folder / "other") as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
        kill_all(session_of(host.folder / "other"))
    host.open_gate()
    result = host.install("demo")
    assert result.repaired
    assert change(result, "demo").outcome == "done"
    assert change(result, "demogate").outcome == "unplanned"
    assert host.installed().keys() == {"demo", "demolib", "demogate"}


def test_two_jobs_at_once_take_turns(host: Host) -> None:
    """The agent's lane prevents it; an administrator's own apt-get does not."""
    host.close_gate()
    first = host.start_install("demogate")
    host.wait_for_gate()
    second = host.start_install("demo")
    wait_until(lambda: any(p == "wait" for p, _, _ in second.job.reports), "the second waits")
    host.open_gate()
    assert not isinstance(first.outcome(), HandlerError)
    assert {c.name for c in second.outcome().changes} == {"demo", "demolib"}
