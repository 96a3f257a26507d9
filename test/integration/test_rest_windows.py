"""Windows and freezes over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import rest_world
from rest_world import ADMIN, OPERATOR, VIEWER, Site, agent_info

from pulp.rmi.versions import FEATURES

BODY: dict[str, Any] = {
    "name": "nights",
    "rrule": "FREQ=DAILY",
    "dtstart": "2027-01-01T22:00",
    "zone": "Europe/Berlin",
    "duration": "4h",
    "cutoff": "30m",
}
FREEZE: dict[str, Any] = {
    "name": "audit",
    "role": "freeze",
    "begin": "2027-01-15T09:00:00+01:00",
    "end": "2027-01-16T08:00:00Z",
}
WINDOWS = "/api/v1/windows"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with rest_world.site(tmp_path) as made:
        agent = agent_info(timezone="America/New_York", features=sorted(FEATURES))
        for host in ("web1", "web2"):
            made.rest.register(host, agent=agent)
        yield made


@pytest.fixture
def admin(site: Site) -> Iterator[httpx.Client]:
    with site.client(site.login(ADMIN)) as client:
        yield client


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {e["field"]: e["message"] for e in answer.json()["errors"]}


def test_one_is_made_changed_looked_at_and_removed(admin: httpx.Client) -> None:
    made = admin.post(WINDOWS, json=BODY, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    where = made.headers["Location"]
    assert where == f"{WINDOWS}/nights"
    expected = BODY | {"role": "window", "everywhere": False, "hosts": 0, "revision": 1}
    assert made.json().items() >= expected.items()
    again = admin.post(WINDOWS, json=BODY, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (201, made.json())
    assert admin.get(where).json() == made.json()
    assert admin.get(WINDOWS).json() == {"items": [made.json()], "next": None}
    assert admin.post(WINDOWS, json=BODY).json()["code"] == "conflict"

    changed = admin.patch(where, json={"cutoff": None, "duration": "2h"})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["cutoff"], changed.json()["duration"]) == (None, "2h")
    assert changed.json()["revision"] == 2

    assert admin.delete(where).status_code == 204
    assert admin.get(where).status_code == 404
    assert admin.delete(where).json()["code"] == "not-found"


def test_lists_may_be_of_one_role_and_go_by_pages(admin: httpx.Client) -> None:
    for body in (BODY, BODY | {"name": "days"}, FREEZE):
        assert admin.post(WINDOWS, json=body).status_code == 201
    windows = admin.get(WINDOWS, params={"role": "window", "limit": 1}).json()
    assert [w["name"] for w in windows["items"]] == ["days"]
    rest = admin.get(WINDOWS, params={"role": "window", "after": windows["next"]}).json()
    assert ([w["name"] for w in rest["items"]], rest["next"]) == (["nights"], None)
    freezes = admin.get(WINDOWS, params={"role": "freeze"}).json()["items"]
    assert [(f["name"], f["begin"]) for f in freezes] == [("audit", "2027-01-15T08:00:00Z")]
    assert "after" in faults(admin.get(WINDOWS, params={"after": "x"}))
    for none in ("door", "null", ""):
        assert "role" in faults(admin.get(WINDOWS, params={"role": none}))


def test_hosts_are_bound_listed_and_unbound(admin: httpx.Client) -> None:
    admin.post(WINDOWS, json=BODY)
    bound = admin.put(f"{WINDOWS}/nights/consumers/web1")
    assert (bound.status_code, bound.json()["windows"]) == (200, ["nights"])
    assert admin.put(f"{WINDOWS}/nights/consumers/web1").json() == bound.json()
    admin.put(f"{WINDOWS}/nights/consumers/web2")
    page = admin.get(f"{WINDOWS}/nights/consumers", params={"limit": 1}).json()
    assert [c["id"] for c in page["items"]] == ["web1"]
    page = admin.get(f"{WINDOWS}/nights/consumers", params={"after": page["next"]}).json()
    assert ([c["id"] for c in page["items"]], page["next"]) == (["web2"], None)
    of_window = admin.get("/api/v1/consumers", params={"window": "nights"}).json()["items"]
    assert [c["id"] for c in of_window] == ["web1", "web2"]
    assert admin.get(f"{WINDOWS}/nights").json()["hosts"] == 2

    refused = admin.delete(f"{WINDOWS}/nights")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "2 hosts" in refused.json()["detail"]
    unbound = admin.delete(f"{WINDOWS}/nights/consumers/web1")
    assert (unbound.status_code, unbound.json()["windows"]) == (200, [])
    assert admin.delete(f"{WINDOWS}/nights/consumers/web1").status_code == 404
    assert admin.delete(f"{WINDOWS}/nights", params={"force": "true"}).status_code == 204
    assert admin.get("/api/v1/consumers/web2").json()["windows"] == []


def test_windows_are_enforced_by_a_patch(admin: httpx.Client) -> None:
    admin.post(WINDOWS, json=BODY)
    assert (
        "bind a window"
        in faults(admin.patch("/api/v1/consumers/web1", json={"enforced": True}))["enforced"]
    )
    admin.put(f"{WINDOWS}/nights/consumers/web1")
    done = admin.patch("/api/v1/consumers/web1", json={"enforced": True})
    assert (done.status_code, done.json()["enforced"]) == (200, True)
    history = admin.get("/api/v1/consumers/web1/history", params={"type": "windows_changed"})
    assert [e["details"] for e in history.json()["items"]] == [
        {"enforced": True},
        {"bound": "nights"},
    ]


def test_a_preview_shows_hosts_in_utc_and_on_the_windows_clocks(admin: httpx.Client) -> None:
    admin.post(WINDOWS, json=BODY)
    admin.post(WINDOWS, json=FREEZE)
    alone = admin.get(f"{WINDOWS}/nights/preview", params={"count": 1}).json()
    assert alone == {
        "name": "nights",
        "role": "window",
        "items": [
            {
                "consumer": None,
                "zone": "Europe/Berlin",
                "openings": [
                    {
                        "begin": "2027-01-15T21:00:00Z",
                        "end": "2027-01-16T01:00:00Z",
                        "cutoff_at": "2027-01-16T00:30:00Z",
                        "local_begin": "2027-01-15T22:00",
                        "local_end": "2027-01-16T02:00",
                    }
                ],
                "frozen": [],
                "says": "",
            }
        ],
        "next": None,
    }
    for host in ("web1", "web2"):
        admin.put(f"{WINDOWS}/nights/consumers/{host}")
    admin.put(f"{WINDOWS}/audit/consumers/web2")
    asked = {"consumer": ["web2", "web1"], "count": 1}
    found = admin.get(f"{WINDOWS}/nights/preview", params=asked).json()["items"]
    assert [(i["consumer"], i["openings"][0]["begin"]) for i in found] == [
        ("web2", "2027-01-16T21:00:00Z"),
        ("web1", "2027-01-15T21:00:00Z"),
    ]
    page = admin.get(f"{WINDOWS}/nights/preview", params={"limit": 1}).json()
    assert [i["consumer"] for i in page["items"]] == ["web1"]
    page = admin.get(f"{WINDOWS}/nights/preview", params={"after": page["next"]}).json()
    assert ([i["consumer"] for i in page["items"]], page["next"]) == (["web2"], None)
    assert admin.get(f"{WINDOWS}/nights/preview", params={"consumer": "x"}).status_code == 404
    for bad in ({"count": 0}, {"count": 51}, {"limit": 1001}, {"after": "x"}, {"colour": "red"}):
        assert faults(admin.get(f"{WINDOWS}/nights/preview", params=bad)).keys() == bad.keys()


def test_every_bad_field_is_named(admin: httpx.Client) -> None:
    wrong = {"role": "door", "begin": "tomorrow", "cutoff": "long", "colour": "red"}
    said = faults(admin.post(WINDOWS, json=BODY | wrong))
    assert said.keys() == wrong.keys()
    assert "duration in whole minutes" in said["cutoff"]
    assert faults(admin.post(WINDOWS, json=BODY | {"name": "a/b"})).keys() == {"name"}
    assert faults(admin.post(WINDOWS, json=BODY | {"zone": "Mars"})).keys() == {"zone"}
    assert faults(admin.post(WINDOWS, json=FREEZE | {"end": FREEZE["begin"]})).keys() == {"end"}
    admin.post(WINDOWS, json=BODY)
    assert faults(admin.patch(f"{WINDOWS}/nights", json={"name": "x"})).keys() == {"name"}
    assert admin.get(WINDOWS).json()["items"][0]["revision"] == 1


def test_strangers_are_asked_to_log_in_and_only_admins_change(site: Site) -> None:
    with site.client() as nobody:
        assert nobody.get(WINDOWS).status_code == 401
        assert nobody.put(f"{WINDOWS}/nights/consumers/web1").status_code == 401
    with site.client(site.login(VIEWER)) as viktor:
        assert viktor.get(WINDOWS).status_code == 200
    with site.client(site.login(OPERATOR)) as olga:
        assert olga.post(WINDOWS, json=BODY).status_code == 403
        assert olga.patch(f"{WINDOWS}/nights", json={}).status_code == 403
        assert olga.put(f"{WINDOWS}/nights/consumers/web1").status_code == 403
        assert olga.delete(f"{WINDOWS}/nights").status_code == 403
        assert olga.patch("/api/v1/consumers/web1", json={"enforced": True}).status_code == 403
        assert olga.patch("/api/v1/consumers/web1", json={"display_name": "x"}).status_code == 200
