"""A host whose windows are enforced, and an agent that cannot keep to them: the older one was put back."""

from __future__ import annotations

import pytest
from rest_world import OPERATOR, VIEWER, Rest, agent_info

from pulp.rmi.versions import FEATURES
from pulp.server.api.errors import Unsupported
from pulp.server.api.types import PackagesActionBody, UpdatesBody

OLD = agent_info(version="0.1.0")
NEW = agent_info(version="0.2.0", features=sorted(FEATURES))


def problems(rest: Rest) -> list[str]:
    return rest.consumers.show(VIEWER, "web1").problems


def test_it_is_shown_with_its_version(rest: Rest) -> None:
    rest.register("web1", agent=OLD, enforced=True)
    (problem,) = problems(rest)
    assert "version 0.1.0" in problem
    assert "from version 0.2.0 on" in problem


@pytest.mark.parametrize("changes", [{"agent": NEW}, {"agent": None}, {"enforced": False}])
def test_others_have_no_problem(rest: Rest, changes: dict[str, object]) -> None:
    rest.register("web1", **({"agent": OLD, "enforced": True} | changes))
    assert problems(rest) == []


def test_nothing_may_change_the_host_and_reads_go_on(rest: Rest) -> None:
    rest.register("web1", agent=OLD, enforced=True)
    with pytest.raises(Unsupported, match="cannot keep to them"):
        rest.consumers.install(OPERATOR, "web1", PackagesActionBody(packages=["nginx"]))
    assert rest.consumers.updates(OPERATOR, "web1", UpdatesBody()).state == "waiting"
