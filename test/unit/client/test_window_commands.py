"""`pulp-admin window …`, `freeze …` and `consumer enforce`: what they ask of the server and what they print."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from client_stage import Reply, Stage, page, problem

from pulp.client.history import summary
from pulp.client.views import HistoryEvent

NIGHTS: dict[str, Any] = {
    "name": "nights",
    "role": "window",
    "revision": 1,
    "created_by": "anna",
    "created_at": "2026-11-24T11:30:00Z",
    "rrule": "FREQ=DAILY",
    "dtstart": "2026-12-01T22:00",
    "zone": "host",
    "offset_days": 0,
    "begin": None,
    "end": None,
    "duration": "4h",
    "cutoff": "30m",
    "everywhere": False,
    "hosts": 2,
}
AUDIT = NIGHTS | {
    "name": "audit",
    "role": "freeze",
    "rrule": None,
    "dtstart": None,
    "zone": None,
    "begin": "2026-12-01T07:00:00Z",
    "end": "2026-12-03T17:00:00Z",
    "duration": None,
    "cutoff": None,
    "everywhere": True,
}
SPAN = {
    "begin": "2026-12-01T21:00:00Z",
    "end": "2026-12-02T01:00:00Z",
    "cutoff_at": "2026-12-02T00:30:00Z",
    "local_begin": "2026-12-01T22:00",
    "local_end": "2026-12-02T02:00",
}
WEB1 = {"id": "web1", "windows": ["audit", "nights"], "enforced": True}
RULE = ("--rrule", "FREQ=DAILY", "--dtstart", "2026-12-01T22:00", "--zone", "host")
RULE_BODY = {"rrule": "FREQ=DAILY", "dtstart": "2026-12-01T22:00", "zone": "host"}


def test_create_sends_what_recurs(stage: Stage) -> None:
    stage.script.on("POST", "/windows", Reply(201, NIGHTS))
    more = ("--duration", "4h", "--cutoff", "30m", "--offset-days", "0")
    done = stage.run("window", "create", "nights", *RULE, *more)
    assert done.code == 0
    expected = {"name": "nights", "role": "window", "duration": "4h", "cutoff": "30m"}
    assert stage.script.bodies() == [expected | RULE_BODY | {"offset_days": 0}]
    assert "2026-12-01T22:00 of each host" in done.out
    assert "30m before its end" in done.out
    assert "2 hosts" in done.out


def test_what_happens_once_is_told_back_before_it_is_sent(stage: Stage) -> None:
    stage.script.on("POST", "/windows", Reply(201, AUDIT))
    done = stage.run("freeze", "create", "audit", "--once", "1 december 8:00/2d10h", "--everywhere")
    assert done.code == 0
    assert stage.script.bodies() == [
        {
            "name": "audit",
            "role": "freeze",
            "begin": "2026-12-01T07:00:00Z",
            "end": "2026-12-03T17:00:00Z",
            "everywhere": True,
        }
    ]
    assert "Once Tuesday 2026-12-01 08:00:00 CET to Thursday 2026-12-03 18:00:00 CET" in done.err
    assert "2026-12-01 08:00:00 CET to 2026-12-03 18:00:00 CET" in done.out
    assert "no work may start in it" in done.out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("create", "x", "--once", "now/2h", *RULE), "--rrule, --dtstart, --zone when it recurs"),
        (("create", "x", "--once", "tomorrow"), "--once 'tomorrow': write BEGIN/END"),
        (("create", "x", "--once", "12:00/in 2h"), "--once: write the length as '2h'"),
        (("create", "x", "--once", "2026-11-01T00:00:00Z/2h"), "--once '2026-11-01T00:00:00Z/2h'"),
        (("edit", "x"), "nothing to change"),
        (("edit", "x", "--cutoff", "5m", "--no-cutoff"), "exclude each other"),
    ],
)
def test_usage_is_exit_code_2_and_nothing_is_sent(
    stage: Stage, command: tuple[str, ...], words: str
) -> None:
    done = stage.run("window", *command)
    assert (done.code, words in done.err) == (2, True), done.err
    assert stage.script.requests == []


def test_what_is_refused_is_told_by_field(stage: Stage) -> None:
    errors = [("zone", "'Mars' is not a time zone")]
    stage.script.on("POST", "/windows", problem(422, "invalid", "wrong", errors=errors))
    done = stage.run("window", "create", "nights", *RULE)
    assert (done.code, "zone: 'Mars' is not a time zone" in done.err) == (4, True)


def test_lists_are_of_the_commands_own_sort(stage: Stage) -> None:
    stage.script.on("GET", "/windows", page(NIGHTS))
    row = stage.run("window", "list").out.splitlines()[1]
    assert row == "nights  FREQ=DAILY 22:00 host, 4h  30m     2 hosts"
    stage.script.on("GET", "/windows", page(AUDIT))
    row = stage.run("freeze", "list").out.splitlines()[1]
    assert row.startswith("audit  2026-12-01 08:00:00 CET to 2026-12-03 18:00:00 CET")
    assert row.endswith("everywhere")
    stage.script.on("GET", "/windows", page(NIGHTS))
    assert stage.run("window", "list", "--json").lines == [NIGHTS]
    roles = [r.url.params["role"] for r in stage.script.requests]
    assert roles == ["window", "freeze", "window"]


def test_show(stage: Stage) -> None:
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    assert "FREQ=DAILY" in stage.run("window", "show", "nights").out
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    assert stage.run("window", "show", "nights", "--json").json == NIGHTS
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    other = stage.run("freeze", "show", "nights")
    assert (other.code, other.out) == (2, "")
    assert "nights is a window: say pulp-admin window ..." in other.err


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (("--duration", "2h"), {"duration": "2h"}),
        (("--no-cutoff", "--everywhere"), {"cutoff": None, "everywhere": True}),
        (("--not-everywhere", "--offset-days", "0"), {"everywhere": False, "offset_days": 0}),
        (
            ("--once", "1 december 8:00/2h"),
            {"begin": "2026-12-01T07:00:00Z", "end": "2026-12-01T09:00:00Z"},
        ),
    ],
)
def test_changes(stage: Stage, options: tuple[str, ...], changes: dict[str, Any]) -> None:
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("PATCH", "/windows/nights", Reply(body=NIGHTS))
    assert stage.run("window", "edit", "nights", *options).code == 0
    assert stage.script.bodies() == [None, changes]


@pytest.mark.parametrize("verb", ["edit", "delete", "preview", "bind", "unbind"])
def test_a_window_is_not_taken_for_a_freeze(stage: Stage, verb: str) -> None:
    more = {"edit": ("--duration", "2h"), "delete": ("--yes",), "preview": ()}.get(verb, ("web1",))
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    done = stage.run("freeze", verb, "nights", *more)
    assert (done.code, "nights is a window" in done.err) == (2, True)
    assert len(stage.script.requests) == 1


def test_delete_asks_and_says_for_whom_it_holds(stage: Stage) -> None:
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    asked = stage.run("window", "delete", "nights", terminal=True, stdin="n\n")
    assert (asked.code, "Delete the window nights (2 hosts)?" in asked.err) == (4, True)
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("DELETE", "/windows/nights", Reply(204))
    assert "is deleted" in stage.run("window", "delete", "nights", "--yes").out
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("DELETE", "/windows/nights", Reply(204))
    forced = stage.run("window", "delete", "nights", "--yes", "--force", "--json")
    assert forced.json == {"deleted": "nights"}
    asked_for = [dict(r.url.params) for r in stage.script.requests if r.method == "DELETE"]
    assert asked_for == [{}, {"force": "true"}]


def test_a_preview_shows_utc_and_the_zones_clocks(stage: Stage) -> None:
    web1 = {"consumer": "web1", "zone": "Europe/Berlin", "openings": [SPAN], "frozen": []}
    web2 = web1 | {"consumer": "web2", "openings": [], "says": "There is no window."}
    seen = page(web1 | {"says": ""}, web2, next_="c")
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("GET", "/windows/nights/preview", seen)
    done = stage.run("window", "preview", "nights", "web1", "web2", "--count", "1", "--limit", "2")
    assert done.out.splitlines()[1].split("  ") == [
        "web1",
        "open",
        "2026-12-01 21:00",
        "2026-12-02 01:00",
        "2026-12-02 00:30",
        "Europe/Berlin: 2026-12-01 22:00 to 2026-12-02 02:00",
    ]
    assert "web2: There is no window." in done.err
    assert "more hosts" in done.err
    params = stage.script.requests[-1].url.params
    assert (params.get_list("consumer"), params["count"], params["limit"]) == (
        ["web1", "web2"],
        "1",
        "2",
    )
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("GET", "/windows/nights/preview", seen)
    done = stage.run("window", "preview", "nights", "--limit", "2", "--json")
    assert [line["consumer"] for line in done.lines] == ["web1", "web2"]
    assert "consumer" not in stage.script.requests[-1].url.params


def test_a_freezes_preview_shows_when_it_is_on_and_what_is_left(stage: Stage) -> None:
    item = {"consumer": None, "zone": "UTC", "openings": [], "frozen": [SPAN], "says": ""}
    stage.script.on("GET", "/windows/audit", Reply(body=AUDIT))
    stage.script.on("GET", "/windows/audit/preview", page(item))
    row = stage.run("freeze", "preview", "audit").out.splitlines()[1].split()
    assert row[:2] == ["-", "frozen"]
    assert "00:30" not in row


def test_hosts_are_bound_one_after_the_other_until_one_is_refused(stage: Stage) -> None:
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("PUT", "/windows/nights/consumers/web1", Reply(body=WEB1))
    refused = problem(404, "not-found", "there is no consumer 'web9'")
    stage.script.on("PUT", "/windows/nights/consumers/web9", refused)
    done = stage.run("window", "bind", "nights", "web1", "web9", "web2")
    assert done.code == 4
    assert done.out == "web1: windows and freezes bound to it: audit, nights\n"
    assert "web9" in done.err
    unbound = WEB1 | {"windows": []}
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("DELETE", "/windows/nights/consumers/web1", Reply(body=unbound))
    assert stage.run("window", "unbind", "nights", "web1").out.endswith("bound to it: none\n")
    stage.script.on("GET", "/windows/nights", Reply(body=NIGHTS))
    stage.script.on("DELETE", "/windows/nights/consumers/web1", Reply(body=unbound))
    assert stage.run("window", "unbind", "nights", "web1", "--json").json == unbound


def test_windows_are_enforced(stage: Stage) -> None:
    off = WEB1 | {"windows": [], "enforced": False}
    stage.script.on("PATCH", "/consumers/web1", Reply(body=WEB1))
    done = stage.run("consumer", "enforce", "web1", "on")
    assert done.out == "The windows of web1 are enforced. Bound to it: audit, nights.\n"
    stage.script.on("PATCH", "/consumers/web1", Reply(body=off))
    assert stage.run("consumer", "enforce", "web1", "off").out == (
        "The windows of web1 are not enforced.\n"
    )
    stage.script.on("PATCH", "/consumers/web1", Reply(body=off))
    assert stage.run("consumer", "enforce", "web1", "off", "--json").json == off
    assert stage.script.bodies() == [{"enforced": True}, {"enforced": False}, {"enforced": False}]
    assert stage.run("consumer", "enforce", "web1", "maybe").code == 2


def test_a_host_shows_its_windows_and_lists_go_by_them(stage: Stage) -> None:
    stage.script.on("GET", "/consumers/web1", Reply(body=WEB1))
    assert "audit, nights (enforced)" in stage.run("consumer", "show", "web1").out
    stage.script.on("GET", "/consumers", page(WEB1))
    assert stage.run("consumer", "list", "--window", "nights").code == 0
    assert stage.script.requests[-1].url.params["window"] == "nights"


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (b'{"bound":"nights"}', "bound nights"),
        (b'{"unbound":"nights"}', "unbound nights"),
        (b'{"enforced":true}', "its windows are enforced from now on"),
        (b'{"enforced":false}', "its windows are not enforced from now on"),
    ],
)
def test_history_says_what_changed_about_windows(details: bytes, words: str) -> None:
    event = {
        "id": "1",
        "consumer_id": "web1",
        "at": "2026-11-24T11:30:00Z",
        "type": "windows_changed",
    }
    raw = msgspec.json.encode(event | {"details": msgspec.Raw(details)})
    assert summary(msgspec.json.decode(raw, type=HistoryEvent)) == words


@pytest.mark.parametrize("sort", ["window", "freeze"])
def test_help_says_what_a_preview_shows_and_what_ends_a_binding(stage: Stage, sort: str) -> None:
    told = " ".join(stage.run(sort, "preview", "--help").out.split())
    assert f"Show when a {sort} is on next" in told
    assert f"on the clocks of the {sort}'s zone" in told
    assert "the first that is refused ends it" in " ".join(
        stage.run(sort, "bind", "--help").out.split()
    )


@pytest.mark.parametrize("sort", ["window", "freeze"])
def test_help_teaches_with_examples(stage: Stage, sort: str) -> None:
    done = stage.run(sort, "create", "--help")
    assert f"pulp-admin {sort} create" in done.out
    assert f"pulp-admin {sort} preview" in done.out
