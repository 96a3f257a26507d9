"""The store as the rest of the server sees it: repositories behind a unit of work. One contract test runs over every back end.

Everything inside a job commits together or not at all. A job may be run again after a conflict, so it touches nothing
outside its unit of work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from pulp.common.errors import PulpError
from pulp.server.domain.consumer import Consumer, StoredProfile
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.package import Installation, Spread
from pulp.server.domain.schedule import Schedule
from pulp.server.domain.task import TaskRecord, TaskState
from pulp.server.domain.user import IdempotencyRecord, RegistrationToken, Session, User
from pulp.server.domain.window import NamedWindow, WindowRole

T = TypeVar("T")


class StoreError(PulpError):
    code = "store"


class StoreUnavailable(StoreError):
    """The store cannot be reached, is full or read-only: nothing was written, try again later."""

    code = "store-unavailable"


class Conflict(StoreError):
    """The stored revision is not the one that was read."""

    code = "conflict"


class Duplicate(StoreError):
    """Something with this key exists."""

    code = "duplicate"


class BadCursor(StoreError):
    """The `after` of a list is none that this store gave out."""

    code = "bad-cursor"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` is the cursor of the following page, None on the last one."""

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    states: frozenset[TaskState] = frozenset()  # empty: any
    consumer_id: str | None = None
    job_id: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerFilter:
    online: bool | None = None
    q: str = ""  # part of the id or display name, any case
    notes: dict[str, str] = field(default_factory=dict)
    window: str | None = None  # a window or freeze that is bound to it


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFilter:
    """`name` is the whole name, or with `prefix` its beginning; version and arch are compared as text."""

    name: str
    prefix: bool = False
    version: str | None = None
    arch: str | None = None


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A committed change of a task, for whoever waits for it."""

    id: str
    revision: int
    state: TaskState


class Claim(NamedTuple):
    """A task that may be run: no more of it than is needed to decide whether it is run now."""

    id: str
    consumer_id: str | None


class TaskRepository(Protocol):
    def add(self, record: TaskRecord) -> TaskRecord:
        """Store a new task; the returned record has its `seq`. Duplicate when the id exists."""

    def get(self, task_id: str) -> TaskRecord | None: ...

    def save(self, record: TaskRecord) -> TaskRecord:
        """Store a changed record whose `revision` is the one that was read; returns it with revision + 1.
        Conflict when the stored revision is another."""

    def claimable(self, limit: int) -> list[Claim]:
        """Waiting, queued and not parked, oldest first."""

    def unsent(self, consumer_id: str, limit: int) -> list[TaskRecord]:
        """Waiting and queued, parked or not (but not parked as unsupported-version), oldest first."""

    def unaccepted(self, consumer_id: str) -> list[TaskRecord]:
        """Waiting and sent, oldest first."""

    def open_of(self, consumer_id: str) -> list[TaskRecord]:
        """Not final, oldest first."""

    def answered(self, after: int, limit: int) -> list[TaskRecord]:
        """Those with a kept `answer` and a `seq` beyond `after`, oldest first."""

    def release(self, reason: str) -> int:
        """Put all tasks that are parked for this reason back into the claim index; how many."""

    def due(self, now: int, limit: int) -> list[TaskRecord]:
        """Scheduled with not_before <= now, earliest first."""

    def overdue(self, now: int, limit: int) -> list[TaskRecord]:
        """Not final with deadline <= now, earliest first."""

    def next_moment(self) -> int | None:
        """The earliest not_before of a scheduled task or deadline of an open one."""

    def page(self, where: TaskFilter, after: str | None, limit: int) -> Page[TaskRecord]:
        """Newest first."""

    def outrun(self, plan: int) -> None:
        """Raise the plan numbers of all open tasks with a window, to `plan` at least: in a store that went back, so that what was
        planned since is outrun."""

    def count_open(self) -> dict[TaskState, int]: ...

    def purge(self, before: int, limit: int) -> int:
        """Delete at most `limit` tasks that ended before this moment; how many."""


PAGE_BYTES = 1024 * 1024


class HistoryRepository(Protocol):
    def add(self, event: HistoryEvent) -> bool:
        """Append; False when this (task_id, type) was there already (nothing is written then)."""

    def page(
        self,
        consumer_id: str,
        *,
        types: frozenset[HistoryType] = frozenset(),
        begin: int | None = None,
        end: int | None = None,
        newest_first: bool = True,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[HistoryEvent]:
        """`begin` and `end` are inclusive (ms). A page ends before it holds more than PAGE_BYTES of details, but has one event
        always."""

    def get(self, consumer_id: str, event_id: int) -> HistoryEvent | None: ...

    def of_task(self, task_id: str) -> list[HistoryEvent]: ...

    def purge(self, before: int, limit: int) -> int:
        """Delete at most `limit` events from before this moment, oldest first; how many."""

    def knows(self, consumer_id: str) -> bool:
        """Whether any event of this consumer exists (history outlives the consumer)."""


class ConsumerRepository(Protocol):
    def add(self, consumer: Consumer) -> None:
        """Duplicate when the id or uid exists."""

    def get(self, consumer_id: str) -> Consumer | None: ...

    def by_uid(self, uid: str) -> Consumer | None: ...

    def save(self, consumer: Consumer) -> None: ...

    def remove(self, consumer_id: str) -> None: ...

    def page(self, where: ConsumerFilter, after: str | None, limit: int) -> Page[Consumer]:
        """By id."""

    def set_offline(self) -> int:
        """Mark every consumer offline (at start-up); how many were online."""

    def bound_to(self, window: str) -> list[str]:
        """The ids of the consumers that have this window or freeze, ascending."""

    def count(self, window: str | None) -> int:
        """How many consumers have this window or freeze; None: how many there are."""

    def unlike(self, window: str | None) -> list[Consumer]:
        """Of those that have this window or freeze (None: of all) one for each set of windows, enforced or not, in each of the
        agents' time zones: the calendars of the others say the same. By id."""

    def raise_keep_plan(self, consumer_ids: Iterable[str] | None) -> None:
        """What the host's calendar says has changed; None: that of every host, in one statement."""

    def outrun(self, plan: int) -> None:
        """Raise the keep_plan of every consumer, to `plan` at least: in a store that went back."""

    def to_replan(self, limit: int) -> list[str]:
        """The ids of consumers whose keep_plan is above `replanned`, ascending."""

    def profile(self, consumer_id: str) -> StoredProfile | None: ...

    def save_profile(self, profile: StoredProfile) -> None:
        """PackageRepository knows of it too, in the same commit."""

    def confirm_profile(self, consumer_id: str, hash_: str, at: int) -> bool:
        """The profile with this hash still holds at this moment; False when another one is stored, or none."""


class PackageRepository(Protocol):
    """Which packages are on which hosts, as the stored profiles say."""

    def page(self, where: PackageFilter, after: str | None, limit: int) -> Page[Installation]:
        """By name, version (as text) and arch, within these by the time of the host's first profile."""

    def spread(self, name: str) -> Spread: ...

    def astray(self) -> list[str]:
        """The ids of consumers, ascending, of which this does not say what their profiles say: none, unless something is broken.
        Slow: all there is is compared."""


class UserRepository(Protocol):
    def add(self, user: User) -> None: ...

    def get(self, login: str) -> User | None: ...

    def save(self, user: User) -> None: ...

    def remove(self, login: str) -> None:
        """Its sessions end too."""

    def list(self) -> list[User]:
        """All, by login."""

    def page(self, after: str | None, limit: int) -> Page[User]:
        """By login."""

    def add_session(self, session: Session) -> None: ...

    def session(self, digest: str) -> Session | None: ...

    def remove_session(self, digest: str) -> None: ...

    def remove_sessions(self, login: str) -> None: ...

    def purge_sessions(self, now: int) -> int: ...


class TokenRepository(Protocol):
    """Registration tokens."""

    def add(self, token: RegistrationToken) -> None: ...

    def get(self, token_id: str) -> RegistrationToken | None: ...

    def by_digest(self, digest: str) -> RegistrationToken | None: ...

    def save(self, token: RegistrationToken) -> None: ...

    def remove(self, token_id: str) -> None: ...

    def page(self, after: str | None, limit: int) -> Page[RegistrationToken]: ...


class IdempotencyRepository(Protocol):
    def get(self, login: str, key: str) -> IdempotencyRecord | None: ...

    def add(self, record: IdempotencyRecord) -> None: ...

    def purge(self, before: int) -> int: ...


class WindowRepository(Protocol):
    """Named windows and freezes."""

    def add(self, window: NamedWindow) -> None:
        """Duplicate when the name exists."""

    def get(self, name: str) -> NamedWindow | None: ...

    def save(self, window: NamedWindow) -> NamedWindow:
        """Store a changed one whose `revision` is the one that was read; returns it with revision + 1. Conflict when the
        stored revision is another, or there is none."""

    def remove(self, name: str) -> None: ...

    def of(self, consumer: Consumer) -> list[NamedWindow]:
        """Those that are bound to the consumer and those that hold everywhere, by name."""

    def everywhere(self) -> list[NamedWindow]:
        """Those that hold for every consumer, by name."""

    def page(self, role: WindowRole | None, after: str | None, limit: int) -> Page[NamedWindow]:
        """Of this role or of both, by name."""


class UnreadableRepository(Protocol):
    """Messages of agents that could not be read, kept raw for a person to look at."""

    def add(self, *, at: int, consumer_id: str, reason: str, body: bytes) -> None: ...

    def count(self) -> int: ...


class ScheduleRepository(Protocol):
    def add(self, schedule: Schedule) -> None:
        """Duplicate when the name exists."""

    def get(self, name: str) -> Schedule | None: ...

    def save(self, schedule: Schedule) -> Schedule:
        """Store a changed schedule whose `revision` is the one that was read; returns it with revision + 1.
        Conflict when the stored revision is another, or it is no more."""

    def remove(self, name: str) -> None: ...

    def page(self, after: str | None, limit: int) -> Page[Schedule]:
        """By name."""

    def due(self, now: int, limit: int) -> list[str]:
        """The names of those with next_due <= now, earliest first."""

    def next_due(self) -> int | None:
        """The earliest."""


class UnitOfWork(Protocol):
    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once what the job wrote is durable, on the store's own thread; never when it was rolled back. It must be
        quick and must not raise."""

    @property
    def tasks(self) -> TaskRepository: ...
    @property
    def history(self) -> HistoryRepository: ...
    @property
    def consumers(self) -> ConsumerRepository: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def tokens(self) -> TokenRepository: ...
    @property
    def idempotency(self) -> IdempotencyRepository: ...
    @property
    def windows(self) -> WindowRepository: ...
    @property
    def unreadable(self) -> UnreadableRepository: ...
    @property
    def schedules(self) -> ScheduleRepository: ...
    @property
    def packages(self) -> PackageRepository: ...


class Store(Protocol):
    def submit(self, job: Callable[[UnitOfWork], T]) -> Future[T]:
        """Run a writing job in order; the future is done after its commit is durable, or has the job's own error (then
        none of its writes stand, and other jobs are not touched). StoreUnavailable when the commit failed."""

    def write(self, job: Callable[[UnitOfWork], T]) -> T:
        """submit() and wait."""

    def read(self, job: Callable[[UnitOfWork], T]) -> T:
        """Run a reading job on one consistent snapshot, in the caller's thread; writing raises."""

    def subscribe(self, listener: Callable[[Sequence[TaskChange]], None]) -> None:
        """Tell of committed task changes, on the store's own thread; the listener must be quick and must not write."""

    def close(self) -> None:
        """Finish what was submitted, then close; later calls raise StoreUnavailable."""
