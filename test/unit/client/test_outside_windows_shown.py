"""Work that did not keep to windows says so: in the answer, in the history, and in an entry of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from client_stage import TASK_ID, Reply, Stage, change

from pulp.client import report
from pulp.client.history import summary
from pulp.client.views import HistoryEvent, Task

OVERRIDE = {"reason": "CVE-2026-1, ticket 77", "by": "anna"}


def entry(type_: str, **details: Any) -> dict[str, Any]:
    return {
        "id": "41",
        "consumer_id": "web1",
        "type": type_,
        "at": "2026-11-24T11:30:00Z",
        "originator": "anna",
        "task_id": TASK_ID,
        "details": details,
    }


def ended(**result: Any) -> list[str]:
    body = {
        "id": TASK_ID,
        "revision": 3,
        "kind": "packages.update",
        "state": "finished",
        "consumer_id": "web1",
        "result": {"backend": "apt", "changed": True, "changes": [change("nginx", "1", "2")]}
        | result,
    }
    return report.ending(msgspec.json.decode(msgspec.json.encode(body), type=Task))


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"overrun": 754_321}, "  It went on for 12m34s after the end of its window."),
        ({"overrun": 3}, "  It went on for 1s after the end of its window."),
        (
            {"override_used": True},
            "  It began outside the host's enforced windows, by an override.",
        ),
    ],
)
def test_the_answer_tells_of_it(result: dict[str, Any], words: str) -> None:
    assert words in ended(**result)
    assert words not in ended()


def test_the_history_gives_the_reason_of_an_override() -> None:
    event = entry("override_used", action="packages.update", override=OVERRIDE)
    raw = msgspec.json.encode(event)
    told = summary(msgspec.json.decode(raw, type=HistoryEvent))
    assert told == "outside the host's windows: CVE-2026-1, ticket 77"


@pytest.mark.parametrize(("count", "words"), [(1, "1 package"), (2, "2 packages")])
def test_a_profile_is_told_by_its_length(count: int, words: str) -> None:
    raw = msgspec.json.encode(entry("profile_changed", packages=count))
    assert summary(msgspec.json.decode(raw, type=HistoryEvent)) == words


def test_an_entry_names_who_answers_for_it_and_how_long_it_ran_over(stage: Stage) -> None:
    packages = [change("nginx", "1", "2", requested=True)]
    event = entry("packages_updated", packages=packages, override=OVERRIDE, overrun=61_000)
    stage.script.on("GET", "/consumers/web1/history/41", Reply(body=event))
    out = stage.run("consumer", "history", "web1", "--show", "41").out
    assert "CVE-2026-1, ticket 77, by anna" in out
    assert "1m1s after the end of its window" in out
