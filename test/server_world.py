"""A server without its ends: real store, queue, reply listener and scheduler, stepped by hand in virtual time; the bus is a
list of what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

from pulp.messaging.base import Delivery, Message, Peer
from pulp.rmi import codec
from pulp.rmi.interfaces import INSTALL, METHODS, PackageSpec, PackagesResult
from pulp.rmi.messages import CallStatus, Hello, Request, ToServer
from pulp.rmi.versions import FEATURES, TODAY, Repertoire, offer
from pulp.server.agent import Pending
from pulp.server.api.tasks import TaskApi
from pulp.server.async_.dispatcher import Dispatcher
from pulp.server.async_.gateway import Gateway
from pulp.server.async_.inbox import Inbox
from pulp.server.async_.news import News
from pulp.server.async_.planner import Planner
from pulp.server.async_.plans import Plans
from pulp.server.async_.reception import Reception, ServerProfile
from pulp.server.async_.replies import ReplyListener
from pulp.server.async_.sessions import Sessions
from pulp.server.async_.sweep import Sweep
from pulp.server.db.sqlite import SqliteStore
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryEvent
from pulp.server.domain.task import PARKED_VERSION, TaskRecord
from pulp.server.domain.user import Principal, Role
from pulp.server.tasking.context import Context
from pulp.server.tasking.deadlines import Timing
from pulp.server.tasking.fifo import FIFOQueue
from pulp.server.tasking.scheduler import Scheduler
from pulp.server.tasking.task import AsyncTask, Task, TaskKinds

START = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


class Names(Struct, frozen=True):
    names: list[str]


class Install(AsyncTask):
    kind: ClassVar[str] = "test.install"
    method = INSTALL
    arguments = Names

    def run(self, ctx: Context) -> None:
        assert ctx.agent is not None
        ctx.agent.packages.install([PackageSpec(name=n) for n in self.args.names])

    def succeeded(self, ctx: Context, result: PackagesResult) -> None:
        super().succeeded(ctx, result)
        ctx.history.packages_installed(self.record, {"changes": len(result.changes)})
        if "raise" in self.args.names:
            raise RuntimeError("the override fails")


class Add(Task):
    """Work without an agent."""

    kind: ClassVar[str] = "test.add"
    arguments = Names

    def run(self, ctx: Context) -> Names:
        if self.args.names == ["raise"]:
            raise RuntimeError("run fails")
        return Names([*self.args.names, "done"])


@dataclass(frozen=True)
class FakeDelivery:
    peer: Peer
    message: Message


@dataclass
class RecordingBus:
    sent: list[tuple[Peer, Message]] = field(default_factory=list)
    settled: list[Delivery] = field(default_factory=list)
    closed: list[tuple[Peer, str, str]] = field(default_factory=list)

    def start(self, receiver: Any) -> None: ...

    def stop(self, grace: float = 5.0) -> None: ...

    def send(self, peer: Peer, messages: Sequence[Message]) -> None:
        self.sent += [(peer, m) for m in messages]

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        self.settled += deliveries

    def close(self, peer: Peer, condition: str, description: str) -> None:
        self.closed.append((peer, condition, description))

    def close_identity(self, identity: str, condition: str, description: str) -> None: ...


class ManualClock:
    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000


class World:
    def __init__(
        self,
        directory: Path,
        classes: Sequence[type[Task]] = (Install, Add),
        repertoire: Repertoire = TODAY,
    ) -> None:
        self.clock = ManualClock(START)
        self.bus = RecordingBus()
        self.store = SqliteStore(directory)
        self._connections = 0
        self.repertoire = repertoire
        self.build(classes)

    def build(self, classes: Sequence[type[Task]] = (Install, Add)) -> None:
        """The parts, anew over the same store: what a restart does to memory."""
        self.kinds = TaskKinds(classes)
        self.sessions = Sessions()
        self.store.write(lambda uow: uow.consumers.set_offline())
        self.store.write(lambda uow: uow.tasks.release(PARKED_VERSION))
        self.gateway = Gateway(self.bus, self.store, self.sessions, self.clock, self.repertoire)
        self.queue = FIFOQueue(
            self.store, self.kinds, self.gateway, wake=_nothing, wake_scheduler=_nothing
        )
        self.inbox = Inbox(self.bus, Pending(), lambda: None)
        reception = Reception(
            bus=self.bus,
            store=self.store,
            kinds=self.kinds,
            queue=self.queue,
            sessions=self.sessions,
            profile=ServerProfile([], ["CA"], [], [], 1000),
            issue=lambda csr, uid: (f"CERT {csr}", f"f-{csr}"),
        )
        self.replies = ReplyListener(
            bus=self.bus,
            store=self.store,
            kinds=self.kinds,
            queue=self.queue,
            inbox=self.inbox,
            sessions=self.sessions,
            tell_newest=self.gateway.tell_newest,
            reception=reception,
            repertoire=self.repertoire,
        )
        sweep = Sweep(
            self.store,
            self.sessions,
            self.gateway,
            interval=60_000,
            has_room=self.queue.has_room,
        )
        self.news = News(self.store, self.gateway, _nothing)
        self.planner = Planner(self.store, self.kinds, self.news.task_moved)
        self.plans = Plans(self.news.calendars_changed)
        self.dispatcher = Dispatcher(self.replies, self.news, self.queue, sweep)
        self.scheduler = Scheduler(self.store, self.kinds, self.gateway, lambda: None)
        self.tasks = TaskApi(self.store, self.clock, self.queue, self.kinds)

    def close(self) -> None:
        self.store.close()

    @property
    def now(self) -> int:
        return self.clock.at

    # --- what happens ---

    def consumer(self, name: str = "web1") -> str:
        made = Consumer(
            id=name,
            uid=f"uid-{name}",
            registered_at=self.now,
            fingerprints=["f1"],
            csr_fingerprint="c",
            certificate="",
        )
        self.store.write(lambda uow: uow.consumers.add(made))
        return name

    def hello(
        self,
        name: str = "web1",
        *,
        calls: Sequence[CallStatus] = (),
        journal: str = "j1",
        seq: int = 1,
        **changes: Any,
    ) -> Peer:
        """A new connection of the consumer says hello and is answered."""
        self._connections += 1
        uid = changes.pop("uid", f"uid-{name}")
        peer = Peer(uid, changes.pop("fingerprint", "f1"), self._connections)
        hello = Hello(
            agent="1.0",
            protocols=[1],
            methods=offer(METHODS),
            features=sorted(FEATURES),
            now=self.now,
            boot_id="b",
            timezone="UTC",
            os={},
            journal_id=journal,
            journal_seq=seq,
            calls=list(calls),
        )
        self.say(peer, msgspec.structs.replace(hello, **changes))
        self.step()
        return peer

    def say(self, peer: Peer, message: ToServer) -> None:
        body, encoding = codec.encode(message)
        call_id = getattr(message, "id", None)
        self.raw(peer, body, call_id, encoding)

    def raw(
        self, peer: Peer, body: bytes, call_id: str | None = None, encoding: str | None = None
    ) -> None:
        message = Message(
            body=body, id="m", subject="x", correlation_id=call_id, content_encoding=encoding
        )
        self.inbox.received(FakeDelivery(peer, message))

    def reply(self, peer: Peer, *messages: ToServer) -> None:
        for message in messages:
            self.say(peer, message)
        self.step()

    def install(self, name: str | None = "web1", *names: str, **timing: Any) -> str:
        return self.enqueue(Install, name, *(names or ("nginx",)), **timing)

    def enqueue(self, kind: type[Task], name: str | None, *names: str, **timing: Any) -> str:
        when = {"deliver_within": DAY, "timeout": HOUR} | timing
        record = kind.new(
            Names(list(names)),
            consumer_id=name,
            requested_by="ann",
            now=self.now,
            timing=Timing(**when),
        )
        return self.store.write(lambda uow: self.queue.enqueue(uow, record)).id

    def cancel(self, task_id: str) -> None:
        self.store.write(
            lambda uow: self.queue.cancel(uow, self.task(task_id), by="ann", now=self.now)
        )
        self.step()

    def plan(self) -> None:
        """The planner goes through what is marked, and what is to be told of it is sent."""
        while self.planner.step(self.now) is not None:
            pass
        self.step()

    def step(self) -> None:
        for _ in range(200):
            if self.dispatcher.step(self.now) > self.now:
                return
        raise AssertionError("the dispatcher does not come to rest")

    def pass_time(self, ms: int) -> None:
        self.clock.at += ms
        self.scheduler.step(self.now)
        self.step()

    # --- what is seen ---

    def task(self, task_id: str) -> TaskRecord:
        found = self.store.read(lambda uow: uow.tasks.get(task_id))
        assert found is not None
        return found

    def waits_for(self, task_id: str) -> str | None:
        """What users are told that it waits for."""
        waiting = self.tasks.show(Principal("viktor", Role.VIEWER), task_id).waiting_for
        return waiting.code if waiting else None

    def history(self, name: str = "web1") -> list[HistoryEvent]:
        return self.store.read(lambda uow: uow.history.page(name)).items

    def events(self, name: str = "web1") -> list[str]:
        return [e.type.value for e in reversed(self.history(name))]

    def take_sent(self) -> list[Any]:
        """What was sent to agents since the last look, as messages."""
        sent = [codec.decode_for_agent(m.body, m.content_encoding) for _, m in self.bus.sent]
        self.bus.sent.clear()
        return sent

    def requests(self) -> list[str]:
        """The ids of the requests sent since the last look."""
        return [m.id for m in self.take_sent() if isinstance(m, Request)]


RESULT = Raw(msgspec.json.encode(PackagesResult(backend="test", changed=True)))


def _nothing() -> None:
    """The world is stepped by hand: nobody needs waking."""
