"""A host that is unregistered does nothing more of what it was asked for, as long as it can still be told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from pulp_agent.call import Phase
from pulp_agent.calls import CallTable
from pulp_agent.home import Home
from pulp_agent.journal import read_records
from world import Host, World, until


def test_a_held_call_does_not_run_after_its_host_was_unregistered(fleet: World, host: Host) -> None:
    opens = datetime.now(UTC) + timedelta(seconds=4)
    window = {"begin": opens.isoformat(), "duration": "1m"}
    task = fleet.act(host, "install", "demo", window=window)
    fleet.wait(task, "held")
    assert fleet.rest.delete(f"/consumers/{host.id}").status_code == 204
    assert fleet.task(task["id"])["state"] == "canceled"
    end = time.monotonic() + 7  # well inside the window
    until(lambda: host.installed() or time.monotonic() > end, "the window to open and nothing else")
    assert host.installed() == {}


def test_a_host_that_was_away_calls_off_what_it_holds_when_it_hears_of_it(
    fleet: World, host: Host
) -> None:
    opens = datetime.now(UTC) + timedelta(hours=1)
    window = {"begin": opens.isoformat(), "duration": "1m"}
    task = fleet.act(host, "install", "demo", window=window)
    fleet.wait(task, "held")
    host.agent.stop()
    fleet.wait_online(host, False)
    said = fleet.admin("consumer", "unregister", host.id, "--yes")
    assert f"{host.id} is not connected and holds 1 request" in said.stderr
    assert held(host) == [task["id"]]  # as the note says
    host.agent.start()
    until(lambda: held(host) == [], "the agent to call off what it holds")


def held(host: Host) -> list[str]:
    table = CallTable(read_records(Home(host.data).journal))
    return [call.id for call in table.in_phase(Phase.WAITING)]
