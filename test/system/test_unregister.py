"""A host that is unregistered does nothing more of what it was asked for, as long as it can still be told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

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
