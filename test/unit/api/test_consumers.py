"""Hosts as they are listed, changed and pinged; and their history by time and type."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, HOUR
from pulp.server.api.consumer import PINGS
from pulp.server.api.errors import AgentOffline, Busy, Forbidden, NotFound, Unsupported
from pulp.server.api.types import PatchConsumerBody
from pulp.server.api.window_types import NamedWindowBody
from pulp.server.db.base import ConsumerFilter, UnitOfWork
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.webservices.queries import HistoryQuery


def test_a_list_goes_page_by_page(rest: Rest) -> None:
    for n in range(5):
        rest.register(f"web{n}")
    seen, after = [], None
    while True:
        page = rest.consumers.list(VIEWER, ConsumerFilter(), after=after, limit=2)
        seen += [c.id for c in page.items]
        after = page.next
        if after is None:
            break
    assert seen == [f"web{n}" for n in range(5)]


def test_a_cursor_that_is_none_is_a_bad_after(rest: Rest) -> None:
    rest.register("web1")
    for read in (
        lambda: rest.consumers.list(VIEWER, ConsumerFilter(), after="{}", limit=2),
        lambda: rest.history.list(VIEWER, "web1", after="nonsense"),
        lambda: rest.tokens.list(ADMIN, after="nonsense", limit=2),
    ):
        with pytest.raises(InvalidInput) as refused:
            read()
        assert refused.value.errors[0].field == "after"


def test_a_patch_leaves_what_it_does_not_name_and_null_removes_a_note(rest: Rest) -> None:
    rest.register("web1", display_name="Web", notes={"a": "1", "b": "2"})
    changed = rest.consumers.patch(OPERATOR, "web1", PatchConsumerBody(notes={"a": None, "c": "3"}))
    assert (changed.display_name, changed.notes) == ("Web", {"b": "2", "c": "3"})
    changed = rest.consumers.patch(OPERATOR, "web1", PatchConsumerBody(display_name=""))
    assert (changed.display_name, changed.notes) == ("", {"b": "2", "c": "3"})
    assert rest.consumers.show(VIEWER, "web1") == changed
    with pytest.raises(Forbidden):
        rest.consumers.patch(VIEWER, "web1", PatchConsumerBody())
    with pytest.raises(NotFound):
        rest.consumers.patch(OPERATOR, "web2", PatchConsumerBody())


def test_admins_enforce_a_hosts_windows_and_each_change_of_that_is_a_new_plan(rest: Rest) -> None:
    rest.register("web1")
    nights = {"rrule": "FREQ=DAILY", "dtstart": "2027-01-01T22:00", "zone": "UTC", "duration": "4h"}
    rest.windows.create(ADMIN, NamedWindowBody(name="nights", **nights))
    rest.change("web1", windows=["nights"])
    with pytest.raises(Forbidden):
        rest.consumers.patch(OPERATOR, "web1", PatchConsumerBody(enforced=True))
    plans = [plan_of(rest)]
    for enforced in (True, True, None, False):
        changed = rest.consumers.patch(ADMIN, "web1", PatchConsumerBody(enforced=enforced))
        plans.append(plan_of(rest))
    assert changed.enforced is False
    assert plans == [0, 1, 1, 1, 2]


def plan_of(rest: Rest) -> int:
    consumer = rest.store.read(lambda uow: uow.consumers.get("web1"))
    assert consumer is not None
    return consumer.keep_plan


def test_a_ping_answers_or_says_that_the_agent_is_offline(rest: Rest) -> None:
    consumer = rest.register("web1", agent=agent_info())
    with pytest.raises(AgentOffline, match="web1"):
        rest.consumers.ping(OPERATOR, "web1")
    rest.links.rtt[consumer.uid] = 1.5
    assert rest.consumers.ping(OPERATOR, "web1").rtt_ms == 1.5


def test_an_agent_that_refuses_the_ping_is_no_failure_of_the_server(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest.register("web1")

    def refuse(uid: str) -> float:
        raise InvalidInput([])

    monkeypatch.setattr(rest.links, "ping", refuse)
    with pytest.raises(Unsupported, match="web1"):
        rest.consumers.ping(OPERATOR, "web1")


def test_pings_to_slow_agents_never_take_every_thread(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest.register("web1")
    gate, waiting = Event(), [Event() for _ in range(PINGS)]
    free = iter(waiting)

    def slow(uid: str) -> float:
        next(free).set()
        gate.wait(10)
        return 1.0

    monkeypatch.setattr(rest.links, "ping", slow)
    threads = [Thread(target=rest.consumers.ping, args=(OPERATOR, "web1")) for _ in waiting]
    for thread in threads:
        thread.start()
    assert all(event.wait(10) for event in waiting)
    with pytest.raises(Busy):
        rest.consumers.ping(OPERATOR, "web1")
    gate.set()
    for thread in threads:
        thread.join()


# --- history ---


def events_at(rest: Rest, *times: int) -> None:
    def job(uow: UnitOfWork) -> None:
        for at in times:
            uow.history.add(
                HistoryEvent(
                    consumer_id="old", type=HistoryType.REBOOTED, at=at, originator="agent"
                )
            )

    rest.store.write(job)


MIDNIGHT = NOON - NOON % DAY


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (HistoryQuery(), [0, 1, 2, 3]),
        (HistoryQuery(from_="2027-01-15"), [1, 2, 3]),
        (HistoryQuery(to="2027-01-15"), [0, 1, 2]),
        (HistoryQuery(from_="2027-01-15", to="2027-01-15"), [1, 2]),
        (HistoryQuery(from_="2027-01-15T00:00:00Z", to="2027-01-15T00:00:00Z"), [1]),
        (HistoryQuery(from_="2027-01-15T01:00:00+01:00", to="2027-01-15T01:00:00 01:00"), [1]),
        (HistoryQuery(from_="2027-01-17"), []),
    ],
)
def test_from_and_to_are_inclusive_and_a_date_covers_its_day_in_utc(
    rest: Rest, query: HistoryQuery, found: list[int]
) -> None:
    times = [MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1, MIDNIGHT + DAY]
    events_at(rest, *times)
    page = rest.history.list(VIEWER, "old", begin=query.begin, end=query.end, newest_first=False)
    assert [times.index(int(e.at.timestamp() * 1000)) for e in page.items] == found


@pytest.mark.parametrize("text", ["", "yesterday", "2027-13-01", "2027-01-15T12:00:00", "1"])
def test_a_bad_time_names_its_parameter_and_the_form(text: str) -> None:
    with pytest.raises(InvalidInput, match="2026-12-01") as refused:
        _ = HistoryQuery(from_=text).begin
    assert refused.value.errors[0].field == "from"


def test_an_id_that_never_was_a_consumer_is_not_found(rest: Rest) -> None:
    with pytest.raises(NotFound):
        rest.history.list(VIEWER, "never")
    events_at(rest, NOON + HOUR)
    assert len(rest.history.list(VIEWER, "old").items) == 1
