"""History in lists leaves the logs out; an entry by itself has them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rest_world import VIEWER, Rest

from pulp.server.api.abridging import without_log
from pulp.server.api.errors import NotFound
from pulp.server.domain.history import HistoryEvent, HistoryType

LOG = "Setting up nginx ...\n" * 3_000
RESULT = {"backend": "apt", "changes": [{"name": "log", "to": "1"}], "log": LOG}


def event(
    details: Any, type_: HistoryType = HistoryType.ACTION_FAILED, at: int = 1
) -> HistoryEvent:
    encoded = msgspec.json.encode(details)
    return HistoryEvent(consumer_id="web1", type=type_, at=at, originator="ann", details=encoded)


def add(rest: Rest, *events: HistoryEvent) -> None:
    def job(uow):
        for each in events:
            uow.history.add(each)

    rest.store.write(job)


def without(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "log"}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda result: {"action": "packages.install", "code": "script", "details": result},
        lambda result: {"answer": {"type": "succeeded", "value": result}},
        lambda result: {"answer": {"type": "failed", "code": "script", "details": result}},
    ],
    ids=["failed", "late success", "late failure"],
)
def test_a_list_leaves_the_log_out_and_an_entry_has_it(rest: Rest, wrap: Any) -> None:
    add(rest, event(wrap(RESULT)))
    [listed] = rest.history.list(VIEWER, "web1").items
    assert listed.abridged
    assert msgspec.json.decode(listed.details) == wrap(without(RESULT))
    shown = rest.history.show(VIEWER, "web1", listed.id)
    assert not shown.abridged
    assert msgspec.json.decode(shown.details) == wrap(RESULT)
    assert msgspec.structs.replace(shown, details=listed.details, abridged=True) == listed


@pytest.mark.parametrize(
    "details",
    [
        {"packages": [{"name": "log", "log": "a package's own"}], "log": "not of a tool"},
        {"details": {"log": ""}},
        {"details": None, "answer": {"value": ["log"]}},
        {"log": "x", "details": [{"log": "x"}]},
        {},
    ],
)
def test_what_is_no_log_of_a_tool_stays(details: Any) -> None:
    encoded = msgspec.json.encode(details)
    assert without_log(encoded) == (encoded, False)


def test_an_agents_own_words_that_are_no_json_stay() -> None:
    assert without_log(b'{"details":{"log":"\\x"}}') == (b'{"details":{"log":"\\x"}}', False)


def test_a_page_of_long_logs_is_bounded_and_the_next_goes_on(rest: Rest) -> None:
    add(rest, *(event({"details": RESULT}, at=at) for at in range(40)))
    seen, after, pages = [], None, 0
    while pages == 0 or after:
        page = rest.history.list(VIEWER, "web1", after=after, limit=1_000)
        seen += [item.at for item in page.items]
        after, pages = page.next, pages + 1
    assert len(seen) == len(set(seen)) == 40
    assert pages == 3


@pytest.mark.parametrize("entry", ["0", "x", "-1", "1.0", "9" * 30, "٣"])
def test_an_entry_that_is_none_is_not_found(rest: Rest, entry: str) -> None:
    add(rest, event({}))
    with pytest.raises(NotFound, match="no entry"):
        rest.history.show(VIEWER, "web1", entry)


def test_an_entry_of_another_host_is_not_found(rest: Rest) -> None:
    add(rest, event({}))
    [listed] = rest.history.list(VIEWER, "web1").items
    with pytest.raises(NotFound, match="web2"):
        rest.history.show(VIEWER, "web2", listed.id)
