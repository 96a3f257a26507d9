"""Tasks as they are shown: what each state waits for, cancel, and the history that their ends write."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rest_world import NOON, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.ids import new_id
from pulp.common.times import DAY, HOUR, to_datetime
from pulp.common.windows import Window
from pulp.rmi.interfaces import (
    INSTALL,
    PROFILE,
    REMOVE,
    UPDATE,
    UPDATE_ALL,
    UPDATES,
    Change,
    Method,
    PackagesResult,
    ProfileResult,
)
from pulp.rmi.remotes import Packages
from pulp.server.api.errors import Forbidden, NotFound, TaskIsFinal
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.types import (
    ActionBody,
    PackagesActionBody,
    TaskView,
    UpdateAllBody,
    UpdatesBody,
)
from pulp.server.api.waiting import waiting_for
from pulp.server.db.base import TaskFilter, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import Call, TaskError, TaskRecord, TaskState
from pulp.server.tasking.context import Context
from pulp.server.tasking.task import TaskKinds

KINDS = TaskKinds(TASK_CLASSES)


@pytest.fixture(autouse=True)
def web1(rest: Rest) -> None:
    rest.register("web1", agent=agent_info(), online=True, last_seen=NOON - HOUR)


def install(rest: Rest, **body: Any) -> TaskView:
    return rest.consumers.install(OPERATOR, "web1", PackagesActionBody(packages=["nginx"], **body))


def record(state: TaskState, **changes: Any) -> TaskRecord:
    return TaskRecord(
        id=new_id(),
        kind="packages.install",
        version=1,
        args=b"{}",
        requested_by="olga",
        created_at=NOON,
        accept_by=NOON + DAY,
        expires=NOON + 2 * DAY,
        timeout=HOUR,
        state=state,
        consumer_id="web1",
    ).replace(**changes)


def consumer(*, online: bool) -> Consumer:
    return Consumer(
        id="web1",
        uid="u",
        registered_at=NOON,
        fingerprints=[],
        csr_fingerprint="",
        certificate="",
        online=online,
        last_seen=NOON - HOUR,
    )


WINDOW = Window(NOON + HOUR, NOON + 3 * HOUR)
S = TaskState


@pytest.mark.parametrize(
    ("task", "online", "code", "since", "until"),
    [
        (record(S.SCHEDULED, not_before=NOON + HOUR), True, "start-time", 0, HOUR),
        (record(S.WAITING), True, "queue", 0, DAY),
        (record(S.WAITING), False, "agent-offline", -HOUR, DAY),
        (
            record(S.WAITING, parked="agent-offline", parked_at=NOON + 5),
            True,
            "agent-offline",
            -HOUR,
            DAY,
        ),
        (record(S.WAITING, parked="agent-busy", parked_at=NOON + 5), True, "agent-busy", 5, DAY),
        (
            record(S.WAITING, parked="unsupported-version", parked_at=NOON + 5),
            False,
            "unsupported-version",
            5,
            DAY,
        ),
        (record(S.WAITING, phase="sent", sent_at=NOON + 7), True, "agent-accept", 7, DAY),
        (record(S.WAITING, phase="sent", sent_at=NOON + 7), False, "agent-offline", -HOUR, DAY),
        (record(S.HELD, accepted_at=NOON + 9, window=WINDOW), True, "window", 9, HOUR),
        (
            record(S.HELD, accepted_at=NOON + 9, starts=NOON - HOUR, window=WINDOW),
            True,
            "agent",
            9,
            2 * DAY,
        ),
        (record(S.HELD, accepted_at=NOON + 9, window=WINDOW), False, "window", 9, HOUR),
        (
            record(S.HELD, starts=NOON - HOUR, window=WINDOW, deadline=NOON + 3 * DAY),
            False,
            "agent-offline",
            -HOUR,
            3 * DAY,
        ),
        (
            record(S.RUNNING, phase="commit", started_at=NOON + 11, deadline=NOON + DAY),
            False,
            "agent-offline",
            -HOUR,
            DAY,
        ),
        (
            record(S.RUNNING, phase="rebooting", started_at=NOON + 11, deadline=NOON + DAY),
            False,
            "reboot",
            11,
            DAY,
        ),
        (record(S.RUNNING, phase="ready", accepted_at=NOON + 9), True, "lane", 9, 2 * DAY),
        (record(S.RUNNING, phase="commit", started_at=NOON + 11), True, "agent", 11, 11 + HOUR),
    ],
)
def test_whatever_is_not_over_names_what_it_waits_for(
    task: TaskRecord, online: bool, code: str, since: int, until: int
) -> None:
    found = waiting_for(task, consumer(online=online), NOON)
    assert found is not None
    assert (found.code, found.since, found.until) == (
        code,
        to_datetime(NOON + since),
        to_datetime(NOON + until),
    )


def call(method: Method) -> Call:
    return Call(class_=method.interface, method=method.name, version=1, args=b"{}")


def test_a_ready_call_names_the_one_that_is_before_it(rest: Rest) -> None:
    def stored(method: Method, phase: str) -> str:
        made = record(TaskState.RUNNING, phase=phase, call=call(method), deadline=NOON + DAY)
        return rest.store.write(lambda uow: uow.tasks.add(made)).id

    reads, works = stored(PROFILE, "started"), stored(INSTALL, "commit")
    next_, last = stored(REMOVE, "ready"), stored(INSTALL, "ready")

    def by(task_id: str) -> str | None:
        waits = rest.tasks.show(VIEWER, task_id).waiting_for
        return waits.by if waits else None

    assert [by(i) for i in (reads, works, next_, last)] == [None, None, works, works]
    over = rest.store.read(lambda uow: uow.tasks.get(works))
    assert over is not None
    rest.store.write(
        lambda uow: uow.tasks.save(
            over.replace(state=TaskState.FINISHED, phase="", deadline=None, finished_at=NOON)
        )
    )
    assert (by(next_), by(last)) == (None, next_)


def test_a_held_call_whose_opening_has_come_names_the_one_that_holds_it_up(rest: Rest) -> None:
    def stored(method: Method, state: TaskState, **changes: Any) -> str:
        made = record(state, call=call(method), deadline=NOON + DAY, **changes)
        return rest.store.write(lambda uow: uow.tasks.add(made)).id

    def waits(task_id: str) -> tuple[str, str | None]:
        found = rest.tasks.show(VIEWER, task_id).waiting_for
        assert found is not None
        return found.code, found.by

    open_, later = {"window": WINDOW, "starts": NOON - HOUR}, {"window": WINDOW}
    held, reads = stored(INSTALL, S.HELD, **open_), stored(PROFILE, S.HELD, **open_)
    shut = stored(INSTALL, S.HELD, **later)
    assert waits(held) == ("agent", None)
    works = stored(REMOVE, S.RUNNING, phase="commit")
    assert [waits(i) for i in (held, reads, shut)] == [
        ("lane", works),
        ("agent", None),
        ("window", None),
    ]


def test_a_held_task_tells_how_far_its_hosts_clock_is_off(rest: Rest) -> None:
    there = rest.store.read(lambda uow: uow.consumers.get("web1"))
    assert there is not None
    rest.store.write(lambda uow: uow.consumers.save(there.replace(clock_offset=-200_000)))
    held = record(TaskState.HELD, window=WINDOW, call=call(INSTALL), deadline=NOON + DAY)
    rest.store.write(lambda uow: uow.tasks.add(held))
    waits = rest.tasks.show(VIEWER, held.id).waiting_for
    assert waits is not None
    assert (waits.code, waits.clock_offset) == ("window", -200_000)


@pytest.mark.parametrize("state", [s for s in TaskState if s.final])
def test_what_is_over_waits_for_nothing(state: TaskState) -> None:
    assert waiting_for(record(state), consumer(online=True), NOON) is None


def test_a_list_knows_every_tasks_own_consumer(rest: Rest) -> None:
    rest.register("web2", agent=agent_info(), online=False)
    rest.consumers.install(OPERATOR, "web2", PackagesActionBody(packages=["nginx"]))
    install(rest)
    items = rest.tasks.list(VIEWER, TaskFilter(), after=None, limit=10).items
    codes = {t.consumer_id: t.waiting_for.code for t in items if t.waiting_for}
    assert codes == {"web1": "queue", "web2": "agent-offline"}


def test_a_page_of_heavy_tasks_is_shorter_and_the_next_goes_on(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [install(rest).id for _ in range(8)]
    for task_id in made:
        rest.change_task(task_id, result=b'"' + b"x" * 1000 + b'"')
    monkeypatch.setattr("pulp.server.api.tasks.HEAVIEST", 2500)
    seen: list[str] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        page = rest.tasks.list(VIEWER, TaskFilter(), after=after, limit=8)
        assert 1 <= len(page.items) <= 2
        seen += [t.id for t in page.items]
        after, pages = page.next, pages + 1
    assert seen == made[::-1]


def test_cancel_ends_what_no_agent_has_and_asks_for_the_rest(rest: Rest) -> None:
    queued, sent = install(rest), install(rest)
    call = Call(class_="Packages", method="install", version=1, args=b"{}")
    rest.change_task(sent.id, call=call, phase="sent")
    assert rest.tasks.cancel(OPERATOR, queued.id).state == "canceled"
    asked = rest.tasks.cancel(OPERATOR, sent.id)
    assert (asked.state, asked.cancel_requested) == ("waiting", True)


def test_what_is_over_cannot_be_canceled(rest: Rest) -> None:
    task = install(rest)
    rest.tasks.cancel(OPERATOR, task.id)
    with pytest.raises(TaskIsFinal, match="canceled"):
        rest.tasks.cancel(OPERATOR, task.id)
    with pytest.raises(Forbidden):
        rest.tasks.cancel(VIEWER, task.id)


@pytest.mark.parametrize(
    "task_id", ["", "x", "../etc", "00000000-0000-4000-8000-000000000000", "\ud800"]
)
def test_an_unknown_task_is_not_found(rest: Rest, task_id: str) -> None:
    with pytest.raises(NotFound):
        rest.tasks.show(VIEWER, task_id)


# --- the task classes ---

CHANGES = [
    Change(name="nginx", arch="amd64", action="install", to="1.2", requested=True, outcome="done"),
    Change(name="libc", arch="amd64", action="upgrade", from_="1", to="2", outcome="done"),
    Change(name="other", action="remove", from_="3", outcome="not-done"),
]
DONE = PackagesResult(backend="apt", changed=True, changes=CHANGES)


class Fired:
    """An agent that only notes what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Method, dict[str, Any]]] = []
        self.packages: Packages[None] = Packages(self._invoke)

    def _invoke(self, method: Method, args: msgspec.Struct) -> None:
        self.calls.append((method, msgspec.to_builtins(args)))


def load(rest: Rest, view: TaskView) -> ConsumerTask:
    task = KINDS.load(rest.task(view.id))
    assert isinstance(task, ConsumerTask)
    return task


def succeed(rest: Rest, view: TaskView, result: Any) -> None:
    """What the reply listener does with a final success."""

    def job(uow: UnitOfWork) -> None:
        task = load(rest, view)
        task.succeeded(
            Context.of(uow, NOON + 5),
            msgspec.convert(result, task.method.result, from_attributes=True),
        )
        uow.tasks.save(task.record)

    rest.store.write(job)


def events(rest: Rest) -> list[tuple[str, Any]]:
    page = rest.history.list(VIEWER, "web1", newest_first=False).items[1:]
    return [(e.type, msgspec.json.decode(e.details)) for e in page]


def start(rest: Rest, action: str, **body: Any) -> TaskView:
    api = rest.consumers
    match action:
        case "update_all":
            return api.update_all(OPERATOR, "web1", UpdateAllBody(**body))
        case "refresh_profile":
            return api.refresh_profile(OPERATOR, "web1", ActionBody(**body))
        case "updates":
            return api.updates(OPERATOR, "web1", UpdatesBody(**body))
    made: TaskView = getattr(api, action)(
        OPERATOR, "web1", PackagesActionBody(packages=["nginx"], **body)
    )
    return made


@pytest.mark.parametrize(
    ("action", "method", "sent"),
    [
        ("install", INSTALL, {"packages": [{"name": "nginx"}], "policy": {}, "dry_run": True}),
        ("update", UPDATE, {"packages": [{"name": "nginx"}], "policy": {}, "dry_run": True}),
        ("remove", REMOVE, {"packages": [{"name": "nginx"}], "policy": {}, "dry_run": True}),
        ("update_all", UPDATE_ALL, {"security_only": False, "policy": {}, "dry_run": True}),
        ("refresh_profile", PROFILE, {}),
        ("updates", UPDATES, {"refresh": False}),
    ],
)
def test_run_fires_one_call(rest: Rest, action: str, method: Method, sent: dict[str, Any]) -> None:
    body = {} if action in ("refresh_profile", "updates") else {"dry_run": True}
    task, agent = load(rest, start(rest, action, **body)), Fired()
    rest.store.read(lambda uow: task.run(Context.of(uow, NOON, agent)))  # type: ignore[arg-type]
    assert agent.calls == [(method, sent)]
    assert task.method == method


@pytest.mark.parametrize(
    ("action", "type_"),
    [
        ("install", "packages_installed"),
        ("update", "packages_updated"),
        ("update_all", "packages_updated"),
        ("remove", "packages_removed"),
    ],
)
def test_confirmed_success_writes_every_changed_package_once(
    rest: Rest, action: str, type_: str
) -> None:
    view = start(rest, action)
    succeed(rest, view, DONE)
    ((found, details),) = events(rest)
    assert found == type_
    assert details["packages"] == [
        {
            "name": "nginx",
            "arch": "amd64",
            "from": None,
            "to": "1.2",
            "action": "install",
            "requested": True,
            "outcome": "done",
        },
        {
            "name": "libc",
            "arch": "amd64",
            "from": "1",
            "to": "2",
            "action": "upgrade",
            "requested": False,
            "outcome": "done",
        },
    ]
    event = rest.history.list(VIEWER, "web1").items[0]
    assert (event.originator, event.task_id) == (OPERATOR.login, view.id)
    assert rest.tasks.show(VIEWER, view.id).state == "finished"


def test_history_says_how_far_work_ran_over_and_that_it_overrode_the_hosts_windows(
    rest: Rest,
) -> None:
    succeed(rest, install(rest), DONE)
    late = msgspec.structs.replace(DONE, overrun=90_000, override_used=True)
    succeed(rest, install(rest), late)
    used, second, first = rest.history.list(VIEWER, "web1").items[:3]
    told = msgspec.json.decode(second.details)
    assert (used.type, used.task_id) == ("override_used", second.task_id)
    assert (told["overrun"], told["override_used"]) == (90_000, True)
    assert {"overrun", "override_used"}.isdisjoint(msgspec.json.decode(first.details))


def test_nothing_changed_or_a_dry_run_writes_no_history(rest: Rest) -> None:
    succeed(rest, install(rest), PackagesResult(backend="apt"))
    succeed(rest, install(rest, dry_run=True), DONE)
    planned = PackagesResult(backend="apt", dry_run=True, changed=True, changes=CHANGES)
    succeed(rest, install(rest), planned)
    assert events(rest) == []


@pytest.mark.parametrize(
    ("code", "state", "type_"),
    [
        ("not-found", "error", "action_failed"),
        ("timeout", "timed_out", "action_failed"),
        ("canceled", "canceled", "action_canceled"),
        ("window-missed", "missed", "window_missed"),
    ],
)
def test_a_failure_writes_what_the_table_says(
    rest: Rest, code: str, state: str, type_: str
) -> None:
    view = install(rest)

    def job(uow: UnitOfWork) -> None:
        rest.queue.end(
            uow, rest.task(view.id), TaskError(code=code, message="no such package"), NOON
        )

    rest.store.write(job)
    ((found, details),) = events(rest)
    assert (found, details["code"], details["action"]) == (type_, code, "packages.install")
    assert rest.tasks.show(VIEWER, view.id).state == state


def profile(hash_: str) -> ProfileResult:
    return ProfileResult(hash=hash_, packages=[{"name": "nginx", "version": "1.2"}])


def test_a_refreshed_profile_is_kept_and_a_change_of_it_is_history(rest: Rest) -> None:
    with pytest.raises(NotFound, match="refresh-profile"):
        rest.consumers.profile(VIEWER, "web1")
    for hash_ in ("a", "a", "b"):
        succeed(rest, start(rest, "refresh_profile"), profile(hash_))
    shown = rest.consumers.profile(VIEWER, "web1")
    assert (shown.hash, shown.at) == ("b", to_datetime(NOON + 5))
    assert msgspec.json.decode(shown.packages) == [{"name": "nginx", "version": "1.2"}]
    assert events(rest) == [("profile_changed", {"from": "a", "to": "b", "packages": 1})]
