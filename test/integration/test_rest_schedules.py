"""Schedules over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import rest_world
from rest_world import OPERATOR, VIEWER, Site

BODY: dict[str, Any] = {
    "name": "nightly",
    "action": "install",
    "packages": ["nginx", {"name": "zlib1g", "version": "1:1.2.13"}],
    "consumers": ["web1"],
    "rrule": "FREQ=DAILY",
    "dtstart": "2027-01-01T02:00",
    "zone": "UTC",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with rest_world.site(tmp_path) as made:
        yield made


@pytest.fixture
def olga(site: Site) -> Iterator[httpx.Client]:
    with site.client(site.login(OPERATOR)) as client:
        yield client


def test_one_is_made_changed_looked_at_and_removed(olga: httpx.Client) -> None:
    made = olga.post("/api/v1/schedules", json=BODY, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    where = made.headers["Location"]
    assert where == "/api/v1/schedules/nightly"
    assert made.json()["next_due"] == "2027-01-16T02:00:00Z"
    again = olga.post("/api/v1/schedules", json=BODY, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (201, made.json())
    assert olga.get(where).json() == made.json()
    assert olga.get("/api/v1/schedules").json() == {"items": [made.json()], "next": None}

    changed = olga.patch(where, json={"enabled": False, "runs": 3})
    assert (changed.status_code, changed.json()["enabled"]) == (200, False)
    assert changed.json()["runs_left"] == 3
    ahead = olga.get(f"{where}/preview", params={"count": 2}).json()
    assert ahead["occurrences"] == [
        {"at": "2027-01-16T02:00:00Z", "local": "2027-01-16T02:00"},
        {"at": "2027-01-17T02:00:00Z", "local": "2027-01-17T02:00"},
    ]

    assert olga.delete(where).status_code == 204
    assert olga.get(where).status_code == 404
    assert olga.delete(where).json()["code"] == "not-found"


def test_every_bad_field_is_named_and_a_taken_name_refused(olga: httpx.Client) -> None:
    wrong = {"zone": "Mars", "missed": "never", "runs": 0, "colour": "red"}
    refused = olga.post("/api/v1/schedules", json=BODY | wrong)
    assert refused.status_code == 422
    assert {e["field"] for e in refused.json()["errors"]} == {"missed", "runs", "colour"}
    refused = olga.post("/api/v1/schedules", json=BODY | {"zone": "Mars"})
    assert [e["field"] for e in refused.json()["errors"]] == ["zone"]
    assert olga.post("/api/v1/schedules", json=BODY).status_code == 201
    assert olga.post("/api/v1/schedules", json=BODY).json()["code"] == "conflict"


def test_strangers_are_asked_to_log_in_and_viewers_only_read(site: Site) -> None:
    with site.client() as nobody:
        assert nobody.get("/api/v1/schedules").status_code == 401
    with site.client(site.login(VIEWER)) as viktor:
        assert viktor.get("/api/v1/schedules").status_code == 200
        assert viktor.post("/api/v1/schedules", json=BODY).status_code == 403
