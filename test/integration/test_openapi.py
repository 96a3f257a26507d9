"""The OpenAPI document is true: what it allows is taken, what it forbids is refused, and every answer is one it declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rest_world
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from rest_world import ADMIN, PASSWORD, Site, agent_info
from schemathesis.specs.openapi.checks import positive_data_acceptance

from pulp.server.api.types import LoginBody, PackagesActionBody
from pulp.server.webservices.controllers import CONTROLLERS
from pulp.server.webservices.controllers.service import SERVICE
from pulp.server.webservices.openapi import describe

EXAMPLES = 8
"""For each operation."""

DOCUMENT: dict[str, Any] = msgspec.json.decode(
    msgspec.json.encode(describe((*CONTROLLERS, *SERVICE), "0.1.0"))
)
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    with rest_world.site(folder) as made:
        consumer = made.rest.register("web1", agent=agent_info(), online=True)
        made.rest.links.rtt[consumer.uid] = 1.0
        yield made


@pytest.fixture(scope="module")
def task_id(site: Site) -> str:
    body = PackagesActionBody(packages=["nginx"])
    return site.rest.consumers.install(ADMIN, "web1", body).id


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_server_does_what_the_document_says(
    case: schemathesis.Case, site: Site, task_id: str
) -> None:
    real = {"consumers": "web1", "tasks": task_id, "users": "viktor"}
    kind = case.path.split("/")[3] if case.path.startswith("/api/v1/") else ""
    if kind in real and case.method != "DELETE" and len(str(case.body)) % 2:
        case.path_parameters = dict.fromkeys(case.path_parameters, real[kind])
    wait = case.query.get("wait") if case.query else None
    if isinstance(wait, int | float) and 0 < wait <= 30:
        case.query["wait"] = wait / 300
    login = LoginBody(login="admin", password=PASSWORD)  # anew: a case may be a logout
    token = site.rest.users.login(login).token
    case.call_and_validate(
        base_url=site.url,
        headers={"Authorization": f"Bearer {token}"},
        verify=str(site.ca),
        # What is well formed may still be wrong: a start in the past, a window that is over, a token that is none.
        excluded_checks=[positive_data_acceptance],
    )


def test_the_served_document_is_the_one_that_was_checked(site: Site) -> None:
    with site.client() as client:
        assert client.get("/api/v1/openapi.json").json() == DOCUMENT


def test_every_operation_has_its_own_id_and_a_summary() -> None:
    operations = [
        operation
        for item in DOCUMENT["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    ids = [o["operationId"] for o in operations]
    assert len(set(ids)) == len(ids) > 20
    assert all(o["summary"] for o in operations)
