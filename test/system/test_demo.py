"""`./dev demo` and `./dev serve`, as a user runs them: they end well, and whatever ends them leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from world import BIN, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Starts one of the two with its output in a file; ends it for sure."""
    started: list[subprocess.Popen[bytes]] = []

    def run(module: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": "test", "PULP_WORLDS": str(tmp_path)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started.append(process)
        return process, log

    yield run
    for process in started:
        process.kill()
        process.wait()
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[str]:
    """The command lines that still name something in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if str(folder) in command:
            found.append(command)
    return found


@pytest.mark.slow
def test_the_demo_tells_its_whole_story(start, tmp_path: Path) -> None:
    process, log = start("tools.demo")
    assert process.wait(120) == 0, log.read_text()
    told = log.read_text()
    for line in (
        "dpkg on web1: demo 1.1, demolib 2.0, demoslow 1.0",
        "dpkg on web2: nothing installed",
        "dpkg on web2: demo 1.1 is installed. The server is started again:",
        "all of it has been stopped and removed",
    ):
        assert line in told
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_serve_runs_until_ctrl_c_or_its_terminal_is_closed_and_leaves_nothing(
    start, tmp_path: Path, number: signal.Signals
) -> None:
    process, log = start("tools.serve")
    until(lambda: "Paste into another terminal" in log.read_text(), "serve to be ready")
    assert len(left_in(tmp_path)) == 3  # the server and two agents
    process.send_signal(number)
    assert process.wait(30) == 130, log.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


@pytest.mark.slow
def test_a_restart_in_serve_is_one_of_the_hosts_agent_alone(start, tmp_path: Path) -> None:
    process, log = start("tools.serve")
    until(lambda: "Paste into another terminal" in log.read_text(), "serve to be ready")
    (settings,) = tmp_path.glob("*/admin.toml")
    done = subprocess.run(
        [BIN / "pulp-admin", "consumer", "reboot", "web2"],
        env={**os.environ, "PULP_ADMIN_CONFIG": str(settings)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130, log.read_text()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The host was restarted and is back" in done.stdout


@pytest.mark.slow
def test_a_killed_server_ends_serve_with_the_reason(start, tmp_path: Path) -> None:
    process, log = start("tools.serve")
    until(lambda: "Paste into another terminal" in log.read_text(), "serve to be ready")
    servers = [
        p for p in psutil.Process(process.pid).children() if "pulp-server" in " ".join(p.cmdline())
    ]
    servers[0].kill()
    assert process.wait(30) == 1
    assert "pulp-server" in log.read_text()
    assert "The logs are in" in log.read_text()
