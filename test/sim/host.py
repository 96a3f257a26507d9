"""A managed host: its disk, its clock, its packages and its jobs. What it did is the truth that the agent's journal and the
server's history are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pulp_agent.calls import CallTable
from pulp_agent.events import Instant
from pulp_agent.records import Kept
from pulp_agent.spool import JobRequest

from pulp.common.ids import new_id
from pulp.server.domain.consumer import Consumer
from sim.disk import Disk, Folder, Snapshot
from sim.job import Job
from sim.world import Process, World

if TYPE_CHECKING:
    from sim.checks import Checks


class Host:
    """`skew`: ms its wall clock is ahead."""

    def __init__(self, world: World, checks: Checks, consumer_id: str, uid: str, name: str) -> None:
        self.world = world
        self.checks = checks
        self.name = name
        self.consumer_id = consumer_id
        self.uid = uid
        self.skew = 0
        self.boots = [world.now - world.random.randrange(10_000_000)]
        self.asked: dict[str, int] = {}  # call → the start in which it asked for a restart
        self.go_down: Callable[[int], None] = lambda _booted: None
        self.memory = 0
        self.disk = Disk(new_id())
        self.jobs: list[Job] = []
        self.fetches: dict[str, Folder] = {}  # spool folders of what is fetched ahead
        self.fetching: list[Job] = []
        self.changed_by: dict[str, int] = {}
        self.fates: dict[str, str] = {}
        self.away = False  # no network
        self.off = False  # for good
        self.copy = False  # of another host, with its certificate
        self.journal_full = False
        self.disturbed = world.now  # when its agent was last startled: by a start, a clock, a disk
        self.agent: Process | None = None  # the last that was started
        self.old = False  # an agent of an older release
        self.index = CallTable()  # what is safely on its disk
        self.indexed = 0
        self.keep: Kept | None = (
            None  # the calendar that its agent has accepted, or found in its journal
        )
        self.answers: dict[str, bytes] = {}
        self.used: dict[
            tuple[int, int], int | None
        ] = {}  # windows used → since when their end is seen
        self.watch: Callable[[str], None] | None = None

    @property
    def booted(self) -> int:
        """When it was started last, which is its boot id too."""
        return self.boots[-1]

    @booted.setter
    def booted(self, at: int) -> None:
        self.boots.append(at)

    def instant(self) -> Instant:
        """The agent reads its clocks."""
        for span, seen in self.used.items():
            if seen is None and self.wall >= span[1]:
                self.used[span] = self.world.now
        return Instant(self.world.now + self.skew, self.world.now - self.booted)

    @property
    def wall(self) -> int:
        return self.world.now + self.skew

    @property
    def profile_hash(self) -> str:
        return f"p{len(self.changed_by)}-{self.memory}"

    def admitted(self, consumer: Consumer) -> bool:
        """Not one that went back to before its certificate was renewed: it must be registered again."""
        return bool(set(self.disk.certificates) & set(consumer.fingerprints))

    # --- what its jobs do ---

    def spawn(self, call_id: str) -> Job:
        job = Job(self, call_id)
        self.jobs.append(job)
        return job

    def change(self, call_id: str) -> None:
        """The packages are changed: the one thing that must not happen twice."""
        self.checks.transaction(self, call_id)
        self.changed_by[call_id] = self.changed_by.get(call_id, 0) + 1

    def fate(self, call_id: str) -> str:
        """What this execution comes to; the same for all its attempts."""
        if call_id not in self.fates:
            kinds = ("good",) * 6 + ("nothing", "refused", "half", "bug")
            self.fates[call_id] = self.world.random.choice(kinds)
        return self.fates[call_id]

    def pace(self, request: JobRequest) -> tuple[int, bool]:
        """ms that its preparation takes, and whether it looks at the clock; some take longer than they have."""
        if request.fetch_only:  # often longer than there is until the opening
            return self.world.spread(20_000, 20_000_000), True
        if self.world.chance(0.06):
            return request.timeout * 2, self.world.chance(0.5)
        return self.world.spread(10, max(20, min(request.timeout // 2, 600_000))), True

    def progressed(self, call_id: str) -> None:
        if self.watch is not None:
            self.watch(call_id)

    # --- memory ---

    def snapshot(self) -> Snapshot:
        folders = {i: replace(f, holder=None) for i, f in self.disk.spool.items()}
        lines = self.disk.lines[: self.disk.synced]
        disk = replace(
            self.disk, lines=lines, spool=folders, certificates=[*self.disk.certificates]
        )
        return Snapshot(disk, dict(self.changed_by), dict(self.answers), dict(self.fates))

    def restore(self, snapshot: Snapshot) -> None:
        """The whole host goes back to what it was, and knows nothing of what it has done since."""
        self._end_jobs()
        self.checks.undone(self)
        self.memory += 1
        disk, folders = snapshot.disk, snapshot.disk.spool
        self.disk = replace(
            disk,
            lines=[*disk.lines],
            spool={i: replace(f) for i, f in folders.items()},
            certificates=[*disk.certificates],
        )
        self.changed_by, self.answers = dict(snapshot.changed_by), dict(snapshot.answers)
        self.fates, self.used, self.asked = dict(snapshot.fates), {}, {}
        self.checks.journaled(self, whole=True)

    def forget(self) -> None:
        """Its agent's data directory is lost, but for its identity."""
        self._end_jobs()
        self.checks.undone(self)
        self.memory += 1
        self.disk = Disk(new_id(), certificates=self.disk.certificates)
        self.changed_by, self.answers, self.used, self.asked = {}, {}, {}, {}
        self.checks.journaled(self, whole=True)

    def _end_jobs(self) -> None:
        for job in [*self.jobs, *self.fetching]:
            job.alive = False
            job.died()

    # --- power ---

    def power_lost(self) -> None:
        """All processes are gone, and all that was not synced may be."""
        self._end_jobs()
        disk = self.disk
        keep = self.world.random.randint(disk.synced, max(disk.synced, len(disk.lines)))
        del disk.lines[keep:]
        disk.synced = len(disk.lines)
        for folder in disk.spool.values():
            folder.progress = None
            if folder.decision is None and folder.result is None:
                folder.began = self.world.chance(0.5) and folder.began
        self.used = dict.fromkeys(self.used)
        self.checks.journaled(self, whole=True)
