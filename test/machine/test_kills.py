"""kill -9 of job, agent and machine, while it downloads and while it commits: afterwards dpkg has nothing to complain of and
the task tells the truth. TEST_KILLS says how often each; ten is what a release wants."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from machine.fleet import GATE, REACHED, SHARE, Host

TIMES = int(os.environ.get("TEST_KILLS", "2"))
PORT = 8099
_NAMES = ("demo00", "demo01", "demo02", "demo03", "demo04", "demolib")
_SERVED = "/run/download.reached"
_CLOSED = "/run/download.closed"

_SLOW_WEB = f"""
import http.server, os, time
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        if self.path.endswith("demogate_1.0_all.deb"):
            open("{_SERVED}", "w").close()
            while os.path.exists("{_CLOSED}"): time.sleep(0.05)
        super().do_GET()
os.chdir("{SHARE}/repository")
http.server.ThreadingHTTPServer(("127.0.0.1", {PORT}), Handler).serve_forever()
"""
"""Serves the repository, and withholds demogate while a file is there."""


@pytest.fixture(scope="module")
def web_host(host: Host) -> Iterator[Host]:
    """Its packages come from a web server on the server's machine, which survives."""
    command = host.server.machine.command("python3", "-c", _SLOW_WEB)
    web = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    host.use(f"deb [trusted=yes] http://127.0.0.1:{PORT} stable main\n")
    yield host
    web.kill()
    web.wait()


def kill_job(host: Host) -> None:
    for unit in host.job_units():
        host.machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", unit)


def kill_job_and_its_tools(host: Host) -> None:
    for unit in host.job_units():
        host.machine.run("systemctl", "kill", "--kill-who=all", "--signal=KILL", unit)


def kill_agent(host: Host) -> None:
    host.machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "pulp-agent")


def kill_machine(host: Host) -> None:
    host.machine.kill()
    host.machine.boot()


KILLS = [kill_job, kill_job_and_its_tools, kill_agent, kill_machine]


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.__name__)
@pytest.mark.parametrize("number", range(TIMES))
def test_killed_in_the_download(web_host: Host, kill: Callable[[Host], None], number: int) -> None:
    store = web_host.server.machine
    web_host.machine.run("apt-get", "clean")
    store.shell(f"rm -f {_SERVED}; touch {_CLOSED}")
    task = web_host.server.ask("install", web_host.id, *_NAMES, "demogate")
    store.until(lambda: store.exists(_SERVED), "the download")
    assert "demogate" not in web_host.installed()

    kill(web_host)
    store.shell(f"rm {_CLOSED}")

    judge(web_host, task)


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.__name__)
@pytest.mark.parametrize("number", range(TIMES))
def test_killed_in_the_commit(web_host: Host, kill: Callable[[Host], None], number: int) -> None:
    """Every other time in a postinst that waits, else at any moment after the first package."""
    machine = web_host.machine
    gated = number % 2 == 0
    machine.shell(f"rm -f {REACHED}" + (f"; touch {GATE}" if gated else ""))
    task = web_host.server.ask("install", web_host.id, *_NAMES, "demogate")
    if gated:
        machine.until(lambda: machine.exists(REACHED), "the postinst")
    else:
        machine.until(lambda: machine.exists("/usr/share/demo00"), "the first package")
        time.sleep(random.uniform(0, 0.5))

    kill(web_host)
    machine.shell(f"rm -f {GATE}")

    repaired = judge(web_host, task)
    if gated:
        assert repaired is (kill is not kill_agent)


def judge(host: Host, task_id: str) -> bool:
    """The truth: what the task and its history say is what dpkg says. Was something to be repaired? All is removed again."""
    host.await_agent()
    task = host.server.wait(task_id)
    there, wanted = host.installed(), {*_NAMES, "demogate"}
    assert task["state"] == "finished", task
    assert wanted <= set(there)
    assert told(task) == {name: there[name] for name in wanted}
    assert host.machine.run("dpkg", "--audit") == ""
    assert host.server.history(host.id, task_id) == ["packages_installed"]
    removal = host.server.wait(host.server.ask("remove", host.id, *sorted(wanted)))
    assert removal["state"] == "finished", removal
    assert not wanted & set(host.installed())
    return bool(task["result"].get("repaired"))


def told(task: dict[str, Any]) -> dict[str, str]:
    changes = task["result"]["changes"]
    return {change["name"]: change["to"] for change in changes if change["outcome"] == "done"}
