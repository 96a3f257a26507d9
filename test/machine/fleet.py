"""A server's machine and a host's, made of our own packages: what the tests do with them, in pulp-admin's words."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debrepo import Repository
from machine.machines import Machine, MachineError

SHARE = "/srv/pulp-test"
"""Where the machines see the repository and the packages."""
LOG_IN = "pulp-admin login https://127.0.0.1:8443 --ca /var/lib/pulp/ca.pem"
PASSWORD = "correct horse"
GATE, REACHED = "/run/demogate.closed", "/run/demogate.reached"
"""demogate's postinst makes the second, and waits while the first is there (debrepo)."""
OVER = ("finished", "error", "timed_out", "canceled", "missed")


@dataclass(frozen=True, slots=True)
class DebFile:
    """A ready .deb, for `Repository.publish`."""

    path: Path

    @property
    def filename(self) -> str:
        return self.path.name

    def control(self) -> str:
        text = subprocess.check_output(["dpkg-deb", "--field", self.path], text=True)
        return text.rstrip("\n") + "\n"

    def deb(self) -> bytes:
        return self.path.read_bytes()


def newer(deb: Path, version: str, work: Path) -> DebFile:
    """The same package as a later version, which its programs tell too."""
    tree = work / hashlib.sha256(version.encode()).hexdigest()[:8]
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    for path, pattern, line in (
        (tree / "DEBIAN/control", r"^Version: .*$", f"Version: {version}"),
        (
            tree / "usr/lib/pulp-agent/lib/pulp_agent/__init__.py",
            r"^__version__ = .*$",
            f'__version__ = "{version}"',
        ),
    ):
        path.write_text(re.sub(pattern, line, path.read_text(), flags=re.MULTILINE))
    made = work / re.sub(r"_[^_]+_", f"_{version}_", deb.name)
    build = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return DebFile(made)


class Server:
    """The machine with pulp-server, from its package."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def install(self) -> None:
        """Installs, makes and starts it, as docs/install.md says."""
        self.machine.shell(f"dpkg -i {SHARE}/packages/pulp-server_*.deb")
        init = f"PULP_ADMIN_PASSWORD='{PASSWORD}' pulp-server init --name 127.0.0.1"
        self.machine.shell(f'runuser -u pulp -- sh -c "{init}"')
        self.machine.run("systemctl", "start", "pulp-server")
        log_in = f"PULP_ADMIN_PASSWORD='{PASSWORD}' {LOG_IN}"
        self.machine.until(lambda: "Logged in" in self._try(log_in), "the server to answer")

    def _try(self, script: str) -> str:
        return self.machine.shell(script, code=None)

    def admin(self, *words: str) -> Any:
        """The one document that `pulp-admin --json` answers, whatever the exit code says."""
        return json.loads(self._json(*words))

    def lines(self, *words: str) -> list[Any]:
        """The items of a list, one a line."""
        return [json.loads(line) for line in self._json(*words).splitlines()]

    def history(self, host: str, task_id: str) -> list[str]:
        """What happened on the host by this task, as the events' types."""
        events = self.lines("consumer", "history", host, "--limit", "10000")
        return [event["type"] for event in events if event["task_id"] == task_id]

    def _json(self, *words: str) -> str:
        done = subprocess.run(
            self.machine.command("pulp-admin", *words, "--json"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if not done.stdout.strip():
            raise MachineError(f"pulp-admin {words}: {done.stderr}")
        return done.stdout

    def ask(self, *words: str) -> str:
        """Asks for work on a host without waiting for it; the new task's id."""
        return self.machine.run("pulp-admin", "consumer", *words, "--no-wait").split()[-1]

    def task(self, task_id: str) -> dict[str, Any]:
        return dict(self.admin("task", "show", task_id))

    def wait(self, task_id: str, limit: float = 90) -> dict[str, Any]:
        """The task once it is over."""
        deadline = time.monotonic() + limit
        while (task := self.task(task_id))["state"] not in OVER:
            if time.monotonic() > deadline:
                raise MachineError(f"{task_id} is not over after {limit:g} s: {task}")
            time.sleep(0.2)
        return task

    def online(self, host: str) -> bool:
        return bool(self.admin("consumer", "show", host)["online"])


class Host:
    """A managed host's machine, with pulp-agent from its package."""

    def __init__(self, machine: Machine, server: Server) -> None:
        self.machine = machine
        self.server = server
        self.id = machine.name

    def use(self, source: str) -> None:
        """Its only package source."""
        self.machine.shell("rm -f /etc/apt/sources.list.d/* /etc/apt/sources.list")
        self.machine.write("/etc/apt/sources.list", source)

    def register(self) -> None:
        """The agent is not started by hand: that is what the package is to do."""
        token = self.server.machine.run("pulp-admin", "token", "create", "--json")
        ca = self.server.machine.run("cat", "/var/lib/pulp/ca.pem")
        self.machine.write("/root/ca.pem", ca)
        server = "--server https://127.0.0.1:8443 --ca /root/ca.pem"
        word = json.loads(token)["token"]
        self.machine.shell(f"pulp-agent register {server} --id {self.id} --token {word}")
        self.await_agent()

    def await_agent(self) -> None:
        self.machine.until(lambda: self.server.online(self.id), "the agent to connect")

    def installed(self) -> Mapping[str, str]:
        """Name → version of what is wholly installed."""
        fields = "${db:Status-Status} ${Package} ${Version}\\n"
        lines = self.machine.run("dpkg-query", "-W", "-f", fields).splitlines()
        words = [line.split() for line in lines]
        return {name: version for state, name, version in words if state == "installed"}

    def job_units(self) -> list[str]:
        """The units of package work that are there."""
        command = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "pulp-agent-job-*"]
        return [line.split()[0] for line in self.machine.run(*command).splitlines()]

    def agent_pid(self) -> str:
        return self.machine.run("systemctl", "show", "-P", "MainPID", "pulp-agent").strip()


def publish(repository: Repository, *debs: DebFile) -> None:
    repository.publish(*debs)  # type: ignore[arg-type]  # all that is asked of a package


@contextmanager
def machine_beside(server: Server, lower: Path, share: Path, folder: Path) -> Iterator[Host]:
    """A machine beside the server's, with a package source and nothing of ours."""
    name = f"host-{server.machine.name.partition('-')[2]}"
    binds = {share: SHARE}
    with Machine(name, lower=lower, folder=folder, binds=binds, beside=server.machine) as machine:
        machine.boot()
        host = Host(machine, server)
        host.use(f"deb [trusted=yes] file:{SHARE}/repository stable main\n")
        yield host
