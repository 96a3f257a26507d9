"""The agent's small parts: back-off, addresses, the data directory, status, settings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

import msgspec
import pytest
from agent_plays import T0, request, windowed
from msgspec import Raw
from pulp_agent import config, reboot
from pulp_agent.backoff import LONGEST, REFUSED_LONGEST, STABLE, Backoff
from pulp_agent.calls import CallTable
from pulp_agent.config import Packages
from pulp_agent.handlers import settings as handler_settings
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import AptSettings, DnfSettings, Settings
from pulp_agent.handlers.registry import methods, resolve
from pulp_agent.handlers.settings import read_settings
from pulp_agent.home import Home, HomeError, Registration
from pulp_agent.journal import open_journal
from pulp_agent.main import main
from pulp_agent.records import (
    AnyRecord,
    Began,
    Confirmed,
    Ended,
    Kept,
    RestartDue,
    RestartOver,
    Took,
)
from pulp_agent.report import report
from pulp_agent.spool import SETTINGS, Spool
from pulp_agent.status import Status
from pulp_agent.trust import TrustError, endpoint

from pulp.common.calendar import Calendar, Recurring
from pulp.common.config import SettingsError
from pulp.common.times import HOUR, LAST, parse_time
from pulp.rmi.interfaces import METHODS
from pulp.rmi.messages import Failed, WireWindow
from pulp.rmi.versions import FEATURES, POLICY_REBOOT

REGISTRATION = Registration(
    consumer_id="web1",
    uid="u-1",
    server="https://pulp:8443",
    urls=["amqps://pulp:5671"],
    source="agent.u-1",
    target="replies",
    confirm="outcome",
    heartbeat=30,
    signing_keys=[],
)


# --- back-off ---


def test_the_first_attempts_come_fast_and_none_waits_longer_than_a_minute() -> None:
    for seed in range(20):
        backoff = Backoff(Random(seed))
        delays = [backoff.next() for _ in range(30)]
        assert delays[0] <= 0.5 and delays[1] <= 1.0
        assert max(delays) <= LONGEST
        assert max(delays) > LONGEST / 2


def test_only_a_connection_that_lasted_begins_anew() -> None:
    backoff = Backoff(Random(1))
    for _ in range(10):
        backoff.next()
        backoff.lasted(STABLE - 1)
    assert max(backoff.next() for _ in range(10)) > 1.0
    backoff.lasted(STABLE)
    assert backoff.next() <= 0.5


def test_refused_identities_come_to_five_minutes() -> None:
    backoff = Backoff(Random(1))
    delays = [backoff.next_refused() for _ in range(8)]
    assert delays == sorted(delays[:4]) + delays[4:]
    assert 4 <= delays[0] <= 5 and all(240 <= d <= REFUSED_LONGEST for d in delays[4:])


# --- addresses ---


def test_addresses_of_agents() -> None:
    assert endpoint("amqps://pulp.example.com") == ("pulp.example.com", 5671)
    assert endpoint("amqps://[::1]:7") == ("::1", 7)
    for text in ("pulp:5671", "amqp://pulp", "amqps://", "amqps://pulp:x"):
        with pytest.raises(TrustError):
            endpoint(text)


# --- the data directory ---


def test_two_agents_do_not_share_a_directory(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    home.make()
    lock = home.lock()
    with pytest.raises(HomeError, match="another pulp-agent runs"):
        home.lock()
    os.close(lock)
    os.close(home.lock())


def test_a_damaged_profile_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(HomeError, match="run pulp-agent register first"):
        home.registration()
    home.save_registration(REGISTRATION)
    assert home.registration() == REGISTRATION
    (tmp_path / "profile.json").write_text("{")
    with pytest.raises(HomeError, match="register this host again"):
        home.registration()


def test_the_first_decision_stands(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.decision() is None
    assert spool.decide("cancel") == "cancel"
    assert spool.decide("commit") == "cancel"
    assert spool.decide("timeout") == "cancel" == spool.decision()
    (tmp_path / "decision").write_text("")  # a power cut may leave the name without the word
    assert spool.decision() == "commit"


# --- handlers ---


def test_settings_reach_the_job(tmp_path: Path) -> None:
    packages = Packages(
        family="apt", apt_config="/x", lock_timeout=3_000, security_labels=("A", "B")
    )
    (tmp_path / SETTINGS).write_bytes(msgspec.json.encode(packages))
    wanted = AptSettings(apt_config="/x", lock_timeout=3.0, security_labels=("A", "B"))
    assert read_settings(tmp_path) == wanted
    packages = Packages(family="dnf", dnf_config="/y", root="/z", commit_timeout=4_000)
    (tmp_path / SETTINGS).write_bytes(msgspec.json.encode(packages))
    assert read_settings(tmp_path) == DnfSettings(config="/y", root="/z", commit_timeout=4.0)


@pytest.mark.parametrize("found", [AptSettings, DnfSettings])
def test_the_family_is_found_out_and_the_defaults_of_settings_and_handler_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: type[Settings]
) -> None:
    monkeypatch.setattr(handler_settings, "detect", lambda: found)
    assert read_settings(tmp_path) == found()
    (tmp_path / SETTINGS).write_bytes(msgspec.json.encode(Packages()))
    assert read_settings(tmp_path) == found()


def test_what_is_offered_can_be_resolved_and_nothing_else() -> None:
    offered = {m.path for m in methods().values()}
    assert {"System.ping", "System.info", "System.reboot"} <= offered
    handler, _ = resolve("System.info", 1, Raw(b"{}"), AptSettings())
    assert callable(handler)
    for path in ("System.ping", "os.system", "System.__init__"):
        with pytest.raises(HandlerError) as refused:
            resolve(path, 1, Raw(b"{}"), AptSettings())
        assert refused.value.code == "unsupported"


# --- status ---


def a_home(tmp_path: Path, **changes: object) -> Home:
    home = Home(tmp_path)
    home.save_registration(REGISTRATION)
    values = {
        "pid": os.getpid(),
        "version": "0.1.0",
        "at": T0,
        "state": "online",
        "problem": "",
        "server": "amqps://pulp:5671",
        "last_welcome": T0,
        "clock_offset": -1500,
        "journal_problem": "",
    }
    status = Status(**(values | changes))  # type: ignore[arg-type]
    home.status.write_text(json.dumps({k: getattr(status, k) for k in status.__struct_fields__}))
    journal, _, _ = open_journal(home.journal)
    held = windowed("held", begin=500 * 24 * HOUR, end=501 * 24 * HOUR)
    journal.append(
        [
            Took(request=held, at=T0),
            Took(request=request("run"), at=T0),
            Began(id="run", at=T0),
            Ended(final=Failed(id="done", code="expired", message="x"), at=T0),
        ],
        sync=False,
    )
    journal.close()
    return home


def test_status_tells_connection_clock_and_calls(tmp_path: Path) -> None:
    text, healthy = report(a_home(tmp_path), as_json=False)
    assert healthy and "state: online" in text and "-1.5 s" in text
    assert "held Packages.install: held, window 20" in text
    assert "run Packages.install: running" in text
    assert "done (answer not confirmed yet)" in text


def test_status_for_programs(tmp_path: Path) -> None:
    text, _ = report(a_home(tmp_path), as_json=True)
    data = json.loads(text)
    assert data["state"] == "online"
    assert [c["state"] for c in data["calls"]] == ["held", "running", "done"]


def nightly(*, zone: str = "UTC") -> Calendar:
    window = Recurring(
        name="nightly", rrule="FREQ=DAILY", dtstart="2026-01-01T22:00", zone=zone, duration="4h"
    )
    return Calendar(windows=(window,))


def noted(home: Home, *records: AnyRecord) -> Home:
    journal, _, _ = open_journal(home.journal)
    journal.append(records, sync=False)
    journal.close()
    return home


def test_status_tells_the_next_opening_of_a_held_call(tmp_path: Path) -> None:
    begin = parse_time("2097-03-01T22:00:00Z")
    window = WireWindow(begin=begin, end=begin + 4 * HOUR, missed="next", calendar=nightly())
    took = Took(request=request("ruled", window=window, expires=LAST), at=T0)
    home = noted(a_home(tmp_path), took)
    text, _ = report(home, as_json=False)
    assert "ruled Packages.install: held, window 2097-03-01T22:00" in text
    assert "then 2097-03-02T22:00" in text
    data = json.loads(report(home, as_json=True)[0])
    assert data["calls"][-1]["next_opening"] == begin + 24 * HOUR


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (nightly(), "own windows: nightly, enforced. "),
        (None, "own windows: enforced, but it has none"),
        (nightly(zone="No/Where"), "cannot be read here"),
    ],
)
def test_status_tells_the_hosts_own_windows(
    tmp_path: Path, own: Calendar | None, told: str
) -> None:
    home = a_home(tmp_path)
    assert "own windows" not in report(home, as_json=False)[0]
    assert told in report(noted(home, Kept(plan=1, enforced=True, calendar=own)), as_json=False)[0]
    noted(home, Kept(plan=2, enforced=False, calendar=own))
    assert "own windows" not in report(home, as_json=False)[0]


def test_status_tells_a_restart_that_is_due(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    assert "restart:" not in report(home, as_json=False)[0]
    noted(home, RestartDue(id="r", boot="b", before=T0))
    assert "restart: of the host, for r, due until 2027-" in report(home, as_json=False)[0]
    assert json.loads(report(home, as_json=True)[0])["restart"]["id"] == "r"
    noted(home, RestartOver(id="r"))
    assert "restart:" not in report(home, as_json=False)[0]


# --- how the system is asked ---


def test_a_restart_is_offered_where_it_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reboot, "_SYSTEMD", tmp_path / "nothing")
    monkeypatch.setattr(reboot.shutil, "which", lambda name: None)

    def offered(*configured: str, boot_id: str = "b") -> tuple[bool, bool]:
        methods, features = reboot.offered(
            METHODS, FEATURES, configured=configured, boot_id=boot_id
        )
        return ("System.restart", 1) in methods, POLICY_REBOOT in features

    assert offered() == (False, False)
    assert offered("/bin/restart") == (True, True)
    assert offered("/bin/restart", boot_id="") == (False, False), "its end could not be noticed"
    monkeypatch.setattr(reboot.shutil, "which", lambda name: f"/sbin/{name}")
    assert offered() == (True, True)
    assert reboot.command((), "why") == ["/sbin/shutdown", "-r", "now", "why"]
    monkeypatch.setattr(reboot, "_SYSTEMD", tmp_path)
    assert reboot.command((), "why") == ["/sbin/systemctl", "--no-block", "--message=why", "reboot"]
    assert reboot.command(["/x", "-y"], "why") == ["/x", "-y"]


def test_a_dead_agents_status_is_stopped(tmp_path: Path) -> None:
    home = a_home(tmp_path, pid=2**22 + 1, problem="gone", journal_problem="No space left")
    text, healthy = report(home, as_json=False)
    assert not healthy and "state: stopped" in text
    assert "problem: gone" in text and "problem: No space left" in text


def test_the_command_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_home(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["status", "--data", str(tmp_path)])
    assert end.value.code == 0 and "state: online" in capsys.readouterr().out


# --- settings ---


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("[packages]\nlock_timeut = '5s'\n")
    with pytest.raises(SettingsError, match="lock_timeout"):
        config.read(file, {}, {})


def test_the_environment_beats_the_file_and_flags_beat_both(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("[agent]\ndata = '/a'\n[log]\nlevel = 'error'\n")
    environ = {"PULP_AGENT_AGENT_DATA": "/b", "PULP_AGENT_LOG_LEVEL": "debug"}
    settings = config.read(file, environ, {"agent.data": Path("/c")}).settings
    assert (settings.agent.data, settings.log.level) == (Path("/c"), "debug")


def test_without_a_registration_run_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["run", "--data", str(tmp_path)])
    assert end.value.code == 2
    assert "run pulp-agent register first" in capsys.readouterr().err


def test_a_confirmed_call_is_over_even_where_the_journal_lost_its_end() -> None:
    """One damaged line must not make finished work run again."""
    asked = request()
    records = [
        Took(request=asked, at=T0),
        Began(id=asked.id, at=T0),
        Confirmed(ids=[asked.id], at=T0),
    ]
    table = CallTable(records)
    assert not table.open and table.knows(asked.id)
    assert CallTable(table.snapshot()).knows(asked.id)
