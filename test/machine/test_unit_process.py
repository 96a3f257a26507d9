"""What systemd tells of a unit's process, which the agent watches until a job has begun."""

from __future__ import annotations

from machine.fleet import Host
from pulp_agent.launch import main_process_command


def process_of(host: Host, name: str) -> int:
    _, *words = main_process_command(name)
    return int(host.machine.run("systemctl", *words).strip())


def test_systemd_tells_a_units_process_and_0_once_it_is_gone(host: Host) -> None:
    name = "pulp-agent-job-told"
    host.machine.run("systemd-run", f"--unit={name}", "--collect", "--quiet", "sleep", "600")
    pid = process_of(host, name)
    assert host.machine.run("cat", f"/proc/{pid}/comm").strip() == "sleep"
    host.machine.run("systemctl", "kill", "--signal=KILL", f"{name}.service")
    host.machine.until(lambda: process_of(host, name) == 0, "its process to be gone")
