"""Retries: a new task that asks for the same once more, and the failed one stays as it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest
from rest_world import ADMIN, NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.errors import InvalidInput
from pulp.common.times import DAY, HOUR, MINUTE, to_datetime
from pulp.common.windows import Window
from pulp.server.api.errors import (
    Forbidden,
    KeyReused,
    NotFound,
    TaskIsOpen,
    Unsupported,
)
from pulp.server.api.types import PackagesActionBody, RetryBody, TaskView, WindowBody
from pulp.server.db.base import TaskFilter
from pulp.server.domain.task import TaskError, TaskRecord, TaskState


def at(offset: int) -> datetime:
    return to_datetime(NOON + offset)


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=agent_info(), online=True)


def failed(rest: Rest, **body: Any) -> TaskRecord:
    """An install of olga's that failed."""
    wanted = PackagesActionBody(packages=["nginx"], **body)
    view = rest.consumers.install(OPERATOR, "web1", wanted)
    error = TaskError(code="fetch", message="the mirror is away")
    return rest.store.write(
        lambda uow: rest.queue.end(uow, rest.task(view.id), error, rest.clock.now())
    )


def retry(rest: Rest, task: TaskRecord, *, key: str | None = None, **body: Any) -> TaskView:
    return rest.tasks.retry(ADMIN, task.id, RetryBody(**body), key=key)


def faults(rest: Rest, task: TaskRecord, **body: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        retry(rest, task, **body)
    assert count(rest) == 1
    return {e.field: e.message for e in refused.value.errors}


def count(rest: Rest) -> int:
    return len(rest.tasks.list(VIEWER, TaskFilter(), after=None, limit=10).items)


def test_a_retry_is_a_new_linked_task_of_who_asks_and_the_failed_one_stays(rest: Rest) -> None:
    first = failed(rest, timeout="20m", dry_run=True)
    view = retry(rest, first)
    assert view.id != first.id
    assert (view.retry_of, view.requested_by, view.state) == (first.id, "admin", "waiting")
    again = rest.task(view.id)
    assert (again.kind, again.args, again.consumer_id) == (first.kind, first.args, "web1")
    assert (again.timeout, again.accept_by) == (20 * MINUTE, NOON + 7 * DAY)
    assert (again.call, again.error, again.result) == (None, None, None)
    assert rest.task(first.id) == first


def test_a_retry_says_anew_what_it_wants_otherwise(rest: Rest) -> None:
    first = failed(rest)
    window = WindowBody(begin=at(HOUR), duration="2h")
    view = retry(
        rest,
        first,
        not_before=at(MINUTE),
        window=window,
        deliver_within="30m",
        timeout="5m",
    )
    again = rest.task(view.id)
    assert again.state is TaskState.SCHEDULED
    assert again.window == Window(NOON + HOUR, NOON + 3 * HOUR)
    assert (again.accept_by, again.timeout) == (NOON + 31 * MINUTE, 5 * MINUTE)


@pytest.mark.parametrize("moment", [0, HOUR, 3 * HOUR - 1])
def test_a_window_that_is_not_over_is_kept(rest: Rest, moment: int) -> None:
    first = failed(rest, window=WindowBody(begin=at(HOUR), end=at(3 * HOUR)))
    rest.clock.go(moment)
    again = rest.task(retry(rest, first).id)
    assert again.window == Window(NOON + HOUR, NOON + 3 * HOUR)
    assert again.accept_by == again.expires == NOON + 3 * HOUR


def test_a_retry_never_leaves_its_window_silently(rest: Rest) -> None:
    first = failed(rest, window=WindowBody(begin=at(HOUR), end=at(3 * HOUR)))
    rest.clock.go(3 * HOUR)
    (message,) = faults(rest, first).values()
    assert first.id in message and "new window" in message and "null" in message
    outside = rest.task(retry(rest, first, window=None).id)
    assert (outside.window, outside.retry_of) == (None, first.id)
    anew = retry(rest, first, window=WindowBody(begin=at(DAY), duration="1h"))
    assert rest.task(anew.id).window == Window(NOON + DAY, NOON + DAY + HOUR)


def test_every_bad_field_is_named(rest: Rest) -> None:
    first = failed(rest)
    found = faults(
        rest,
        first,
        timeout="0s",
        deliver_within="91d",
        not_before=at(-HOUR),
        window=WindowBody(begin=at(0)),
    )
    assert set(found) == {"timeout", "deliver_within", "not_before", "window.end"}


def test_a_start_after_the_kept_windows_end_is_refused(rest: Rest) -> None:
    first = failed(rest, window=WindowBody(begin=at(0), end=at(HOUR)))
    assert list(faults(rest, first, not_before=at(HOUR))) == ["not_before"]


def test_only_what_is_over_is_retried_and_only_by_operators(rest: Rest) -> None:
    body = PackagesActionBody(packages=["nginx"])
    view = rest.consumers.install(OPERATOR, "web1", body)
    with pytest.raises(TaskIsOpen, match="waiting"):
        rest.tasks.retry(OPERATOR, view.id, RetryBody())
    with pytest.raises(Forbidden):
        rest.tasks.retry(VIEWER, view.id, RetryBody())
    with pytest.raises(NotFound):
        rest.tasks.retry(OPERATOR, "no-such-task", RetryBody())


def test_a_host_that_is_gone_or_cannot_is_told(rest: Rest) -> None:
    first = failed(rest)
    rest.change("web1", agent=agent_info(methods={}))
    with pytest.raises(Unsupported, match=r"Packages\.install"):
        retry(rest, first)
    rest.consumers.unregister(OPERATOR, "web1")
    with pytest.raises(NotFound, match="web1"):
        retry(rest, first)
    assert count(rest) == 1


def test_a_kind_this_server_does_not_run_is_unsupported(rest: Rest) -> None:
    first = failed(rest)
    rest.change_task(first.id, kind="packages.purge")
    with pytest.raises(Unsupported, match=r"packages\.purge"):
        retry(rest, first)


def test_the_same_key_makes_one_retry_also_when_the_window_has_closed_meanwhile(
    rest: Rest,
) -> None:
    first = failed(rest, window=WindowBody(begin=at(0), end=at(HOUR)))
    made = retry(rest, first, key="k1")
    rest.clock.go(HOUR)
    assert retry(rest, first, key="k1").id == made.id
    with pytest.raises(KeyReused):
        retry(rest, first, key="k1", timeout="5m")
    assert count(rest) == 2


def test_a_refused_retry_leaves_its_key_free(rest: Rest) -> None:
    first = failed(rest)
    rest.change("web1", agent=agent_info(methods={}))
    with pytest.raises(Unsupported):
        retry(rest, first, key="k1")
    rest.change("web1", agent=agent_info())
    assert retry(rest, first, key="k1").retry_of == first.id


def test_a_retry_may_be_retried_and_names_the_one_before_it(rest: Rest) -> None:
    first = failed(rest)
    second = rest.task(retry(rest, first).id)
    rest.store.write(
        lambda uow: rest.queue.end(uow, second, TaskError(code="fetch", message="again"), NOON)
    )
    assert retry(rest, second).retry_of == second.id


def test_the_body_tells_a_window_left_out_from_none() -> None:
    decoded = msgspec.json.decode(b'{"window":null}', type=RetryBody)
    assert decoded.window is None
    assert msgspec.json.decode(b"{}", type=RetryBody).window is msgspec.UNSET
