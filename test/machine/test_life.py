"""A host's life with our packages: installed, registered, restarted, rebooted and upgraded in mid-work, removed."""

from __future__ import annotations

from pathlib import Path

from debrepo import Repository
from machine.fleet import GATE, REACHED, SHARE, Host, newer, publish

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def test_the_package_waits_for_the_registration_and_starts_with_it(bare_host: Host) -> None:
    machine = bare_host.machine
    said = machine.shell(f"dpkg -i {SHARE}/packages/pulp-agent_*.deb")
    assert "pulp-agent register" in said
    assert machine.run("systemctl", "is-enabled", "pulp-agent") == "enabled\n"
    assert machine.run("systemctl", "is-active", "pulp-agent", code=3) == "inactive\n"
    machine.shell("echo '# mine' >>/etc/pulp/agent.toml")

    bare_host.register()

    assert machine.run("systemctl", "is-active", "pulp-agent") == "active\n"
    assert "another pulp-agent" not in machine.run("journalctl", "-u", "pulp-agent")
    assert machine.run("dpkg", "--audit") == ""


def test_a_task_installs_from_the_hosts_repository(host: Host) -> None:
    task = host.server.wait(host.server.ask("install", host.id, "demo=1.0"))
    assert task["state"] == "finished", task
    assert host.installed()["demo"] == "1.0"
    done = {change["name"]: change["outcome"] for change in task["result"]["changes"]}
    assert done == {"demo": "done", "demolib": "done"}


def test_the_agent_is_restarted_in_mid_work(host: Host) -> None:
    machine = host.machine
    machine.shell(f"touch {GATE}")
    task = host.server.ask("install", host.id, "demogate")
    machine.until(lambda: machine.exists(REACHED), "the postinst")
    before = host.agent_pid()

    machine.run("systemctl", "restart", "pulp-agent")

    assert host.agent_pid() != before
    host.await_agent()
    assert "demogate" not in host.installed()
    assert host.server.task(task)["state"] == "running"
    machine.shell(f"rm {GATE} {REACHED}")
    over = host.server.wait(task)
    assert over["state"] == "finished", over
    assert [change["name"] for change in over["result"]["changes"]] == ["demogate"]
    host.server.wait(host.server.ask("remove", host.id, "demogate"))
    machine.until(lambda: not host.job_units(), "the job's unit to be gone")


def test_a_reboot_waits_for_the_commit_and_the_result_comes_after_it(host: Host) -> None:
    machine = host.machine
    machine.shell(f"touch {GATE}")
    task = host.server.ask("install", host.id, "demo00", "demogate", "demo04")
    machine.until(lambda: machine.exists(REACHED), "the postinst")
    before = machine.run("cat", BOOT_ID)

    machine.run("systemctl", "reboot")
    machine.until(lambda: not host.server.online(host.id), "the agent to leave")
    assert host.job_units()
    machine.shell(f"rm {GATE}")
    machine.await_reboot()

    host.await_agent()
    assert machine.run("cat", BOOT_ID) != before
    over = host.server.wait(task)
    assert over["state"] == "finished", over
    assert {c["name"] for c in over["result"]["changes"]} == {"demo00", "demogate", "demo04"}
    assert not over["result"].get("repaired")
    assert machine.run("dpkg", "--audit") == ""


_HANDLER = """
from pulp.rmi.interfaces import RebootArgs
from pulp_agent.handlers import system
class Job:
    id = "machine-test"
    def begin_commit(self): return True
system.reboot(RebootArgs(), Job())
"""


def test_the_reboot_handler_restarts_the_host_after_its_answer(host: Host) -> None:
    """System.reboot of the first release: it is offered still, and no server asks for it (test_reboots has what is)."""
    machine = host.machine
    before = machine.run("cat", BOOT_ID)
    machine.run("/usr/lib/pulp-agent/python3.11/bin/python", "-I", "-c", _HANDLER)
    assert host.server.online(host.id)

    machine.await_reboot()

    assert machine.run("cat", BOOT_ID) != before
    task = host.server.wait(host.server.ask("install", host.id, "demo"))
    assert task["state"] == "finished", task


def test_the_agent_upgrades_itself(
    host: Host, repository: Repository, share: Path, tmp_path: Path
) -> None:
    (built,) = (share / "packages").glob("pulp-agent_*.deb")
    publish(repository, newer(built, "9.9.9", tmp_path))
    before = host.agent_pid()

    task = host.server.wait(host.server.ask("update", host.id, "pulp-agent"))

    assert task["state"] == "finished", task
    (change,) = task["result"]["changes"]
    assert (change["name"], change["to"], change["outcome"]) == ("pulp-agent", "9.9.9", "done")
    assert host.agent_pid() != before
    host.await_agent()
    assert host.machine.run("pulp-agent", "version") == "pulp-agent 9.9.9\n"
    assert host.server.admin("consumer", "show", host.id)["agent"]["version"] == "9.9.9"
    assert host.machine.run("tail", "-n1", "/etc/pulp/agent.toml") == "# mine\n"
    assert host.server.history(host.id, task["id"]) == ["packages_updated"]


def test_removal_keeps_the_registration_and_purge_does_not(host: Host) -> None:
    machine = host.machine
    machine.run("dpkg", "--remove", "pulp-agent")
    host.machine.until(lambda: not host.server.online(host.id), "the agent to leave")
    assert not machine.exists("/usr/lib/pulp-agent")
    assert machine.exists("/var/lib/pulp-agent/profile.json")
    assert machine.exists("/etc/pulp/agent.toml")

    machine.shell(f"dpkg -i {SHARE}/packages/pulp-agent_*.deb")
    host.await_agent()

    machine.run("dpkg", "--purge", "pulp-agent")
    assert not machine.exists("/var/lib/pulp-agent")
    assert not machine.exists("/etc/pulp")
    assert machine.run("dpkg", "--audit") == ""
