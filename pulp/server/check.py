"""`pulp-server check`: reads a store and names everything in it that breaks a rule that must hold (ARCHITECTURE.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from pulp.rmi.interfaces import PackagesResult
from pulp.server.check_windows import hosts_faults, window_faults
from pulp.server.db.base import Store, TaskFilter, UnitOfWork
from pulp.server.domain.history import HistoryType
from pulp.server.domain.task import QUEUED, SENT, TaskRecord, TaskState
from pulp.server.tasking.states import end_of

PAGE = 500

CONFIRMED = frozenset(
    {
        HistoryType.PACKAGES_INSTALLED,
        HistoryType.PACKAGES_UPDATED,
        HistoryType.PACKAGES_REMOVED,
        HistoryType.PACKAGES_REPAIRED,
    }
)
ENDINGS = CONFIRMED | {
    HistoryType.ACTION_FAILED,
    HistoryType.ACTION_CANCELED,
    HistoryType.WINDOW_MISSED,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """invariant: its number in ARCHITECTURE.md; subject: the id of the task, or of the consumer."""

    invariant: int
    subject: str
    what: str
    kind: str = "task"

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.kind} {self.subject}: {self.what}"


def check(store: Store) -> Iterator[Violation]:
    """Every violated rule of every task, newest task first, and of every consumer; a store in use may be read."""
    yield from _of_tasks(store)
    for invariant, consumer_id, what in hosts_faults(store):
        yield Violation(invariant, consumer_id, what, "consumer")


def _of_tasks(store: Store) -> Iterator[Violation]:
    after: str | None = None
    while True:
        page, found = store.read(lambda uow, after=after: _page(uow, after))  # type: ignore[misc]
        yield from found
        after = page
        if after is None:
            return


def _page(uow: UnitOfWork, after: str | None) -> tuple[str | None, list[Violation]]:
    page = uow.tasks.page(TaskFilter(), after, PAGE)
    return page.next, [v for record in page.items for v in violations(uow, record)]


def violations(uow: UnitOfWork, record: TaskRecord) -> Iterator[Violation]:
    """The rules one task breaks."""
    for invariant, what in _faults(uow, record):
        yield Violation(invariant, record.id, what)


def _faults(uow: UnitOfWork, record: TaskRecord) -> Iterator[tuple[int, str]]:
    if record.state.final:
        yield from _final(record)
    else:
        yield from _open(uow, record)
    yield from _history(uow, record)


def _open(uow: UnitOfWork, record: TaskRecord) -> Iterator[tuple[int, str]]:
    if record.deadline is None:
        yield 6, f"it is {record.state.value} and has no deadline"
    if record.finished_at is not None or record.error is not None:
        yield 4, f"it is {record.state.value} and carries an end"
    sent = record.state in (TaskState.HELD, TaskState.RUNNING) or record.phase == SENT
    if sent and record.call is None:
        yield 1, "it counts as sent and its call is not stored"
    if record.state is TaskState.WAITING and record.phase not in (QUEUED, SENT):
        yield 6, f"it waits in the unknown phase {record.phase!r} and nothing will move it"
    if record.consumer_id is not None and uow.consumers.get(record.consumer_id) is None:
        yield 6, f"its consumer {record.consumer_id} is not registered"
    for what in window_faults(record):
        yield 7, what


def _final(record: TaskRecord) -> Iterator[tuple[int, str]]:
    if record.finished_at is None:
        yield 4, f"it is {record.state.value} without the time of its end"
    if record.deadline is not None or record.parked:
        yield 6, f"it is {record.state.value} and still has a deadline or is parked"
    if record.state is TaskState.FINISHED and record.error is not None:
        yield 4, f"it is finished and carries the error {record.error.code!r}"
    if record.state is not TaskState.FINISHED:
        if record.error is None:
            yield 4, f"it is {record.state.value} and carries no error"
        elif end_of(record.error.code).state is not record.state:
            yield 4, f"it is {record.state.value} with the error {record.error.code!r}"


def _history(uow: UnitOfWork, record: TaskRecord) -> Iterator[tuple[int, str]]:
    events = [e for e in uow.history.of_task(record.id) if e.type in ENDINGS]
    if len(events) > 1:
        yield 4, f"its end stands {len(events)} times in the history"
    for event in events:
        if event.originator != record.requested_by:
            yield 5, f"its history names {event.originator}, and {record.requested_by} asked for it"
        if not _fits(event.type, record):
            yield 5, f"its history says {event.type.value}, and it is {record.state.value}"
    if record.consumer_id is not None and not events and _owes_history(record):
        yield 5, f"it is {record.state.value} and its history is missing"


def _fits(type_: HistoryType, record: TaskRecord) -> bool:
    if record.state is TaskState.FINISHED:
        return type_ in CONFIRMED
    return record.error is not None and type_ is end_of(record.error.code).history


def _owes_history(record: TaskRecord) -> bool:
    """Every end but a success that changed nothing is written down."""
    if record.state is not TaskState.FINISHED:
        return record.state.final
    try:
        result = msgspec.json.decode(record.result or b"null", type=PackagesResult)
    except msgspec.MsgspecError:
        return False  # not a package result: its class writes what it sees fit
    return result.changed and not result.dry_run
