"""A user asks for a restart, the machine goes down and comes up for real, and the task is over when it is back."""

from __future__ import annotations

from typing import Any

from machine.fleet import Host
from machine.machines import Machine

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id(machine: Machine) -> str:
    return machine.run("cat", BOOT_ID).strip()


def agents_boot_id(host: Host) -> str:
    agent = host.server.admin("consumer", "show", host.id)["agent"]
    return str(agent["boot_id"]).partition(".")[0]


def running(host: Host, task: str) -> None:
    host.machine.until(
        lambda: host.server.task(task)["state"] == "running", "the agent to work on it"
    )


def check_restarted(host: Host, over: dict[str, Any], before: str) -> None:
    """Once: it is still in the start that the task names."""
    restart = over["result"]["restart"]
    now = boot_id(host.machine)
    assert over["state"] == "finished", over
    assert restart["from"].partition(".")[0] == before != now
    assert restart["to"].partition(".")[0] == now == agents_boot_id(host)
    assert restart["took"] > 0
    assert "The host was restarted" in host.machine.run("journalctl", "-b", "-u", "pulp-agent")


def test_the_agent_sees_the_start_of_its_own_machine(host: Host) -> None:
    """Its unit's sandbox has a /proc of its own, without what the container's manager laid over the outer host's boot id."""
    assert agents_boot_id(host) == boot_id(host.machine)


def test_a_host_is_restarted_and_the_task_is_over_when_it_is_back(host: Host) -> None:
    before = boot_id(host.machine)
    task = host.server.ask("reboot", host.id)
    host.machine.await_reboot()
    over = host.server.wait(task)
    check_restarted(host, over, before)
    assert host.server.history(host.id, task) == ["rebooted"]
    host.await_agent()
    done = host.server.wait(host.server.ask("install", host.id, "demo"))
    assert done["state"] == "finished", "it takes work again"
    assert boot_id(host.machine) == restarted_to(over)


def restarted_to(over: dict[str, Any]) -> str:
    return str(over["result"]["restart"]["to"]).partition(".")[0]


def test_if_needed_it_is_restarted_for_a_reason_only(host: Host) -> None:
    before = boot_id(host.machine)
    over = host.server.wait(host.server.ask("reboot", host.id, "--if-needed"))
    assert (over["state"], over["result"]) == ("finished", {"needed": False}), over
    assert boot_id(host.machine) == before

    host.machine.shell("echo demoreboot >/run/reboot-required.pkgs; touch /run/reboot-required")
    task = host.server.ask("reboot", host.id, "--if-needed")
    host.machine.await_reboot()
    over = host.server.wait(task)
    check_restarted(host, over, before)
    assert over["result"]["restart"]["reasons"] == ["demoreboot"]


def test_package_work_is_followed_by_a_restart_where_its_policy_says_so(host: Host) -> None:
    before = boot_id(host.machine)
    task = host.server.ask("install", host.id, "demoreboot", "--reboot", "if-needed")
    host.machine.await_reboot()
    over = host.server.wait(task)
    check_restarted(host, over, before)
    assert [change["name"] for change in over["result"]["changes"]] == ["demoreboot"]
    assert sorted(host.server.history(host.id, task)) == ["packages_installed", "rebooted"]


def test_until_the_delay_is_over_it_can_be_canceled(host: Host) -> None:
    before = boot_id(host.machine)
    task = host.server.ask("reboot", host.id, "--delay", "10m")
    running(host, task)
    host.server.machine.run("pulp-admin", "task", "cancel", task)
    assert host.server.wait(task)["state"] == "canceled"
    assert boot_id(host.machine) == before


def test_one_that_waits_holds_up_nobody_elses_and_is_done_with_it(host: Host) -> None:
    before = boot_id(host.machine)
    task = host.server.ask("reboot", host.id, "--delay", "10m")
    running(host, task)
    host.machine.until(host.job_units, "its job")
    host.machine.run("systemctl", "reboot")
    host.machine.await_reboot(limit=30)
    over = host.server.wait(task)
    assert over["state"] == "finished", over
    assert over["result"]["restart"]["from"].partition(".")[0] == before
    assert restarted_to(over) == boot_id(host.machine)
    host.machine.until(lambda: not host.job_units(), "no job to be left")
