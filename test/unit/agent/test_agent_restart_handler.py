"""The decision to restart the host, and what tells one start of a host from the next."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from pulp_agent import host
from pulp_agent.handlers import restart as handler
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import AptSettings
from pulp_agent.handlers.packages.apt.reboot import came_since, reboot_reasons
from pulp_agent.handlers.restart import restart

from pulp.rmi.interfaces import Change
from pulp.rmi.restarts import RestartArgs, RestartResult

SETTINGS = AptSettings()


class Job:
    """`canceled_at`: from that look on; `left`: seconds that the call may still take, less with each look."""

    id = "c-1"
    resumed = False
    fetch_only = False
    spool = ""

    def __init__(self, *, left: float = 60, canceled_at: int = 99, commits: bool = True) -> None:
        self.left = left
        self.canceled_at = canceled_at
        self.commits = commits
        self.looks = 0
        self.terms: list[object] = []

    def progress(self, phase: str, percent: float, message: str = "") -> None:
        self.terms.append(signal.getsignal(signal.SIGTERM))

    def canceled(self) -> bool:
        self.looks += 1
        return self.looks >= self.canceled_at

    def begin_commit(self) -> bool:
        return self.commits

    def remaining(self) -> float:
        self.left -= 1
        return self.left


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(handler, "reboot_reasons", lambda _: found)
    monkeypatch.setattr(handler, "_LOOK", 0.001)
    return found


def decide(job: Job, *, delay: int = 0, if_needed: bool = False) -> RestartResult:
    return restart(SETTINGS, RestartArgs(delay=delay, if_needed=if_needed), job)


def test_it_restarts_whatever_the_packages_say(reasons: list[str]) -> None:
    assert decide(Job()) == RestartResult(needed=False, rebooting=True)


def test_if_needed_it_restarts_for_a_reason_only(reasons: list[str]) -> None:
    assert decide(Job(), if_needed=True) == RestartResult(needed=False)
    reasons.append("libc6")
    assert decide(Job(), if_needed=True) == RestartResult(
        needed=True, reasons=["libc6"], rebooting=True
    )


def test_it_can_be_canceled_while_it_waits(reasons: list[str]) -> None:
    job = Job(canceled_at=3)
    with pytest.raises(HandlerError) as caught:
        decide(job, delay=30_000)
    assert (caught.value.code, job.looks) == ("canceled", 3)


def test_a_cancel_that_comes_first_wins(reasons: list[str]) -> None:
    with pytest.raises(HandlerError) as caught:
        decide(Job(commits=False))
    assert caught.value.code == "canceled"


def test_its_time_ends_a_delay_that_is_too_long(reasons: list[str]) -> None:
    with pytest.raises(HandlerError) as caught:
        decide(Job(left=10), delay=3_600_000)
    assert caught.value.code == "timeout"


def test_while_it_waits_it_holds_up_no_one_elses_restart(reasons: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    job = Job(canceled_at=1)
    assert decide(Job(), delay=2_000).rebooting
    with pytest.raises(HandlerError):
        decide(job, delay=2_000)
    waiting = Job()
    decide(waiting, delay=3_000)
    assert set(waiting.terms) == {signal.SIG_DFL}
    assert signal.getsignal(signal.SIGTERM) is before


def test_packages_that_cannot_be_read_hinder_a_condition_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ill(_: object) -> list[str]:
        raise HandlerError("locked", "dpkg is at work")

    monkeypatch.setattr(handler, "reboot_reasons", ill)
    assert decide(Job()).rebooting
    with pytest.raises(HandlerError):
        decide(Job(), if_needed=True)


# --- what needs a restart ---


def test_the_flag_file_and_its_packages_are_reasons(tmp_path: Path) -> None:
    assert reboot_reasons([], str(tmp_path), {}) == []
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").touch()
    assert reboot_reasons([], str(tmp_path), {}) == ["/run/reboot-required is there"]
    (tmp_path / "run/reboot-required.pkgs").write_text("linux-base\nlibc6\n")
    assert reboot_reasons([], str(tmp_path), {}) == ["libc6", "linux-base"]


def test_what_was_just_done_is_a_reason_if_it_is_of_the_core(tmp_path: Path) -> None:
    changes = [
        Change(name="libc6", action="upgrade", to="2", outcome="done"),
        Change(name="linux-image-6.1", action="install", to="1", outcome="done"),
        Change(name="dbus", action="remove", outcome="done"),
        Change(name="systemd", action="upgrade", to="2", outcome="failed"),
        Change(name="nano", action="upgrade", to="2", outcome="done"),
    ]
    assert reboot_reasons(changes, str(tmp_path), {}) == ["libc6", "linux-image-6.1"]


def test_what_was_unpacked_since_the_start_is_a_reason(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    for name, at in (
        ("libc6:amd64.list", 200),
        ("linux-image-6.1.0-9-amd64.list", 200),
        ("systemd.list", 50),
        ("libc6-dev:amd64.list", 200),
    ):
        (info / name).touch()
        os.utime(info / name, (at, at))
    assert sorted(came_since(100, str(tmp_path))) == ["libc6", "linux-image-6.1.0-9-amd64"]


# --- which start of the host this is ---


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The files that tell it: `first`, as process 1 sees it, and `own`."""
    monkeypatch.setattr(host, "_BOOT_ID_OF_FIRST", tmp_path / "first")
    monkeypatch.setattr(host, "_BOOT_ID", tmp_path / "own")
    monkeypatch.setattr(host, "started", lambda: 0.5)
    return tmp_path


def test_the_view_of_process_1_is_believed_first(kernel: Path) -> None:
    assert host.boot_id() == ""
    (kernel / "own").write_text("outer\n")
    assert host.boot_id() == "outer"
    (kernel / "first").write_text("inner\n")
    assert host.boot_id() == "inner"


def test_a_container_without_one_is_told_by_the_start_of_its_process_1(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kernel / "own").write_text("outer\n")
    monkeypatch.setattr(host, "started", lambda: 27000.28)
    assert host.boot_id() == "outer.27000.28"
    assert host.boot_id(kernel / "own") == "outer", "who names a file knows better"


def test_the_hosts_start_is_that_of_its_process_1() -> None:
    told = next(x for x in Path("/proc/stat").read_text().splitlines() if x.startswith("btime "))
    assert abs(host.booted_at() - int(told.split()[1]) - host.started()) < 2
