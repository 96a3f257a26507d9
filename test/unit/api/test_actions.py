"""Actions: roles, times, agents that cannot, and repetitions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, HOUR, MINUTE, SECOND, to_datetime
from pulp.rmi.interfaces import PackageSpec, Policy
from pulp.server.api.errors import Forbidden, KeyReused, NotFound, Unsupported
from pulp.server.api.types import (
    ActionBody,
    PackagesActionBody,
    TaskView,
    UpdateAllBody,
    UpdatesBody,
    WindowBody,
)
from pulp.server.db.base import TaskFilter


def at(offset: int) -> datetime:
    return to_datetime(NOON + offset)


def install(rest: Rest, *, key: str | None = None, **body: Any) -> TaskView:
    body = {"packages": ["nginx"]} | body
    return rest.consumers.install(OPERATOR, "web1", PackagesActionBody(**body), key=key)


def faults(rest: Rest, **body: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        install(rest, **body)
    assert rest.tasks.list(VIEWER, TaskFilter(), after=None, limit=10).items == []
    return {e.field: e.message for e in refused.value.errors}


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=agent_info(), online=True)


def test_an_install_becomes_a_task_of_the_user_with_every_deadline(rest: Rest) -> None:
    view = install(
        rest,
        packages=["nginx", PackageSpec(name="zlib1g", version="1:1.2.13")],
        policy=Policy(allow_remove=True),
    )
    record = rest.task(view.id)
    assert (record.kind, record.version, record.requested_by) == ("packages.install", 1, "olga")
    assert msgspec.json.decode(record.args) == {
        "packages": [{"name": "nginx"}, {"name": "zlib1g", "version": "1:1.2.13"}],
        "policy": {"allow_remove": True},
        "dry_run": False,
    }
    assert record.accept_by == NOON + 7 * DAY
    assert record.timeout == 2 * HOUR
    assert record.deadline is not None
    assert (view.state, view.phase, view.created_at.tzinfo) == ("waiting", "queued", UTC)


def test_every_action_has_its_own_kind(rest: Rest) -> None:
    body = PackagesActionBody(packages=["nginx"])
    views = [
        rest.consumers.update(OPERATOR, "web1", body),
        rest.consumers.remove(OPERATOR, "web1", body),
        rest.consumers.update_all(OPERATOR, "web1", UpdateAllBody(security_only=True)),
        rest.consumers.refresh_profile(OPERATOR, "web1", ActionBody()),
        rest.consumers.updates(OPERATOR, "web1", UpdatesBody()),
    ]
    assert [v.kind for v in views] == [
        "packages.update",
        "packages.remove",
        "packages.update_all",
        "packages.refresh_profile",
        "packages.updates",
    ]
    args = msgspec.json.decode(rest.task(views[2].id).args)
    assert args["security_only"] is True


def test_viewers_do_not_act(rest: Rest) -> None:
    body = PackagesActionBody(packages=["nginx"])
    with pytest.raises(Forbidden, match="role operator; viktor is viewer"):
        rest.consumers.install(VIEWER, "web1", body)
    with pytest.raises(Forbidden):
        rest.consumers.update_all(VIEWER, "web1", UpdateAllBody())
    with pytest.raises(Forbidden):
        rest.consumers.refresh_profile(VIEWER, "web1", ActionBody())
    with pytest.raises(Forbidden):
        rest.consumers.unregister(VIEWER, "web1")
    with pytest.raises(Forbidden):
        rest.consumers.ping(VIEWER, "web1")


def test_an_unknown_consumer_is_named(rest: Rest) -> None:
    with pytest.raises(NotFound, match="web9"):
        rest.consumers.install(OPERATOR, "web9", PackagesActionBody(packages=["nginx"]))


def test_a_start_in_the_future_is_scheduled_and_says_so(rest: Rest) -> None:
    view = install(rest, not_before=at(HOUR))
    assert view.state == "scheduled"
    assert view.waiting_for is not None
    assert (view.waiting_for.code, view.waiting_for.until) == ("start-time", at(HOUR))


def test_a_window_may_have_begun_but_not_be_over(rest: Rest) -> None:
    view = install(rest, window=WindowBody(begin=at(-HOUR), end=at(HOUR)))
    assert view.window is not None and view.window.end == at(HOUR)
    view = install(rest, window=WindowBody(begin=at(HOUR), duration="2h"))
    assert view.window is not None and view.window.end == at(3 * HOUR)


@pytest.mark.parametrize(
    ("window", "field"),
    [
        (WindowBody(begin=at(0)), "window.end"),
        (WindowBody(begin=at(0), end=at(HOUR), duration="1h"), "window.duration"),
        (WindowBody(begin=at(HOUR), end=at(HOUR)), "window.end"),
        (WindowBody(begin=at(HOUR), end=at(0)), "window.end"),
        (WindowBody(begin=at(-2 * HOUR), end=at(-HOUR)), "window.end"),
        (WindowBody(begin=at(-2 * HOUR), duration="1h"), "window.end"),
        (WindowBody(begin=at(HOUR), duration="0s"), "window.duration"),
        (WindowBody(begin=at(400 * DAY), duration="1h"), "window.begin"),
        (WindowBody(begin=at(0), duration="400d"), "window.end"),
        (WindowBody(begin=at(0), end=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)), "window.end"),
    ],
)
def test_a_bad_window_is_refused_with_its_field(rest: Rest, window: WindowBody, field: str) -> None:
    assert list(faults(rest, window=window)) == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"not_before": at(-MINUTE)}, "not_before"),
        ({"not_before": datetime(1, 1, 1, tzinfo=UTC)}, "not_before"),
        ({"not_before": at(400 * DAY)}, "not_before"),
        ({"timeout": "0s"}, "timeout"),
        ({"timeout": "0.5s"}, "timeout"),
        ({"timeout": "8d"}, "timeout"),
        ({"deliver_within": "0.9s"}, "deliver_within"),
        ({"deliver_within": "91d"}, "deliver_within"),
        ({"packages": ["nginx", PackageSpec(name="nginx", version="1")]}, "packages[1]"),
    ],
)
def test_bad_fields_are_refused_by_name(rest: Rest, body: dict[str, Any], field: str) -> None:
    assert list(faults(rest, **body)) == [field]


def test_every_bad_field_is_reported_at_once(rest: Rest) -> None:
    found = faults(
        rest,
        packages=["a", "a"],
        timeout="0s",
        deliver_within="0s",
        not_before=at(-HOUR),
        window=WindowBody(begin=at(0)),
    )
    assert set(found) == {"packages[1]", "timeout", "deliver_within", "not_before", "window.end"}
    assert all(message and not message.endswith(" ") for message in found.values())


def test_a_start_after_the_windows_end_could_never_run(rest: Rest) -> None:
    window = WindowBody(begin=at(HOUR), duration="1h")
    assert list(faults(rest, not_before=at(2 * HOUR), window=window)) == ["not_before"]


def test_a_start_that_was_now_when_it_was_sent_is_taken(rest: Rest) -> None:
    assert install(rest, not_before=at(-2 * SECOND)).state == "waiting"


def test_what_the_agent_said_it_cannot_do_is_unsupported_and_names_its_version(
    rest: Rest,
) -> None:
    rest.change("web1", agent=agent_info(version="0.0.9", methods={"Packages.update": [1]}))
    with pytest.raises(Unsupported, match=r"0\.0\.9.*Packages\.install.*from version 0\.1\.0 on"):
        install(rest)
    rest.change("web1", agent=agent_info(methods={"Packages.install": [7]}))
    with pytest.raises(Unsupported, match=r"\[7\].*update the server"):
        install(rest)
    rest.change("web1", agent=agent_info(features=[]))
    with pytest.raises(Unsupported, match=r"window \(agents have it from version 0\.1\.0 on\)"):
        install(rest, window=WindowBody(begin=at(0), duration="1h"))
    assert install(rest).state == "waiting"


def test_an_agent_of_the_first_release_cannot_tell_updates(rest: Rest) -> None:
    first = {"Packages.install": [1], "Packages.profile": [1]}
    rest.change("web1", agent=agent_info(version="0.1.0", methods=first))
    with pytest.raises(Unsupported, match=r"Packages\.updates.*from version 0\.2\.0 on"):
        rest.consumers.updates(OPERATOR, "web1", UpdatesBody())


def test_an_agent_that_never_said_hello_is_given_the_chance(rest: Rest) -> None:
    rest.change("web1", agent=None)
    assert install(rest, window=WindowBody(begin=at(0), duration="1h")).state == "waiting"


def test_a_key_with_the_same_request_gives_the_same_task_as_it_is_now(rest: Rest) -> None:
    first = install(rest, key="k1")
    rest.tasks.cancel(OPERATOR, first.id)
    again = install(rest, key="k1")
    assert (again.id, again.state) == (first.id, "canceled")
    assert install(rest, key="k2").id != first.id
    assert install(rest).id != first.id


def test_a_key_with_another_request_is_refused(rest: Rest) -> None:
    install(rest, key="k1")
    with pytest.raises(KeyReused):
        install(rest, key="k1", packages=["apache2"])
    with pytest.raises(KeyReused):
        body = PackagesActionBody(packages=["nginx"])
        rest.consumers.remove(OPERATOR, "web1", body, key="k1")
    assert len(rest.tasks.list(VIEWER, TaskFilter(), after=None, limit=10).items) == 1


def test_keys_are_a_users_own_and_last_a_day(rest: Rest) -> None:
    first = install(rest, key="k1")
    body = PackagesActionBody(packages=["nginx"])
    assert rest.consumers.install(ADMIN, "web1", body, key="k1").id != first.id
    rest.clock.go(DAY)
    assert install(rest, key="k1").id == first.id
    rest.clock.go(1)
    assert install(rest, key="k1").id != first.id


def test_a_refused_request_leaves_its_key_free(rest: Rest) -> None:
    rest.change("web1", agent=agent_info(methods={}))
    with pytest.raises(Unsupported):
        install(rest, key="k1")
    rest.change("web1", agent=agent_info())
    assert install(rest, key="k1").state == "waiting"


def test_a_repetition_that_comes_when_its_window_is_over_gets_its_task(rest: Rest) -> None:
    """The first answer was lost, with the server that gave it."""
    window = WindowBody(begin=at(0), duration="3s")
    first = install(rest, key="k", window=window)
    rest.clock.go(10 * SECOND)
    assert install(rest, key="k", window=window).id == first.id
    with pytest.raises(InvalidInput):
        install(rest, key="other", window=window)
