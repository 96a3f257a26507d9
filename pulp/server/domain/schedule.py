"""Schedules: an action that recurs for some consumers, and the pure rule that says what is to be done about it at a moment."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from pulp.common.calendar import HORIZON, Recurrence, begins
from pulp.common.times import MINUTE
from pulp.server.domain.task import Json, TaskState

PUNCTUAL = 5 * MINUTE
"""An occurrence that is no older than this is run under every rule: it was not missed, only looked at a little late."""

_NO_HOST_ZONE = "UTC"
"""Never looked at: a schedule has a zone of its own, as it is the server that starts its runs."""


class Missed(Enum):
    """What becomes of occurrences during which the server was down."""

    SKIP = "skip"  # they are counted
    ONCE = "once"  # the newest is run late, the others are counted


class Counts(Struct, frozen=True, kw_only=True):
    """Since the schedule was made. `runs` and `missed` are occurrences, the others consumers in a run."""

    runs: int = 0
    missed: int = 0
    skipped_open: int = 0  # its task of an earlier run was not over
    refused: int = 0  # no task could be made for it


class Schedule(Struct, frozen=True, kw_only=True):
    """`kind`, `version` and `args` as of a task; spans in ms, moments in ms UTC.

    id: random, so that a new schedule of an old name makes no task twice. open_for: a run has a window of its own, so long from
    its occurrence on. window: the name of one, or `next`, in whose next opening each run's work is done; window_missed, grace,
    expected, predownload: how it keeps to its window, as in WindowRule; None: what is usual. next_due: None while it is
    disabled. failures: consecutive runs that failed. last_tasks: consumer → its task that is not judged yet. problems:
    consumer → why the last run made no task for it.
    """

    id: str
    name: str
    created_by: str
    created_at: int
    recurrence: Recurrence
    consumers: list[str]
    kind: str
    version: int
    args: Json
    deliver_within: int
    timeout: int
    revision: int = 1
    open_for: int | None = None
    window: str = ""
    window_missed: Literal["miss", "next", "grace"] | None = None
    grace: int = 0
    expected: int | None = None
    predownload: bool = False
    missed: Missed = Missed.SKIP
    runs_left: int | None = None
    failure_threshold: int | None = None
    next_due: int | None = None
    last_due: int | None = None
    why_disabled: str = ""
    failures: int = 0
    counts: Counts = Counts()
    last_tasks: dict[str, str] = {}
    problems: dict[str, str] = {}

    @property
    def enabled(self) -> bool:
        return self.next_due is not None

    @property
    def originator(self) -> str:
        """Who asked for its tasks, as tasks and history name it."""
        return f"schedule:{self.name} ({self.created_by})"

    def replace(self, **changes: Any) -> Schedule:
        return msgspec.structs.replace(self, **changes)


class Turn(Struct, frozen=True, kw_only=True):
    """run: the one occurrence to run now, if any. missed: how many are passed over. next_due: None when the rule is over."""

    run: int | None
    missed: int
    next_due: int | None


def turn(schedule: Schedule, now: int) -> Turn | None:
    """What is to be done at `now`; None when nothing is due. Never more than one run, however long nobody looked."""
    due = schedule.next_due
    if due is None or due > now:
        return None
    newest, passed = None, 0
    for occurrence in occurrences(schedule.recurrence, since=due, before=now + 1):
        newest, passed = occurrence, passed + 1
    if newest is None or not _is_run(schedule, newest, now):
        return Turn(run=None, missed=passed, next_due=next_after(schedule.recurrence, now))
    return Turn(run=newest, missed=passed - 1, next_due=next_after(schedule.recurrence, now))


def _is_run(schedule: Schedule, occurrence: int, now: int) -> bool:
    if schedule.open_for is not None and occurrence + schedule.open_for <= now:
        return False
    return schedule.missed is Missed.ONCE or now - occurrence <= PUNCTUAL


def occurrences(recurrence: Recurrence, *, since: int, before: int) -> Iterable[int]:
    """Ascending, in `since` ≤ t < `before`. InvalidInput if the recurrence cannot be read (any more)."""
    return begins(recurrence, since=since, before=before, host_zone=_NO_HOST_ZONE)


def next_after(recurrence: Recurrence, now: int) -> int | None:
    """The first occurrence after `now`; None if there is none within ten years."""
    return next(iter(occurrences(recurrence, since=now + 1, before=now + HORIZON)), None)


def task_id(schedule: Schedule, consumer_id: str, occurrence: int) -> str:
    """The same whenever it is asked for: a run that is started again makes no second task."""
    return str(uuid5(UUID(schedule.id), f"{occurrence} {consumer_id}"))


def judged(schedule: Schedule, ended: dict[str, TaskState | None]) -> Schedule:
    """After a look at the tasks of earlier runs: those that have ended, by consumer, are weighed and forgotten.

    A run fails when one of its tasks did not finish, or could not be made; None (a task that was deleted) and canceled ones
    count for neither. Whoever cannot tell yet, because all its tasks are open, changes nothing.
    """
    left = {name: task for name, task in schedule.last_tasks.items() if name not in ended}
    neutral = (None, TaskState.CANCELED)
    weighed = [state for state in ended.values() if state not in neutral]
    failed = bool(schedule.problems) or any(s is not TaskState.FINISHED for s in weighed)
    failures = schedule.failures
    if failed:
        failures += 1
    elif weighed:
        failures = 0
    return schedule.replace(last_tasks=left, failures=failures, problems={})


def has_failed_enough(schedule: Schedule) -> bool:
    return (
        schedule.failure_threshold is not None and schedule.failures >= schedule.failure_threshold
    )


def after_run(
    schedule: Schedule,
    turned: Turn,
    *,
    made: dict[str, str],
    problems: dict[str, str],
) -> Schedule:
    """The schedule once `turned.run` has `made` its tasks (consumer → task); open ones of earlier runs were left alone."""
    counts = schedule.counts
    skipped = len(schedule.consumers) - len(made) - len(problems)
    left = None if schedule.runs_left is None else schedule.runs_left - 1
    ran = schedule.replace(
        counts=msgspec.structs.replace(
            counts,
            runs=counts.runs + 1,
            skipped_open=counts.skipped_open + skipped,
            refused=counts.refused + len(problems),
        ),
        runs_left=left,
        last_due=turned.run,
        last_tasks=schedule.last_tasks | made,
        problems=problems,
    )
    moved = passed_over(ran, turned)
    return disabled(moved, "It has no runs left.") if left == 0 else moved


def passed_over(schedule: Schedule, turned: Turn) -> Schedule:
    """With what it missed counted, and waiting for its next occurrence."""
    counts = msgspec.structs.replace(schedule.counts, missed=schedule.counts.missed + turned.missed)
    moved = schedule.replace(counts=counts, next_due=turned.next_due)
    return moved if moved.enabled else disabled(moved, "It is over: its rule names no later time.")


def disabled(schedule: Schedule, why: str) -> Schedule:
    """It makes no tasks until it is enabled; `why` is a sentence for people."""
    return schedule.replace(next_due=None, why_disabled=why)


def mended(schedule: Schedule, now: int) -> Schedule | None:
    """One whose next due time was reckoned while the clock was far ahead, due again at its next occurrence; None: it is right.

    That the very next occurrence has been run is no sign of it: the clock may have gone back a little since.
    """
    if schedule.next_due is None:
        return None
    ahead = islice(occurrences(schedule.recurrence, since=now + 1, before=schedule.next_due), 2)
    following = list(ahead)
    return schedule.replace(next_due=following[0]) if len(following) == 2 else None


def enabled(schedule: Schedule, now: int) -> Schedule:
    """Waiting for its first occurrence after `now`, whatever passed meanwhile; its failures are forgiven."""
    due = next_after(schedule.recurrence, now)
    return schedule.replace(next_due=due, why_disabled="", failures=0, problems={})
