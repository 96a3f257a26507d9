"""What stands in a host's history of work that was given an override."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rest_world import NOON, Rest

from pulp.rmi.interfaces import Change, PackageSpec, PackagesResult
from pulp.server.api.packages import InstallPackages, PackagesArguments
from pulp.server.domain.task import TaskError, TaskOverride, TaskRecord
from pulp.server.tasking.context import Context
from pulp.server.tasking.deadlines import Timing

OVERRIDE = TaskOverride(reason="CVE-2026-1", by="ada", until=NOON + 1000)
RESULT = PackagesResult(
    backend="apt",
    changed=True,
    changes=[
        Change(name="nginx", action="install", to="1", arch="amd64", requested=True, outcome="done")
    ],
)


def task(rest: Rest, override: TaskOverride | None) -> InstallPackages:
    rest.register("web1")
    args = PackagesArguments(packages=[PackageSpec(name="nginx")])
    timing = Timing(deliver_within=1000, timeout=1000, override=override)
    record = InstallPackages.new(
        args, consumer_id="web1", requested_by="ada", now=NOON, timing=timing
    )
    stored = rest.store.write(lambda uow: rest.queue.enqueue(uow, record))
    return InstallPackages(stored, args)


def history(rest: Rest, record: TaskRecord) -> dict[str, Any]:
    events = rest.store.read(lambda uow: uow.history.of_task(record.id))
    return {event.type.value: msgspec.json.decode(event.details) for event in events}


def succeeded(rest: Rest, override: TaskOverride | None, *, used: bool) -> dict[str, Any]:
    done = task(rest, override)
    result = msgspec.structs.replace(RESULT, override_used=used)
    rest.store.write(lambda uow: done.succeeded(Context.of(uow, NOON), result))
    return history(rest, done.record)


def test_what_is_done_by_an_override_names_its_reason_and_who_answers_for_it(rest: Rest) -> None:
    seen = succeeded(rest, OVERRIDE, used=True)
    given = {"reason": "CVE-2026-1", "by": "ada"}
    assert seen["packages_installed"]["override"] == given
    assert seen["packages_installed"]["override_used"] is True
    assert [p["name"] for p in seen["packages_installed"]["packages"]] == ["nginx"]
    assert seen["override_used"] == {"action": "packages.install", "override": given}


def test_an_override_that_was_not_needed_is_not_told_as_used(rest: Rest) -> None:
    seen = succeeded(rest, OVERRIDE, used=False)
    assert list(seen) == ["packages_installed"]
    assert "override_used" not in seen["packages_installed"]
    assert seen["packages_installed"]["override"]["reason"] == "CVE-2026-1"


def test_without_one_nothing_is_said_of_it(rest: Rest) -> None:
    assert "override" not in succeeded(rest, None, used=False)["packages_installed"]


@pytest.mark.parametrize(
    ("details", "used"),
    [
        (b'{"override_used":true}', True),
        (b"null", False),
        (b'{"changed":true}', False),
        (b"[1]", False),
    ],
)
def test_a_failure_by_an_override_stands_there_too(rest: Rest, details: bytes, used: bool) -> None:
    broken = task(rest, OVERRIDE)
    error = TaskError(code="script", message="postinst failed", details=details)
    rest.store.write(lambda uow: broken.failed(Context.of(uow, NOON), error))
    seen = history(rest, broken.record)
    assert seen["action_failed"]["override"]["by"] == "ada"
    assert ("override_used" in seen) == used
