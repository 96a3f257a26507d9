"""The action `reboot`, and package work that is followed by a restart: who may ask, of whom, and with what."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rest_world import OPERATOR, VIEWER, Rest, agent_info

from pulp.common.errors import InvalidInput
from pulp.common.times import MINUTE
from pulp.rmi.interfaces import Policy
from pulp.server.api.errors import Forbidden, Unsupported
from pulp.server.api.restarts import RebootBody
from pulp.server.api.types import PackagesActionBody, TaskView

ABLE = {"System.restart": [1], "Packages.install": [1]}


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=agent_info(methods=ABLE, features=["window", "policy-reboot"]))


def reboot(rest: Rest, *, who: Any = OPERATOR, name: str = "web1", **body: Any) -> TaskView:
    return rest.consumers.restarts.reboot(who, name, RebootBody(**body))


def faults(rest: Rest, **body: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        reboot(rest, **body)
    return {e.field: e.message for e in refused.value.errors}


def test_it_becomes_a_task_with_what_was_asked_for(rest: Rest) -> None:
    view = reboot(rest, if_needed=True, delay="10m", back_within="1h")
    assert view.kind == "system.reboot"
    assert msgspec.json.decode(rest.task(view.id).args) == {
        "delay": 10 * MINUTE,
        "if_needed": True,
        "back_within": 60 * MINUTE,
    }
    plain = msgspec.json.decode(rest.task(reboot(rest).id).args)
    assert plain == {"delay": 0, "if_needed": False, "back_within": 30 * MINUTE}


def test_viewers_may_not(rest: Rest) -> None:
    with pytest.raises(Forbidden):
        reboot(rest, who=VIEWER)


def test_every_bad_span_is_named(rest: Rest) -> None:
    assert "shorter than timeout" in faults(rest, delay="2h")["delay"]
    assert reboot(rest, delay="119m")
    assert set(faults(rest, back_within="59s", delay="3h")) == {"delay", "back_within"}
    assert faults(rest, back_within="25h")["back_within"].endswith("from 1m to 1d")
    assert reboot(rest, back_within="1d")


def test_an_agent_that_cannot_is_refused_with_the_version_that_can(rest: Rest) -> None:
    rest.register("old", agent=agent_info())
    with pytest.raises(Unsupported, match=r"System\.restart.*from version 0\.2\.0 on"):
        reboot(rest, name="old")


@pytest.mark.parametrize("wish", ["if_needed", "always"])
def test_so_is_package_work_that_is_to_be_followed_by_a_restart(rest: Rest, wish: Any) -> None:
    rest.register("old", agent=agent_info())
    body = PackagesActionBody(packages=["nginx"], policy=Policy(reboot=wish))
    with pytest.raises(Unsupported, match=r"policy-reboot \(agents have it from version 0\.2\.0"):
        rest.consumers.install(OPERATOR, "old", body)
    assert rest.consumers.install(OPERATOR, "web1", body).state == "waiting"
    plain = PackagesActionBody(packages=["nginx"], policy=Policy(reboot="never"))
    assert rest.consumers.install(OPERATOR, "old", plain).state == "waiting"
