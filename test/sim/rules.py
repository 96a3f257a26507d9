"""What all checks share: what is known of the world, and how a broken rule is told."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NoReturn

from pulp_agent.events import Outcome

from pulp.server.db.sqlite.unit import SqliteUnit
from pulp.server.domain.task import TaskRecord
from sim.job import SECRET
from sim.store import Disk
from sim.world import Violation, World

if TYPE_CHECKING:
    from sim.host import Host

LEAKS = (SECRET.encode(), b"Traceback (most", b'File \\"')


class Rules:
    """A rule is named by the number of its invariant and a sentence."""

    def __init__(self, world: World, disk: Disk, most_unaccepted: int) -> None:
        self.world = world
        self.disk = disk
        self.most_unaccepted = most_unaccepted
        self.upgraded = False
        self.restored = 0  # how often the server's store went back
        self.tasks: dict[str, TaskRecord] = {}
        self.acknowledged: dict[str, str] = {}  # task → who asked
        self.results: dict[str, list[tuple[str, Outcome]]] = defaultdict(
            list
        )  # with the host's uid
        self.pings: set[str] = set()
        self.untakable: set[str] = set()
        self.requests: dict[str, bytes] = {}
        self.changed: dict[str, set[Host]] = defaultdict(set)  # task → the hosts it has changed
        self.taken: set[str] = set()  # calls that some agent has said it has
        self.called_off: dict[str, set[Host]] = defaultdict(set)  # call → who has said `canceled`
        self.openings: dict[tuple[str, str], list[int | None]] = defaultdict(
            list
        )  # uid and call → the openings that the host has named for it, in order
        self.began: dict[tuple[str, str], int] = {}  # host and call → when it was last started
        self.executions = 0
        self.hosts: list[Host] = []
        self.plans: dict[str, list[bytes]] = defaultdict(
            list
        )  # uid → the calendars and new plans it was sent

    def broken(self, rule: str, *what: object) -> NoReturn:
        raise Violation(rule, " ".join(map(str, what)))

    def look(self, rule: str) -> SqliteUnit:
        """The committed state; whoever speaks in the middle of a transaction speaks too early."""
        if self.disk.in_transaction:
            self.broken(rule, "in the middle of a transaction")
        return self.disk.look()

    def leaks(self, text: bytes) -> None:
        if any(leak in text for leak in LEAKS):
            self.broken("10 no traceback or secret leaves a process", text)

    def undone(self, host: Host) -> None:
        """This host has gone back, or has forgotten: what it did is no more. What it has said stays said."""
        for hosts in self.changed.values():
            hosts.discard(host)

    def went_back(self, tasks: dict[str, TaskRecord], acknowledged: dict[str, str]) -> None:
        """The server's store is an older copy again: what it has forgotten was never promised."""
        self.restored += 1
        self.tasks, self.acknowledged = dict(tasks), dict(acknowledged)
        self.requests.clear()
