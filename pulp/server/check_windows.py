"""What `pulp-server check` finds wrong with the windows of open tasks, and with hosts."""

from __future__ import annotations

from collections.abc import Iterator

from pulp.common.windows import Window
from pulp.server.db.base import ConsumerFilter, Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskRecord, WindowRule

PAGE = 500


def window_faults(record: TaskRecord) -> Iterator[str]:
    """Of an open task: what its agent could not keep to, or would keep to wrongly."""
    rule, window = record.rule, record.window
    if window is None:
        if rule is not None:
            yield "it has the rule of a window, and no window"
        return
    if record.expires < window.begin:
        yield "it expires before its window opens"
    if rule is not None:
        yield from _rule_faults(rule, window)
        if rule.void and record.cancel_requested_at is None:
            yield "nothing is left of its window, and it is not called off"


def _rule_faults(rule: WindowRule, window: Window) -> Iterator[str]:
    if rule.cutoff_at is not None and not window.begin < rule.cutoff_at < window.end:
        yield "the cutoff of its window lies outside of it"
    if rule.missed == "next" and rule.calendar is None:
        yield "it is to be carried over, and has no calendar to find the next opening in"
    if rule.missed == "grace" and (rule.late is None or rule.late < window.end):
        yield "it has a grace that is over before its window"
    if rule.asked and not rule.names:
        yield f"it waits for window {rule.asked}, and not by any window"


def hosts_faults(store: Store) -> Iterator[tuple[int, str, str]]:
    """The invariant's number, the consumer's id and what is wrong."""
    after: str | None = None
    while True:
        next_, found = store.read(lambda uow, after=after: _page(uow, after))  # type: ignore[misc]
        yield from found
        after = next_
        if after is None:
            break
    for consumer_id in store.read(lambda uow: uow.packages.astray()):
        yield 1, consumer_id, "what is found of its packages is not what its stored profile says"


def _page(uow: UnitOfWork, after: str | None) -> tuple[str | None, list[tuple[int, str, str]]]:
    page = uow.consumers.page(ConsumerFilter(), after, PAGE)
    return page.next, [(7, c.id, what) for c in page.items for what in _host_faults(uow, c)]


def _host_faults(uow: UnitOfWork, consumer: Consumer) -> Iterator[str]:
    if consumer.replanned > consumer.keep_plan:
        yield "its tasks count as planned by a calendar that is still to come: a change would not reach them"
    known = {window.name for window in uow.windows.of(consumer)}
    for name in consumer.windows:
        if name not in known:
            yield f"{name} is bound to it, and there is no such window or freeze"
